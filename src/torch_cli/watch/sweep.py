"""The states of the agents on one tmux server, cheap enough for repeated looks.

A sweep asks tmux once about all panes. It reads only the screens that may have changed since the
last sweep, and classifies only those that have. Another frame of a spinner is no change, for a
while.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from torch_cli.errors import TorchError
from torch_cli.procs import Process
from torch_cli.programs.classify import classify
from torch_cli.programs.frames import differs_by_frame
from torch_cli.programs.observe import Sources, or_exited, weigh
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AgentState, HookEvent, State, one_line
from torch_cli.programs.turn import event_of, reported_at
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.hooks import HookReport
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Glance, Pane, capture_rows, look_over, screen_of
from torch_cli.watch.asleep import unless_asleep
from torch_cli.watch.reported import with_report

FRAME_SECONDS = 3.0
"""Seconds at most for which a screen that differs from the one that was read by frames of a spinner
counts as the same. Reading it takes a tenth of a millisecond, and beside 64 agents that all work
that was half of what the daemon took."""


class Seen(NamedTuple):
    """One agent as a sweep found it.

    ``reported`` is as in ``Sight``. ``wrote`` is when its window last wrote. ``error`` says why its
    state cannot be known although its pane exists: its profile cannot be read. ``rows`` is what it
    shows, colours included. ``report`` is the number of the newest report from its pane, 0 if there
    is none.
    """

    pane: Pane
    state: AgentState
    reported: float
    wrote: int = 0
    error: TorchError | None = None
    rows: str = ""
    report: int = 0


class _ShownRows(NamedTuple):
    """The rows of a pane, and the second since the epoch in which they were read."""

    glance: Glance
    rows: str
    second: int

    def is_current(self, glance: Glance) -> bool:
        """Return whether the pane certainly still shows the same.

        tmux tells to the second when a window last wrote, so the rows must have been read in a
        later second. A resize, a mode or the end of the program writes nothing, but changes the
        facts.
        """
        same = (self.glance.facts, self.glance.wrote) == (glance.facts, glance.wrote)
        return same and glance.wrote < self.second


class _Judged(NamedTuple):
    """A state, and everything that it was decided from, ``at`` that time (monotonic)."""

    facts: str
    rows: str
    report: HookReport | None
    state: AgentState
    error: TorchError | None = None
    said: str = ""
    at: float = 0.0

    def still_holds(self, facts: str, rows: str, report: HookReport | None, now: float) -> bool:
        """Return whether the same state follows from these: no others, or the next frame."""
        if self.error is not None or (self.facts, self.report) != (facts, report):
            return False
        return self.rows == rows or (
            now - self.at < FRAME_SECONDS and differs_by_frame(self.state, self.rows, rows)
        )


class Sweep:
    """Looks at agents of the server that ``client`` is connected to.

    ``store`` may be another at each look: a connection to the state file belongs to one thread.
    ``glances`` are all panes of the server at the last look.
    """

    def __init__(self, client: ControlClient, store: Store) -> None:
        self.client = client
        self.store = store
        self.glances: list[Glance] = []
        self._profiles: dict[str, Profile] = {}
        self._shown: dict[Agent, _ShownRows] = {}
        self._judged: dict[Agent, _Judged] = {}
        self._reports: dict[Agent, HookReport | None] = {}
        self._events: dict[Agent, HookEvent | None] = {}
        self._newest = -1

    def look(self, agents: Iterable[Agent]) -> dict[str, Seen]:
        """Return each of ``agents`` as it is now, by name. Agents without a pane are left out.

        The facts of a pane are a few milliseconds older than its rows. Raises ``NotFoundError`` if
        the server, or the session that the client is attached to, is gone.
        """
        self.glances = look_over(self.client)
        panes = {(g.pane.server, g.pane.id, g.pane.pid): g for g in self.glances}
        places = {agent: (agent.server, agent.pane, agent.pane_pid) for agent in agents}
        here = {agent: panes[place] for agent, place in places.items() if place in panes}
        self._read(here)
        self._hear()
        self._judged = {agent: self._judge(agent) for agent in here if agent in self._shown}
        return {
            agent.name: self._seen(agent, here[agent].pane, judged)
            for agent, judged in self._judged.items()
        }

    def _read(self, here: Mapping[Agent, Glance]) -> None:
        """Read the screens that may have changed, all in one exchange."""
        second = int(time.time())
        self._shown = {
            agent: shown
            for agent, shown in self._shown.items()
            if agent in here and shown.is_current(here[agent])
        }
        stale = [agent for agent in here if agent not in self._shown]
        captured = capture_rows(self.client, [here[agent].pane for agent in stale])
        for agent, rows in zip(stale, captured, strict=True):
            if rows is not None:
                self._shown[agent] = _ShownRows(here[agent], rows, second)

    def _hear(self) -> None:
        """Look up the latest hook report of each agent, if there is any new report."""
        newest = self.store.hooks.last_id()
        if newest != self._newest:
            self._reports.clear()
            self._newest = newest
        self._events = {one: event for one, event in self._events.items() if one in self._shown}
        for agent in self._shown:
            if agent not in self._reports:
                place, besides = (agent.server, agent.pane), self._aside(agent.profile)
                self._reports[agent] = self.store.hooks.latest(
                    *place, since=agent.created, besides=besides
                )

    def _aside(self, profile: str) -> Sequence[str]:
        """Return the events of ``profile`` that say nothing of a turn; none if it is unreadable."""
        try:
            return self._profile(profile).hooks.aside
        except TorchError:
            return ()

    def _judge(self, agent: Agent) -> _Judged:
        """Return the state that the screen and the latest report make."""
        shown, report = self._shown[agent], self._reports[agent]
        basis = (shown.glance.facts, shown.rows, report)
        before = self._judged.get(agent)
        if before is not None and before.still_holds(*basis, time.monotonic()):
            return before
        try:
            profile = self._profile(agent.profile)
        except TorchError as error:
            return _Judged(*basis, state_unknown(error), error)
        place = (agent.server, agent.pane, agent.created)
        event = self._events[agent] = event_of(self.store, profile, report, *place)
        screen = screen_of(shown.glance.facts, shown.rows)
        state = classify(screen, profile, event)
        return _Judged(*basis, state, said=screen.said, at=time.monotonic())

    def _profile(self, name: str) -> Profile:
        if name not in self._profiles:
            self._profiles[name] = profile_named(name)
        return self._profiles[name]

    def _seen(self, agent: Agent, pane: Pane, judged: _Judged) -> Seen:
        report, state = self._reports[agent], judged.state
        wrote, rows = self._shown[agent].glance.wrote, self._shown[agent].rows
        said = 0.0
        if judged.error is None:
            profile, event = self._profile(agent.profile), self._events.get(agent)
            program = Process(agent.program_pid, agent.program_started)
            sources = Sources(program, event, wrote, rows)
            state = weigh(state, sources, self.store, profile, lambda: agent)
            if judged.said:
                state = with_report(self.store, pane, state, judged.said)
            if agent.program_pid != agent.pane_pid:  # else tmux tells
                state = or_exited(state, program)
            said = reported_at(profile, report)
        if agent.hibernated is not None:
            state = unless_asleep(agent, state)
        newest = report.id if report is not None else 0
        return Seen(pane, state, said, wrote, judged.error, rows, newest)


def state_unknown(error: TorchError) -> AgentState:
    """Return the state of a target that Torch cannot look at because of ``error``."""
    return AgentState(State.UNKNOWN, one_line(error.message), "error")
