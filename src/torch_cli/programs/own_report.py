"""What a program says of itself in an option of its pane: for programs that no profile can read.

``torch report`` writes the option, and any script may: ``STATE``, then perhaps the time in seconds
since the epoch, then perhaps words. It counts only where the screen tells nothing, and only for
what Torch shows. A delivery never reads it, so it cannot make Torch type.
"""

import re
import time
from typing import NamedTuple

from torch_cli import duration
from torch_cli.programs.state import UNKNOWN_DIALOG, UNREAD, AgentState, OwnReport, State, one_line

OPTION = "@torch_state"
"""The option of the pane."""

REPORTABLE = (State.STARTING, State.IDLE, State.WORKING, State.WAITING, State.LIMITED)
"""The states that a program can report. Whether it has ended, tmux and the system tell."""

STALE_SECONDS = 600.0
"""Seconds after which a report does not count any more: its program may have forgotten it."""

LONGEST_WORDS = 200
"""Characters of the words that are kept."""

AHEAD_SECONDS = 60.0
"""Seconds by which a report's time may be in the future. Later ones have another unit, or none."""

_SAID = re.compile(r"([a-z]+)(?: +([0-9]{9,11})(?:\.[0-9]*)?)?(?: +(\S.*))?")
_UNTOLD = ("no box", "blank", UNREAD, UNKNOWN_DIALOG)
"""The rules of a screen that tells nothing."""


class Said(NamedTuple):
    """The option as it was read. ``at`` is in seconds since the epoch, 0 if it has no time."""

    state: State
    at: float
    words: str


def said_in(value: str) -> Said | None:
    """Return what the option's ``value`` says, ``None`` if it says no state that is known."""
    found = _SAID.fullmatch(" ".join(value.split()))
    if found is None or found[1] not in REPORTABLE:
        return None
    return Said(State(found[1]), float(found[2] or 0), one_line(found[3] or "", LONGEST_WORDS))


def value_of(said: Said) -> str:
    """Return the option's value for ``said``."""
    return " ".join(filter(None, [str(said.state), f"{said.at:.0f}", said.words]))


def report_of(said: Said, first_seen: float, now: float) -> OwnReport:
    """Return the report that ``said`` makes ``now`` (epoch seconds).

    Without a time that can be right it counts from when it was ``first_seen``.
    """
    at = said.at if 0 < said.at <= now + AHEAD_SECONDS else first_seen
    return OwnReport(said.state, at, said.words, stale=now - at >= STALE_SECONDS)


def counted(state: AgentState, report: OwnReport, now: float) -> AgentState:
    """Return ``state`` with the program's own ``report``, which decides if nothing else tells."""
    state = state._replace(report=report)
    if state.rule not in _UNTOLD:
        return state
    if report.stale:
        old = duration.words(now - report.at)
        evidence = f"its own report of '{report.state}' is {old} old; {state.evidence}"
        return state._replace(evidence=evidence)
    words = f": {report.words}" if report.words else ""
    return state._replace(state=report.state, evidence=f"its own report{words}", rule="own report")


def written_now(state: State, words: str) -> Said:
    """Return what a program says of itself now; odd characters in ``words`` become blanks."""
    plain = "".join(one if one.isprintable() else " " for one in words)
    return Said(state, time.time(), one_line(plain, LONGEST_WORDS))
