"""Whether a program is in the middle of a turn by its own word: its record, its hooks.

A screen can hide work: it is too narrow, scrolled up, or drawn without a spinner. And hooks can
leave a turn open that has ended: nothing fires on Esc, and a report can get lost. So the program's
own record decides where it keeps one; else the latest report does, until the window has been still
for so long that nothing can be working in it.
"""

import time
from typing import NamedTuple

from torch_cli.procs import Process
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AgentState, HookEvent, State
from torch_cli.store import Store
from torch_cli.store.hooks import Report

STILL = 20.0
"""Seconds without a change on the screen, in the record or by a hook, after which a turn counts as
ended though nobody reported its end. A working program shows the seconds that pass, or writes."""

BEGINS = ("submitted",)
ENDS = ("idle", "failed", "exited")
"""What an event must say to begin or to end a turn. A session that is started ends none: the
program reports that when it compacts its context in the middle of one, too."""

_GOES_ON = ("submitted", "working")


class Turn(NamedTuple):
    """Whether a turn is ``running``, and by whose word, in one line."""

    running: bool
    evidence: str


def event_of(
    store: Store, profile: Profile, report: Report | None, socket: str, pane: str, since: float
) -> HookEvent | None:
    """Return the latest ``report`` of a pane as an event that says whether a turn is open.

    Reports before ``since`` (epoch seconds) do not count.
    """
    if report is None:
        return None
    events, last = profile.hooks.events, report
    if events.get(report.name) not in (*BEGINS, *ENDS):
        names = [name for name, says in events.items() if says in (*BEGINS, *ENDS)]
        last = store.hooks.last_of(socket, pane, names, since) or report
    said = events.get(last.name, "")
    return HookEvent(
        report.name, report.at, open=said in BEGINS, ended=last.at if said in ENDS else 0.0
    )


def weighed(state: AgentState, turn: Turn | None) -> AgentState:
    """Return ``state``, or what ``turn`` makes of it where the screen shows a box and no work."""
    if turn is None or not may_hide_work(state):
        return state
    if turn.running:
        return state._replace(state=State.WORKING, evidence=turn.evidence, rule="turn")
    if not turn.running and state.rule == "hook":
        return state._replace(state=State.IDLE, evidence=turn.evidence, rule="turn")
    return state


def at_home(state: AgentState, profile: Profile, process: Process | int) -> AgentState:
    """Return ``state``, or ``unknown`` if the box on the screen may be another session's."""
    if state.box is None:
        return state
    from torch_cli.programs.record import shows_another

    why = shows_another(profile.answer.transcript, process)
    if not why:
        return state
    return state._replace(state=State.UNKNOWN, evidence=why, rule="another session")


def may_hide_work(state: AgentState) -> bool:
    """Say whether a screen with the box on it leaves open if the program works.

    What a rule of the profile found is on the screen, and is newer than any report.
    """
    return state.box is not None and state.rule in ("box", "hook")


def turn_of(
    profile: Profile, process: Process | int, event: HookEvent | None, wrote: float
) -> Turn | None:
    """Return what is known of the turn of a program, ``None`` if nothing is.

    ``process`` is the program's, ``event`` its latest report, and ``wrote`` the time (epoch
    seconds) at which its window last changed, 0 if that is not known.
    """
    from torch_cli.programs.record import record_of

    record = record_of(profile.answer.transcript, process)
    if record is not None and record.running and event is not None and event.ended > record.at:
        # It goes on saying so while helpers that it started work in the background.
        return Turn(False, "the program reported the end of the turn")
    if record is not None and (record.current or not record.running):
        return Turn(record.running, record.evidence)
    said = profile.hooks.events.get(event.name, "") if event is not None else ""
    heard = event if event is not None and (event.open or said in _GOES_ON) else None
    if record is not None:
        at, words = record.at, record.evidence
    elif heard is not None:
        at, words = heard.at, f"hook: {heard.name}, and no report of the end of the turn"
    else:
        return None
    still = time.time() - max(wrote, at) if wrote else 0.0
    if still < STILL:
        return Turn(True, words)
    return Turn(
        False, f"nothing has changed for {STILL:.0f} s, though no end of the turn was reported"
    )
