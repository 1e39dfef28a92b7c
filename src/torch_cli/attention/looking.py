"""Which agents a person has looked at, and whether a turn has ended since."""

import time
from collections.abc import Iterable, Mapping, Sequence

from torch_cli.programs.state import AT_REST, AT_WORK
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import Event, since_of
from torch_cli.store.looks import ANYTHING, LOOK_RECORDED_SECONDS
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.terminals import terminals

TERMINALS_POLL_SECONDS = 1.0
"""Seconds between two questions to tmux what its terminals show. One costs 0.03 ms of CPU time, and
0.5 ms if 64 agents are looked at (2026-11-28)."""

TOUCHED_SECONDS = 300.0
"""Seconds without a key after which nobody is taken to sit at a terminal any more."""

CHANGES_READ = 20
"""Changes of state that are read to find the end of a turn, which is mostly the last."""


class Looking:
    """Asks one tmux server what its terminals show, and records who was looked at."""

    def __init__(self) -> None:
        self._asked = -TERMINALS_POLL_SECONDS
        self._noted: dict[str, float] = {}

    def note(self, store: Store, client: ControlClient, agents: Iterable[Agent]) -> None:
        """Record which of ``agents`` a person looks at now, and when a person was last here.

        That is whose pane is the active one of an attached terminal, in which a key was pressed
        not long ago. Raises ``TorchError`` if tmux does not answer.
        """
        now, clock = time.time(), time.monotonic()
        if clock - self._asked < TERMINALS_POLL_SECONDS:
            return
        self._asked = clock
        people = terminals(client)
        if not people:
            return
        self._noted = self._noted or store.looks.all()
        self._record(store, ANYTHING, min(now, max(one.touched for one in people)))
        shown = {one.pane for one in people if now - one.touched < TOUCHED_SECONDS}
        for agent in agents:
            if agent.pane in shown:
                self._record(store, agent.identity, now)

    def _record(self, store: Store, what: str, at: float) -> None:
        noted = self._noted.get(what, 0.0)
        if not 0 <= at - noted < LOOK_RECORDED_SECONDS or self._has_changed(store, what, noted):
            store.looks.note(what, at)
            self._noted[what] = at

    def _has_changed(self, store: Store, what: str, noted: float) -> bool:
        """Return whether an agent has come to be in another state since the last look."""
        last = store.events.last_state(what) if what else None
        return last is not None and since_of(last) > noted


def has_ended_a_turn(states: Sequence[Event], looked: float) -> bool:
    """Return whether an agent rests after a turn that ended after ``looked`` (epoch seconds)."""
    return turn_ended(states) > looked


def turn_ended(states: Sequence[Event]) -> float:
    """Return when the last turn of an agent that is at rest ended (epoch seconds), else 0.

    ``states`` are its last changes of state, the newest first. A turn may end by way of a question
    or of what cannot be read.
    """
    if not states or states[0].detail.get("state") not in AT_REST:
        return 0.0
    return next((since_of(one) for one in states if one.detail.get("before") in AT_WORK), 0.0)


class Unseen:
    """Knows which agents have ended a turn that nobody has looked at since. One scheduler has one.

    It reads the history of an agent only when that agent has come to be idle.
    """

    def __init__(self) -> None:
        self._rests: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    def look(self, store: Store, rests: Mapping[str, float]) -> frozenset[str]:
        """Return their identities. ``rests`` says since when each agent is at rest that is."""
        self._ended = {one: at for one, at in self._ended.items() if one in rests}
        for one, since in rests.items():
            if one not in self._ended or self._rests.get(one) != since:
                self._ended[one] = turn_ended(store.events.last_states(one, CHANGES_READ))
        self._rests = dict(rests)
        looks = store.looks.all() if any(self._ended.values()) else {}
        return frozenset(one for one, at in self._ended.items() if at > looks.get(one, 0.0))
