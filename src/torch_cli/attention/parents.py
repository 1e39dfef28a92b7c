"""Telling an agent's parent that it waits for an answer: once for each wait, while it waits.

A parent is an agent, so the words go into its outbox. A wait that is over before they were typed
takes them out again.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

from torch_cli.attention.looking import TOUCHED_SECONDS
from torch_cli.attention.notify_settings import NotifySettings, load_notify_settings
from torch_cli.attention.waits import DEALT_WITH, WAIT_KEY, take_out, wait_of
from torch_cli.delivery.post import word_to
from torch_cli.duration import words as in_words
from torch_cli.errors import TorchError
from torch_cli.intervals import INTERVALS
from torch_cli.programs.asked import answer_command
from torch_cli.programs.state import State
from torch_cli.roster.membership import superior
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import Event, since_of
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.terminals import terminals


class ParentTold(NamedTuple):
    """The ``parent`` gets a ``message`` about an ``agent`` that waits."""

    agent: str
    parent: str
    message: str


class Parents:
    """Tells parents of what waits. One scheduler has one."""

    def __init__(self) -> None:
        self._looked: float | None = None

    def run(
        self, store: Store, states: Mapping[str, str], clients: Mapping[str, ControlClient]
    ) -> list[ParentTold]:
        """Take out what is over, and tell what has waited for its time; return what was told.

        ``states`` are those that a look has found, by an agent's identity, ``clients`` the open
        connections by the socket of their server.
        """
        take_out(store)
        clock = time.monotonic()
        if self._looked is not None and clock - self._looked < INTERVALS.parents:
            return []
        self._looked = clock
        waits = [one for one in store.agents.all() if states.get(one.identity) == State.WAITING]
        below = [one for one in waits if one.parent]
        after = _settings().parent if below else 0.0
        told = (_tell(store, one, after, clients.get(one.socket)) for one in below)
        return [one for one in told if one is not None]


def _tell(
    store: Store, agent: Agent, after: float, client: ControlClient | None
) -> ParentTold | None:
    """Put words about the wait of ``agent`` into its parent's outbox, if they are due."""
    wait, parent = wait_of(store, agent.identity), superior(store, agent)
    if wait is None or parent is None or time.time() - since_of(wait) < after:
        return None
    key = f"{WAIT_KEY}{agent.identity}:{parent.identity}:{wait.id}"
    before = store.messages.with_key(key)
    if before is not None and before.reason != DEALT_WITH:
        return None
    if client is None or _is_looked_at(client, agent):
        return None
    body = _words(store, agent, wait)
    if body is None:
        return None
    if before is not None:  # it stands there again, after a look that could not tell
        store.messages.requeue(before.id, None)
        return ParentTold(agent.name, parent.name, before.id)
    try:
        message, _ = store.messages.accept(word_to(parent, body, key))
    except TorchError:  # for example, the parent's profile is gone; it is tried again
        return None
    return ParentTold(agent.name, parent.name, message.id)


def _is_looked_at(client: ControlClient, agent: Agent) -> bool:
    """Return whether a person has the agent's pane before their eyes, and may answer."""
    now = time.time()
    return any(
        one.pane == agent.pane and now - one.touched < TOUCHED_SECONDS for one in terminals(client)
    )


def _words(store: Store, agent: Agent, wait: Event) -> str | None:
    """Return what the parent is told: ``None`` if that question does not stand there just now."""
    from torch_cli.attention.answer import waiting

    try:
        shown = waiting(store, Socket(path=agent.socket), agent.name)
    except TorchError:
        return None
    one = shown.asked
    if one.digest != wait.detail.get("asked"):
        return None
    lines = [
        f"'{agent.name}' has waited for an answer for {in_words(time.time() - since_of(wait))}.",
        f"It asks: {one.words or shown.dialog.hash}",
        *(f"  {option.key}  {option.words}" for option in one.options),
        f"If that is yours to answer: {answer_command(agent.name, shown.dialog)}",
    ]
    return "\n".join(lines)


def _settings() -> NotifySettings:
    """Return the settings, the usual ones for a file that is wrong: notices report that."""
    try:
        return load_notify_settings()
    except TorchError:
        return NotifySettings()
