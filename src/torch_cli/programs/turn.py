"""Whether a program is in the middle of a turn, by its own record or its hooks.

A screen can hide work: it may be too narrow, scrolled up, or drawn without a spinner. Hooks can
leave a turn open that has ended: nothing fires on Esc, and a report can get lost. So the program's
own record decides if it keeps one. Otherwise the latest report decides, until the window has been
still for so long that nothing can be working in it.
"""

import time
from typing import Any, NamedTuple

from torch_cli.procs import Process
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AgentState, Attempt, HookEvent, State, one_line
from torch_cli.store import Store
from torch_cli.store.hooks import HookReport

QUIET_TURN_SECONDS = 20.0
"""A turn counts as ended after this many seconds without a change on the screen, in the record or
by a hook, also if no end was reported. A working program counts seconds on the screen, or writes.
"""

BEGINS = ("submitted",)
ENDS = ("idle", "failed", "exited")
"""The meanings of events that begin and that end a turn. The start of a session does not end one,
because the program also reports it when it compacts its context in the middle of a turn."""

ANEW = ("started", "compacted")
"""The meanings of events after which an earlier turn is past."""

_LATEST_MILLISECONDS = 10**14
"""Milliseconds since the epoch: the year 5138. A later time of an attempt is none."""

_GOES_ON = ("submitted", "working", "compacting", "retrying")


class TurnReport(NamedTuple):
    """Whether a turn is ``running``, the evidence in one line, and its ``source``.

    The source is ``record``, ``hook``, or ``screen`` if nothing has changed for so long.
    """

    running: bool
    evidence: str
    source: str = "record"


def event_of(
    store: Store, profile: Profile, report: HookReport | None, server: str, pane: str, since: float
) -> HookEvent | None:
    """Return the latest ``report`` of a pane as an event that says whether a turn is open.

    Reports before ``since`` (epoch seconds) do not count.
    """
    if report is None:
        return None
    events, last = profile.hooks.events, report
    if events.get(report.name) not in (*BEGINS, *ENDS):
        names = [name for name, says in events.items() if says in (*BEGINS, *ENDS)]
        last = store.hooks.last_of(server, pane, names, since) or report
    said = events.get(last.name, "")
    event = HookEvent(
        report.name, report.at, open=said in BEGINS, ended=last.at if said in ENDS else 0.0
    )
    if events.get(report.name) == "retrying":
        event = event._replace(attempt=_attempt_in(store.hooks.detail(report.id)))
    if said != "failed" or _has_begun_anew(store, profile, server, pane, last.at):
        return event
    told = store.hooks.detail(last.id)
    words = str(told.get("last_assistant_message") or told.get("error") or last.name)
    return event._replace(failed=one_line(words, 300), kind=str(told.get("error") or ""))


def _has_begun_anew(store: Store, profile: Profile, server: str, pane: str, failed: float) -> bool:
    """Whether the conversation was compacted or cleared after the turn that ``failed`` then."""
    names = [name for name, says in profile.hooks.events.items() if says in ANEW]
    return store.hooks.last_of(server, pane, names, failed) is not None


def _attempt_in(told: dict[str, Any]) -> Attempt:
    """Return the attempt that a report tells of; its time is in milliseconds there."""
    number, at = told.get("attempt"), told.get("next")
    return Attempt(
        one_line(str(told.get("message") or ""), 300),
        number if type(number) is int else None,
        at / 1000 if type(at) is int and 0 < at < _LATEST_MILLISECONDS else 0.0,
    )


def reported_at(profile: Profile, report: HookReport | None) -> float:
    """Return when ``report`` said something of the state (epoch seconds), 0 if it does not.

    A notice says nothing: Claude Code sends one six seconds after a dialog has opened.
    """
    if report is None or profile.hooks.events.get(report.name, "notice") == "notice":
        return 0.0
    return report.at


def weighed(state: AgentState, turn: TurnReport | None) -> AgentState:
    """Return ``state``, corrected by ``turn`` if the screen shows a box and no work."""
    if turn is None or not may_hide_work(state):
        return state
    if turn.running:
        return state._replace(
            state=State.WORKING, evidence=turn.evidence, rule="turn", trouble=None
        )
    if not turn.running and state.rule == "hook":
        return state._replace(state=State.IDLE, evidence=turn.evidence, rule="turn", trouble=None)
    return state


def at_home(state: AgentState, profile: Profile, process: Process | int) -> AgentState:
    """Return ``state``, or ``unknown`` if the box on the screen may belong to another session."""
    if state.box is None or not profile.answer.transcript:
        return state
    from torch_cli.programs.record import shows_another

    why = shows_another(profile.answer.transcript, process)
    if not why:
        return state
    return state._replace(state=State.UNKNOWN, evidence=why, rule="another session", trouble=None)


def may_hide_work(state: AgentState) -> bool:
    """Return whether a screen with the box does not show if the program works.

    If a rule of the profile matched, the screen shows it, and is newer than any report.
    """
    return state.box is not None and state.rule in ("box", "hook")


def turn_of(
    profile: Profile, process: Process | int, event: HookEvent | None, wrote: float
) -> TurnReport | None:
    """Return what is known of a program's turn, ``None`` if nothing is.

    ``process`` is the program's, ``event`` its latest report, and ``wrote`` the time (epoch
    seconds) at which its window last changed, 0 if that is not known.
    """
    record = None
    if profile.answer.transcript:  # most programs keep none, and loading it takes 2 ms
        from torch_cli.programs.record import record_of

        record = record_of(profile.answer.transcript, process)
    if record is not None and record.running and event is not None and event.ended > record.at:
        # It continues to say so while sub-agents that it started work in the background.
        return TurnReport(False, "the program reported the end of the turn", "hook")
    if record is not None and (record.current or not record.running):
        return TurnReport(record.running, record.evidence)
    said = profile.hooks.events.get(event.name, "") if event is not None else ""
    heard = event if event is not None and (event.open or said in _GOES_ON) else None
    if record is not None:
        at, words, source = record.at, record.evidence, "record"
    elif heard is not None:
        at, words = heard.at, f"hook: {heard.name}, and no report of the end of the turn"
        source = "hook"
    else:
        return None
    still = time.time() - max(wrote, at) if wrote else 0.0
    if still < QUIET_TURN_SECONDS:
        return TurnReport(True, words, source)
    return TurnReport(
        False,
        f"nothing has changed for {QUIET_TURN_SECONDS:.0f} s, though no end of the turn was "
        "reported",
        "screen",
    )
