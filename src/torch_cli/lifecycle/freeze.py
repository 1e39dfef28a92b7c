"""Freezing agents: they stop, and nothing is done to them until a person thaws them.

That an agent is frozen is in the store, and holds its messages, restarts and tasks from that moment
on. Only then is its turn interrupted, so that nothing begins a new one.
"""

import time
from typing import NamedTuple

from torch_cli.errors import NotFoundError, TorchError
from torch_cli.pressing.interrupt import Interruption, interrupt
from torch_cli.programs.state import State
from torch_cli.roster.asleep import is_without_program
from torch_cli.roster.authority import check_outside, check_over
from torch_cli.roster.registry import find, registered
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import FREEZE
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import lives

THAW = "thaw"
"""The verb of the event of a thaw."""


class Frozen(NamedTuple):
    """An agent that is frozen now. ``already``: it was so before.

    ``turn`` is what became of its turn, ``None`` if that was not to be interrupted, or its pane is
    gone. ``waiting`` is how many messages wait for it.
    """

    agent: Agent
    already: bool
    turn: Interruption | None
    waiting: int

    @property
    def works_on(self) -> bool:
        """Whether its program may still work, although it was to be interrupted."""
        return self.turn is not None and bool(self.turn.why)


class Thawed(NamedTuple):
    """An agent that is not frozen any more. ``already``: it was not frozen.

    ``cut`` says that its turn was interrupted: it does not go on by itself. ``waiting`` is how many
    messages wait for it, and ``held`` why they go on waiting, '' if they are delivered now.
    """

    agent: Agent
    already: bool
    cut: bool
    waiting: int
    held: str = ""


def freeze(store: Store, name: str, *, interrupts: bool = True) -> Frozen:
    """Freeze the agent ``name``, and interrupt its turn if it works.

    Raises ``NotFoundError`` if there is no such agent, ``RefusedError`` if the agent that runs this
    process has no right over it; nothing was frozen then.
    """
    agent = registered(store, name, "nothing was frozen")
    check_over(store, agent, FREEZE)
    if interrupts:
        check_outside(agent, "frozen")
    changed = store.agents.freeze(agent, time.time())
    turn = _interrupt(store, agent) if interrupts else None
    if changed or (turn is not None and turn.ended):
        detail = {"interrupted": bool(turn and turn.ended), "why": turn.why if turn else ""}
        store.events.add(FREEZE, name, detail, agent=agent.identity)
    now = store.agents.known_as(agent.identity) or agent
    return Frozen(now, not changed, turn, len(store.messages.waiting(agent.identity)))


def _interrupt(store: Store, agent: Agent) -> Interruption | None:
    if is_without_program(agent):
        return Interruption(State.HIBERNATED)
    try:
        found = find(store, Socket(path=agent.socket), agent.name)
    except NotFoundError as missing:
        if missing.code == "vanished":
            return None
        return Interruption(State.UNKNOWN, why=missing.message)
    return interrupt(store, found)


def thaw(store: Store, name: str) -> Thawed:
    """Let the agent ``name`` go on: what was held is done now, in its order.

    Raises as ``freeze`` does.
    """
    agent = registered(store, name, "nothing was thawed")
    check_over(store, agent, THAW)
    changed = store.agents.freeze(agent, None)
    if changed:
        for task in store.tasks.all():
            if task.agent == agent.identity:  # the time that it was frozen is no silence
                store.tasks.touch(task, time.time())
    cut = changed and _was_cut(store, agent)
    if changed:
        store.events.add(THAW, name, {"interrupted": cut}, agent=agent.identity)
    now = store.agents.known_as(agent.identity) or agent
    waiting = len(store.messages.waiting(agent.identity))
    return Thawed(now, not changed, cut, waiting, _held(store, now) if waiting else "")


def _held(store: Store, agent: Agent) -> str:
    """Return why messages for ``agent`` are not delivered although it is not frozen."""
    try:
        if lives(store, agent):
            return ""
    except TorchError as error:
        return error.message
    if agent.origin != "spawned":
        return "its program has ended"
    return f"its program has ended; 'torch restart {agent.name}' starts it"


def _was_cut(store: Store, agent: Agent) -> bool:
    """Return whether a turn of ``agent`` was interrupted since it was frozen."""
    since = (agent.frozen or 0.0) - 1.0  # the event follows the record
    events = store.events.read(
        name=agent.name, agent=agent.identity, verbs=[FREEZE], since=since, newest=True, limit=10
    )
    return any(event.detail.get("interrupted") for event in events)
