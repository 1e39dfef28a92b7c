"""Waking a hibernated agent: its program starts again in its pane and in its conversation."""

import contextlib
import os
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from torch_cli.delivery.send import check_permitted
from torch_cli.duration import words
from torch_cli.errors import HeldError
from torch_cli.lifecycle.alone import alone
from torch_cli.lifecycle.restart import PANE_DIES_SECONDS, join_team, plan_again
from torch_cli.lifecycle.spawn import await_ready, close_leftovers, spawn
from torch_cli.roster.asleep import is_without_program, pane_of_sleeper
from torch_cli.roster.registry import profile_named, registered
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.steps import Step
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.remains import noted_path
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import Rest, rest_of

WAKE = "wake"
"""The verb of the event."""

OTHERS_SECONDS = 60.0
"""Seconds to wait for another process that wakes, ends or restarts the agent."""


class Woken(NamedTuple):
    """An agent that is awake. ``already``: it was so before."""

    agent: Agent
    already: bool


def wake(
    store: Store,
    name: str,
    seconds: float | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Woken:
    """Start the program of the hibernated agent ``name`` again; return once its input is ready.

    Waits for that for at most ``seconds``, by default the profile's value. Who may send it a
    message may wake it. Raises ``HeldError`` if it is frozen, or cannot continue its conversation:
    it sleeps on then; and as ``await_ready`` does if it runs and is not ready.
    """
    agent = registered(store, name, "nothing was woken")
    waits = (one.step == Step.ACCEPTED for one in store.messages.waiting(agent.identity))
    if not any(waits):
        check_permitted(store, agent, "nothing was woken")
    if agent.hibernated is None:
        return Woken(agent, True)
    refusal = f"restarts agent '{name}'"
    with alone("restart", agent.identity, refusal, "nothing was woken", OTHERS_SECONDS):
        on_step("starting its program")
        woken = _wake(store, store.agents.known_as(agent.identity) or agent)
    if not woken.already:
        profile = profile_named(agent.profile)
        limit = profile.launch.ready_timeout if seconds is None else seconds
        on_step(f"waiting up to {limit:g} s until its input is ready")
        with ControlClient(Socket(path=woken.agent.socket), woken.agent.session) as client:
            await_ready(client, store, woken.agent, profile, limit)
    return woken


def _wake(store: Store, agent: Agent) -> Woken:
    """Start its program, unless somebody else has. The agent's lock is held."""
    nothing = f"agent '{agent.name}' was not woken"
    if agent.hibernated is None:
        return Woken(agent, True)
    if not is_without_program(agent):
        return Woken(agent, True)
    if agent.frozen is not None:
        hint = f"'torch thaw {agent.name}' lets it go on."
        raise HeldError(f"{nothing}: it is frozen", hint=hint, code="frozen")
    close_leftovers(store, agent)
    if rest_of(store, agent) is Rest.NONE:
        hint = f"'torch restart {agent.name}' starts it in a new window."
        raise HeldError(f"{nothing}: its window was closed", hint=hint, code="closed")
    pane, socket = await_dead(agent), Socket(path=agent.socket)
    with _path_of(noted_path(socket, pane) if pane is not None else ""):
        plan = plan_again(store, agent)
        if plan.why_new:
            hint = f"A new conversation: torch restart {agent.name} --fresh"
            raise HeldError(f"{nothing}: {plan.why_new}", hint=hint, code="no-conversation")
        now, _ = spawn(store, socket, replace(plan.order, into=pane))
    join_team(store, now)
    detail = {"conversation": now.conversation, "slept": words(time.time() - agent.hibernated)}
    store.events.add(WAKE, now.name, detail, agent=now.identity)
    return Woken(now, False)


@contextlib.contextmanager
def _path_of(path: str) -> Iterator[None]:
    """Start programs with ``path`` as this process's ``PATH``, if it is not ''."""
    before = os.environ.get("PATH")
    if path:
        os.environ["PATH"] = path
    try:
        yield
    finally:
        if path and before is not None:
            os.environ["PATH"] = before


def await_dead(agent: Agent) -> Pane | None:
    """Return the dead pane that was kept for ``agent``, ``None`` if it is gone.

    tmux may see a moment later than Torch that a program has ended.
    """
    deadline = time.monotonic() + PANE_DIES_SECONDS
    while True:
        pane = pane_of_sleeper(agent)
        if pane is None or pane.dead or time.monotonic() > deadline:
            return pane if pane is not None and pane.dead else None
        select.select([], [], [], 0.02)  # tmux does not tell
