"""Whether a program that works makes progress. Only who looks all the time can tell.

A spinner is no progress, nor are the seconds that it counts. Signs are what else changes on the
screen, a report of a hook, a line in the transcript, a sub-agent or a compaction that its hooks say
goes on, and the processes that the program has started: one that began in this turn, or one that
uses the CPU. A false alarm is worse than a late one, so in doubt it makes progress.
"""

import re
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from torch_cli import duration, procs
from torch_cli.procs import Process
from torch_cli.programs.beside import beside_of
from torch_cli.programs.record import wrote_at
from torch_cli.programs.state import AgentState, State, Trouble
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.watch.sweep import Seen

NO_PROGRESS_SECONDS = 900.0
"""Seconds without a sign of progress after which a program has stalled, at least. Claude Code
(2.1.330) waited 613 s for an answer that did not come until it asked again by itself, and Codex
(0.169.0) 300 s, at a stub that sent nothing (2026-11-29)."""

LEARNT_FACTOR = 1.5
"""It is so many times the longest silence after which a program of that profile went on, if that is
more."""

MOST_SECONDS = 3600.0
"""What is learnt is not more than this: a machine may have slept, or a person may have helped."""

LEARNT_DAYS = 7.0
"""Days for which a silence counts. States are kept for longer (``store/keeping.py``)."""

REST_SECONDS = 2.0
"""Seconds for which an agent must be idle to count as at rest between two turns."""

SAMPLE_SECONDS = 5.0
"""Seconds between two looks at what a screen shows: one takes 0.1 ms."""

DEEP_SECONDS = 30.0
"""Seconds between two looks at the processes below a program: one reads all of ``/proc``."""

BUSY = 0.01
"""The part of a core that a process uses that does something. A server that waits uses less."""

_CLOCK = re.compile(r"(?<!\d)\d+(?:(?::\d\d)+|(?:\.\d+)? ?(?:h|m|s|min|sec|seconds?|minutes?)\b)")
_SIGNS = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\W_]+")


class _Below(NamedTuple):
    """The processes below a program: the CPU seconds of each, and when they were read."""

    used: Mapping[Process, float]
    at: float


class _Silence(NamedTuple):
    """How long an agent has given no sign. Times are monotonic, but for ``began`` (epoch).

    ``began`` is when it was last seen idle, before its turn began, 0 if it never was. ``shown`` is
    what its screen says, ``looked`` when that was read.
    """

    since: float
    began: float
    shown: str
    reported: float
    looked: float
    below: _Below | None = None


class Silences:
    """Watches the agents that work, look by look."""

    def __init__(self) -> None:
        self._silences: dict[str, _Silence] = {}
        self._idle: dict[str, float] = {}
        self._rested: dict[str, float] = {}
        self._learnt: dict[str, float] | None = None
        self._quiet: dict[str, float] = {}

    def weigh(self, store: Store, agent: Agent, seen: Seen, now: float) -> AgentState:
        """Return the state of ``agent`` at ``now`` (monotonic): ``stalled`` if it works without
        progress.
        """
        one = agent.identity
        if seen.state.shown is not State.WORKING:
            self._end(store, agent, now)
            self._rest(one, seen.state, now)
            return seen.state
        self._idle.pop(one, None)
        before = self._silences.get(one)
        if before is None:
            began, shown = self._rested.get(one, 0.0), said(seen.rows)
            self._silences[one] = _Silence(now, began, shown, seen.reported, now)
            return seen.state
        if now - before.looked >= SAMPLE_SECONDS or seen.reported != before.reported:
            self._silences[one] = before = self._sampled(store, agent, seen, before, now)
        quiet = now - before.since
        if quiet < NO_PROGRESS_SECONDS - 2 * DEEP_SECONDS:
            return seen.state
        return self._doubted(store, agent, seen.state, before, now)

    def quiet(self, identity: str) -> float:
        """Return for how long the agent was silent at most in its turn until now; forget it."""
        return self._quiet.pop(identity, 0.0)

    def keep(self, identities: Collection[str]) -> None:
        """Forget all other agents."""
        self._silences = {one: it for one, it in self._silences.items() if one in identities}
        self._quiet = {one: it for one, it in self._quiet.items() if one in identities}
        self._idle = {one: it for one, it in self._idle.items() if one in identities}
        self._rested = {one: it for one, it in self._rested.items() if one in identities}

    def _rest(self, identity: str, state: AgentState, now: float) -> None:
        """Note when an agent was last idle for a while; a redraw in mid-turn can look idle."""
        if state.state is not State.IDLE:
            self._idle.pop(identity, None)
        elif now - self._idle.setdefault(identity, now) >= REST_SECONDS:
            self._rested[identity] = time.time()

    # -- what is seen ------------------------------------------------------------------------------

    def _sampled(
        self, store: Store, agent: Agent, seen: Seen, before: _Silence, now: float
    ) -> _Silence:
        shown = said(seen.rows)
        after = before._replace(shown=shown, reported=seen.reported, looked=now)
        if (shown, seen.reported) == (before.shown, before.reported):
            return after
        self._learn(store, agent, now - before.since)
        return after._replace(since=now, below=None)

    def _doubted(
        self, store: Store, agent: Agent, state: AgentState, silence: _Silence, now: float
    ) -> AgentState:
        """Return the state of an agent whose screen and hooks say nothing: look deeper."""
        if silence.below is None or now - silence.below.at >= DEEP_SECONDS:
            below = _below(agent, now)
            if _goes_on(store, agent, silence, below, now):
                self._silences[agent.identity] = silence._replace(since=now, below=None)
                return state
            self._silences[agent.identity] = silence._replace(below=below)
            if silence.below is None:
                return state  # whether they do something shows the second look
        quiet = now - silence.since
        if quiet < self._patience(store, agent.profile):
            return state
        words = f"no sign of progress for {duration.words(quiet)}"
        trouble = Trouble(State.STALLED, words, source="history", silent=quiet)
        return state._replace(trouble=trouble, evidence=words)

    # -- what is learnt ----------------------------------------------------------------------------

    def _end(self, store: Store, agent: Agent, now: float) -> None:
        ended = self._silences.pop(agent.identity, None)
        if ended is not None:
            self._learn(store, agent, now - ended.since)

    def _learn(self, store: Store, agent: Agent, quiet: float) -> None:
        if quiet * LEARNT_FACTOR <= NO_PROGRESS_SECONDS:
            return
        nudge = store.stalls.last(agent.identity)
        if nudge is not None and nudge.nudged > time.time() - quiet:
            return  # it has not gone on by itself
        self._quiet[agent.identity] = max(quiet, self._quiet.get(agent.identity, 0.0))
        if self._learnt is not None:
            self._learnt[agent.profile] = max(quiet, self._learnt.get(agent.profile, 0.0))

    def _patience(self, store: Store, profile: str) -> float:
        if self._learnt is None:
            self._learnt = _learnt(store)
        learnt = self._learnt.get(profile, 0.0) * LEARNT_FACTOR
        return max(NO_PROGRESS_SECONDS, min(learnt, MOST_SECONDS))


def said(rows: str) -> str:
    """Return what a screen says: ``rows`` without colours, signs, blanks, and elapsed times."""
    return _SIGNS.sub("", _CLOCK.sub("", rows))


def _below(agent: Agent, now: float) -> _Below:
    found = procs.descendants(agent.program_pid)
    used = {one: procs.cpu_seconds(one.pid) or 0.0 for one in found}
    return _Below(used, now)


def _goes_on(store: Store, agent: Agent, silence: _Silence, below: _Below, now: float) -> bool:
    """Whether its hooks, the transcript or a process below the program show that it goes on."""
    kind = _transcript(agent)
    if beside_of(store, profile_named(agent.profile), agent):
        return True
    program = Process(agent.program_pid, agent.program_started)
    if kind and wrote_at(kind, program) > time.time() - (now - silence.since):
        return True
    if any((procs.begun(one) or 0.0) >= silence.began for one in below.used):
        return True
    if silence.below is None:
        return False
    least = BUSY * (below.at - silence.below.at)
    return any(used - silence.below.used.get(one, used) > least for one, used in below.used.items())


def _transcript(agent: Agent) -> str:
    return profile_named(agent.profile).answer.transcript


def _learnt(store: Store) -> dict[str, float]:
    """Return the longest silence of each profile that is on record, in seconds."""
    profiles = {agent.identity: agent.profile for agent in store.agents.all()}
    found: dict[str, float] = {}
    for event in store.events.quiet_states(time.time() - LEARNT_DAYS * 86_400):
        profile, quiet = profiles.get(event.agent), event.detail.get("quiet")
        if profile is not None and isinstance(quiet, int | float):
            found[profile] = max(found.get(profile, 0.0), float(quiet))
    return found
