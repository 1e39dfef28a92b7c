"""How check-ins and their runs are shown: lines and tables for people, objects for programs."""

import time
from typing import TYPE_CHECKING, Any

from torch_cli.cli.common import Common
from torch_cli.cli.table import Column, TableForm

if TYPE_CHECKING:
    from torch_cli.store import Store
    from torch_cli.store.checkin import Checkin, Run
    from torch_cli.store.messages import Message

FIRINGS = 3
"""How many of the next firings are shown."""

NOTE_CHARACTERS = 40
"""How many characters of a note are in its line of the list."""

CHECKIN_COLUMNS = (
    Column("name", 0, 24),
    Column("to", 0, 12),
    Column("next", 0, 0),
    Column("at", 4, 0),
    Column("when", 1, 12),
    Column("last", 2, 0, "state", heading="LAST RUN"),
    Column("note", 3, 12),
)

LONG_LIST_ROWS = 200
"""From this many rows on a list says of a last run only whether it was sent: each outcome is read
from the message.
"""


def print_added(store: "Store", checkin: "Checkin", pane: str, now: float, common: Common) -> None:
    """Print a new check-in with its next firings, and whether anything will fire it.

    How far away they are is counted from ``now``, at which it was made (epoch seconds).
    """
    from torch_cli.cli.present import note, say, unscheduled
    from torch_cli.schedule.checkin import upcoming
    from torch_cli.schedule.trigger import show

    say(f"{checkin.name}  {checkin.id}  {checkin.to.name} ({pane})")
    for at in upcoming(checkin, FIRINGS):
        say(f"  {show(at, checkin.trigger.zone)}  {ahead(at, now)}")
    if missing := unscheduled(store):
        note(f"  {missing}", quiet=common.quiet)


def ahead(at: float, now: float | None = None) -> str:
    """Return how far away a moment is from ``now``, in words."""
    from torch_cli import duration

    left = at - (time.time() if now is None else now)
    return f"in {duration.words(left)}" if left > 0 else f"{duration.words(-left)} ago"


def print_list(
    checkins: "list[Checkin]",
    runs: "dict[str, Run]",
    messages: "dict[str, Message]",
    look: TableForm,
) -> None:
    """Print check-ins as a table."""
    from torch_cli.cli.table import print_table
    from torch_cli.programs.state import one_line

    rows = []
    for one in checkins:
        run = runs.get(one.id)
        last = outcome(run, messages.get(run.id)) if run else ""
        cells = [one.name, one.to.name, *_next(one), when(one), last]
        rows.append([*cells, one_line(one.note, NOTE_CHARACTERS)])
    print_table(CHECKIN_COLUMNS, rows, look)


def when(checkin: "Checkin") -> str:
    """Return the rule of a check-in in words."""
    from torch_cli.schedule.trigger import describe

    remaining = checkin.bounds.remaining
    left = "" if remaining is None else f", {remaining} left"
    return describe(checkin.trigger) + left


def _next(checkin: "Checkin") -> tuple[str, str]:
    """Return how far away the next firing is, and when that is; else its state, and ''."""
    from torch_cli.schedule.trigger import show

    if checkin.due is None or checkin.state != "active":
        return checkin.state, ""
    clock = show(checkin.due, checkin.trigger.zone).partition(" (")[0].split(" ", 1)[1]
    return ahead(checkin.due), clock


def outcome(run: "Run", message: "Message | None") -> str:
    """Return the outcome of a run in a word or two: of its message, if it has one."""
    from torch_cli.cli.schema import shown_state

    return shown_state(message) if run.state == "sent" and message else run.state


def run_line(
    run: "Run", checkin: "Checkin", message: "Message | None", *, named: bool = True
) -> str:
    """Return one run as a line of the history, ``named`` with the check-in's name."""
    from torch_cli.schedule.delay import lateness
    from torch_cli.schedule.trigger import show

    due = show(run.due, checkin.trigger.zone).partition(" (")[0]
    words = [due, *([checkin.name] if named else []), outcome(run, message)]
    words += [f"to {run.recipient}"] if run.recipient else []
    words += [run.message] if run.message else []
    words += list(filter(None, [lateness(run.fired - run.due, run.delay)]))
    words += [f"for {run.coalesced + 1} moments"] if run.coalesced else []
    words += [run.reason] if run.reason else []
    return "  ".join(words)


def print_changed(checkin: "Checkin", done: str, common: Common) -> None:
    """Print a check-in that was changed; ``done`` says how."""
    from torch_cli.cli.present import print_json, say

    if common.json:
        print_json(checkin_object(checkin, None))
    else:
        away, clock = _next(checkin)
        following = f"{away}, {clock}" if clock else ""
        say("  ".join(filter(None, [done, checkin.name, checkin.to.name, following])))


def message_of(store: "Store", run: "Run") -> "Message | None":
    """Return the message of a run, ``None`` if it has none."""
    return store.messages.get(run.message) if run.message else None


def last_run(store: "Store", checkin: "Checkin") -> "tuple[Run, Message | None] | None":
    """Return the last run of a check-in and its message, if it has had one."""
    runs = store.checkins.history(checkin.id, 1)
    return (runs[0], message_of(store, runs[0])) if runs else None


def checkin_object(checkin: "Checkin", last: "tuple[Run, Message | None] | None") -> dict[str, Any]:
    """Return a check-in under its published schema; ``last`` is its last run and the message."""
    from torch_cli.cli.schema import timestamp
    from torch_cli.schedule.checkin import upcoming

    return {
        "schema": "torch.checkin/1",
        "id": checkin.id,
        "name": checkin.name,
        "target": checkin.to.name,
        "pane": checkin.to.at.pane,
        "note": checkin.note,
        "kind": checkin.trigger.kind,
        "expression": checkin.trigger.expression,
        "timezone": checkin.trigger.zone,
        "state": checkin.state,
        "next": [timestamp(at) for at in upcoming(checkin, FIRINGS)],
        "until": timestamp(checkin.bounds.until),
        "remaining": checkin.bounds.remaining,
        "jitter_s": checkin.bounds.jitter,
        "grace_s": checkin.bounds.grace,
        "if": checkin.condition,
        "fallback": checkin.fallback.name or None,
        "creator": checkin.creator.name or None,
        "created": timestamp(checkin.created),
        "last": run_object(last[0], checkin, last[1]) if last else None,
    }


def run_object(run: "Run", checkin: "Checkin", message: "Message | None") -> dict[str, Any]:
    """Return a run under its published schema."""
    from torch_cli.cli.schema import timestamp

    return {
        "schema": "torch.run/1",
        "id": run.id,
        "checkin": checkin.name,
        "due": timestamp(run.due),
        "fired": timestamp(run.fired),
        "late_s": round(max(0.0, run.fired - run.due), 3),
        "delay": run.delay or None,
        "coalesced": run.coalesced,
        "state": run.state,
        "outcome": outcome(run, message),
        "reason": run.reason or None,
        "message": run.message or None,
        "recipient": run.recipient or None,
    }
