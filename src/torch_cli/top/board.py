"""All agents at one moment, with what a person wants to see beside the state of each.

A ``Watchman`` looks again and again over connections that stay open. What changes slowly it looks
up more seldom.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch_cli.attention.needs import Need, needs
from torch_cli.errors import TorchError
from torch_cli.roster.membership import superior
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.checkin import CheckinState
from torch_cli.store.messages import Message
from torch_cli.store.tasks import TASK_HELD, Task, TaskState
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.socket import Socket
from torch_cli.top.use import Use, uses
from torch_cli.watch.listing import Lookout
from torch_cli.watch.sweep import Seen

SELDOM_SECONDS = 5.0
"""Seconds between two looks at what changes slowly: memory, processor, checkpoints."""

CHECKPOINT_EVENTS = 500
"""How many of the newest events of checkpoints are read."""


class BoardRow(NamedTuple):
    """One agent, and what a person has to do for it (``need``).

    ``pane`` and ``rows``, with colours, are what it shows; ``None`` and '' if its pane is gone.
    ``queue`` is how many messages wait for it. ``checkin`` is when its next check-in is due,
    ``checkpoint`` when the last one of its directory was made (epoch seconds, ``None`` for none).
    ``above`` is the agent that it answers to.
    """

    need: Need
    pane: Pane | None = None
    rows: str = ""
    task: Task | None = None
    message: Message | None = None
    queue: int = 0
    use: Use | None = None
    checkin: float | None = None
    checkpoint: float | None = None
    above: Agent | None = None

    @property
    def agent(self) -> Agent:
        """The agent."""
        return self.need.agent

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.need.agent.name


class Board(NamedTuple):
    """All agents at the moment ``at`` (epoch seconds), in the order of ``torch status``.

    ``lost`` are the sockets of tmux servers that have agents and do not answer. ``scheduler`` is
    the kind of the one that is at work, '' if none is. With an ``error`` Torch could not look, and
    the rows are those of before.
    """

    rows: tuple[BoardRow, ...] = ()
    at: float = 0.0
    lost: tuple[str, ...] = ()
    scheduler: str = ""
    error: TorchError | None = None


class Watchman:
    """Looks at the agents of ``socket``, or at all. It belongs to one thread."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._store: Store | None = None
        self._lookout: Lookout | None = None
        self._board = Board()
        self._slow_at = 0.0
        self._uses: Mapping[str, Use] = {}
        self._checkpoints: Mapping[str, float] = {}

    def close(self) -> None:
        """Leave all tmux servers, and close the state file."""
        if self._lookout is not None:
            self._lookout.close()
        if self._store is not None:
            self._store.close()
        self._store = self._lookout = None

    def look(self) -> Board:
        """Return the board as it is now. What goes wrong is in its ``error``."""
        try:
            self._board = self._look()
        except TorchError as error:
            self.close()
            self._board = self._board._replace(error=error)
        return self._board

    def _look(self) -> Board:
        if self._store is None or self._lookout is None:
            self._store = Store()
            self._lookout = Lookout(self._store)
        store, lookout, now = self._store, self._lookout, time.time()
        found = needs(store, self._socket, lookout)
        agents = [one.agent for one in found]
        if time.monotonic() - self._slow_at >= SELDOM_SECONDS:
            self._slow_at = time.monotonic()
            self._uses = uses({one.name: one.program_pid for one in agents}, self._uses)
            self._checkpoints = _checkpoints(store)
        queue = Counter(one.agent for one in store.messages.waiting())
        tasks, checkins = _tasks(store), _checkins(store)
        rows = tuple(
            BoardRow(
                *(one, *_shown(lookout.seen.get(one.agent.name))),
                task=tasks.get(one.agent.identity),
                message=_last_message(store, one.agent),
                queue=queue[one.agent.identity],
                use=self._uses.get(one.agent.name),
                checkin=checkins.get(one.agent.identity),
                checkpoint=_of_directory(self._checkpoints, one.agent.directory),
                above=superior(store, one.agent) if one.agent.parent else None,
            )
            for one in found
        )
        lost = sorted({one.socket for one in agents} - set(lookout.sweeps))
        held = store.lease.at_work()
        return Board(rows, now, tuple(lost), str(held.kind) if held is not None else "")


def _shown(seen: Seen | TorchError | None) -> tuple[Pane | None, str]:
    """Return the pane, and what it shows."""
    return (seen.pane, seen.rows) if isinstance(seen, Seen) else (None, "")


def _last_message(store: Store, agent: Agent) -> Message | None:
    found = store.messages.latest(recipient=agent.name, agent=agent.identity, limit=1)
    return next(iter(found), None)


def _tasks(store: Store) -> dict[str, Task]:
    """Return the task of each agent by its identity: the one it has begun, else the first."""
    held = [one for one in store.tasks.all() if one.agent and one.state in TASK_HELD]
    return {one.agent: one for one in sorted(held, key=_begun, reverse=True)}


def _begun(task: Task) -> bool:
    return task.state != TaskState.ACTIVE


def _checkins(store: Store) -> dict[str, float]:
    """Return when the next check-in of each agent is due, by its identity: not a namesake's."""
    due: dict[str, float] = {}
    for one in store.checkins.all():
        if one.due is not None and one.state is CheckinState.ACTIVE:
            due[one.to.agent] = min(one.due, due.get(one.to.agent, one.due))
    return due


def _checkpoints(store: Store) -> dict[str, float]:
    """Return when the last checkpoint of each worktree was made, by its directory."""
    made = store.events.read(verbs=("checkpoint",), limit=CHECKPOINT_EVENTS, newest=True)
    return {one.target: one.at for one in sorted(made, key=lambda one: one.at)}


def _of_directory(checkpoints: Mapping[str, float], directory: str) -> float | None:
    """Return the moment of the innermost worktree that ``directory`` is in."""
    around: Sequence[str] = [
        top for top in checkpoints if f"{directory}/".startswith(f"{top.rstrip('/')}/")
    ]
    return checkpoints[max(around, key=len)] if around else None
