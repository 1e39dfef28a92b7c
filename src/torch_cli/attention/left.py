"""A text of ours that is still in an agent's input box: it was typed, and never submitted."""

import time

from torch_cli.delivery.evidence import Baseline
from torch_cli.delivery.lock import typist_of
from torch_cli.delivery.ours import is_ours
from torch_cli.errors import TorchError
from torch_cli.programs.state import AgentState, State
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.message import Message
from torch_cli.store.steps import Step

RESTS_SECONDS = 30.0
"""Seconds for which nothing was done for a message before its text counts as left: a delivery that
is under way does something every few seconds, or has the right to type into the pane."""

NEWEST_MESSAGES = 5
"""Messages to an agent among which the text is looked for; an older one is under younger ones."""


def left_in(store: Store, agent: Agent, state: AgentState) -> Message | None:
    """Return the message whose text is in the box of ``agent``, unsent; ``None`` if none is.

    The box must hold that text, whole and alone. What a person typed is theirs.
    """
    box = state.box
    if box is None or box.empty or state.state not in (State.IDLE, State.WORKING):
        return None
    before = time.time() - RESTS_SECONDS
    recent = store.messages.latest(agent=agent.identity, limit=NEWEST_MESSAGES)
    typed = [one for one in recent if one.updated < before and _may_be_left(one)]
    if not typed:
        return None
    try:
        profile = profile_named(agent.profile)
    except TorchError:
        return None
    for one in typed:
        if is_ours(box, one.typed, Baseline.from_json(one.baseline), profile, pasted=False):
            on_its_way = one.step != Step.DONE and _is_worked_at(store, agent)
            return None if on_its_way else one
    return None


def _is_worked_at(store: Store, agent: Agent) -> bool:
    """Return whether a sender waits there, for the end of a turn with its text in the box.

    The scheduler does not count: it tries what was left again and again.
    """
    scheduler = store.lease.current()
    return typist_of(agent.server, agent.pane) not in (0, scheduler.process.pid if scheduler else 0)


def _may_be_left(message: Message) -> bool:
    """Return whether the text may have been typed, and was not seen to be submitted."""
    if message.step == Step.DONE:
        return message.state in ("unknown", "failed")
    return message.step != Step.ACCEPTED
