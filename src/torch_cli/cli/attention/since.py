"""``torch since``."""

import time
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options

if TYPE_CHECKING:
    from torch_cli.attention.needs import Need
    from torch_cli.attention.summary import Happening, Summary
    from torch_cli.store import Store

FIRST_LOOK_SECONDS = 86_400.0
"""Seconds that the summary goes back for a person who was never away: a day."""

MOST_LINES = 20
"""Lines at most: a screen is taken in at one look."""

_MORE = "… and "
"""How the row begins that stands for the rows without room."""

PART_LABELS = {
    "needs": "NEEDS YOU",
    "done": "DONE",
    "failed": "FAILED",
    "committed": "COMMITTED",
    "late": "LATE",
}
"""The parts, in their order, and what stands in front of each."""


@click.command("since")
@click.argument("moment", metavar="[DURATION|TIME]", nargs=-1)
@common_options
def command(common: Common, moment: tuple[str, ...]) -> None:
    """Sum up what happened in twenty lines: who needs you, what was done, what failed, what was
    committed, and what came late.

    It begins when you were last here, before you were away for ten minutes or longer; at first a
    day ago. With DURATION it begins so long ago (90s, 2h, 1d), with TIME then: 09:00, today,
    yesterday, 2026-12-01. You are here when you type a torch
    command in a terminal or, if a daemon runs, any key in a terminal that is attached to a server
    with agents. The commands of agents and of scripts do not count.

    Who needs you is looked up now; the rest comes from the history. Commits are those of 'torch
    commit', and those that git finds in the directories of your agents. A check-in is late after a
    minute, a message after five. With --json, one object with all of it.

    \b
    Examples:
      torch since
      torch since 2h
      torch since yesterday
      torch since 1d --json | jq -r '.failed[].words'
    """
    from torch_cli.attention.needs import needs
    from torch_cli.attention.summary import summary
    from torch_cli.cli.present import note, print_json, unscheduled
    from torch_cli.store import Store
    from torch_cli.watch.listing import agents_on

    with Store() as store:
        since, why = _begin(store, " ".join(moment))
        waiting = [one for one in needs(store, common.socket) if one.urgent]
        found = summary(store, since, agents_on(store, common.socket))
        missing = unscheduled(store)
    if common.json:
        print_json(_object(found, waiting, why))
        return
    _print(found, waiting, why)
    if found.begins > since:
        note("  too much has happened: what was before is left out", quiet=common.quiet)
    if missing:
        note(f"torch: states of agents are not written: {missing}", quiet=common.quiet)


def _begin(store: "Store", moment: str) -> tuple[float, str]:
    """Return from when on (epoch seconds), and what decided that."""
    from torch_cli.attention.presence import left_at
    from torch_cli.moment import passed

    now = time.time()
    if moment:
        return passed(moment, now), "duration"
    left = left_at(store, now)
    return (left, "away") if left is not None else (now - FIRST_LOOK_SECONDS, "first")


def _object(found: "Summary", waiting: "list[Need]", why: str) -> dict[str, Any]:
    """Return the summary under its published schema."""
    from torch_cli.cli.attention.status_shown import need_object
    from torch_cli.cli.schema import timestamp

    parts = {name: getattr(found, name) for name in PART_LABELS if name != "needs"}
    return {
        "schema": "torch.since/1",
        "since": timestamp(found.begins),
        "because": why,
        "needs": [need_object(one) for one in waiting],
        **{name: [_item(one) for one in items] for name, items in parts.items()},
    }


def _item(one: "Happening") -> dict[str, Any]:
    from torch_cli.cli.schema import timestamp

    return {"at": timestamp(one.at), "who": one.who or None, "words": one.words}


def _print(found: "Summary", waiting: "list[Need]", why: str) -> None:
    from torch_cli.attention.summary import shares
    from torch_cli.cli.present import age, printable, say

    now = time.time()
    because = ", when you were last here" if why == "away" else ""
    say(f"Since {_clock(found.begins, now)} ({age(now - found.begins)} ago{because})")
    parts = {"needs": [_need(one, now) for one in waiting]}
    for name in PART_LABELS:
        if name != "needs":
            items = getattr(found, name)
            parts[name] = [_row(one, now) for one in items]
    given = shares([len(rows) for rows in parts.values()], MOST_LINES - 1)
    for (name, rows), room in zip(parts.items(), given, strict=True):
        if len(rows) > room:  # the oldest are left out; of those who wait, those who wait least
            left = len(rows) - room + 1
            kept = rows[: room - 1] if name == "needs" else rows[left:]
            more = f"{_MORE}{left} more: {_more(name, now - found.begins)}"
            rows = [*kept, more] if name == "needs" else [more, *kept]
        for number, row in enumerate(rows):
            label = PART_LABELS[name] if number == 0 else ""
            shown = f"{label:<9}  {printable(row)}"
            # A command is never cut or folded: it is there to be copied, and counts as one line.
            say(shown if row.startswith(_MORE) else _fitted(shown), exact=True)
    if not any(parts.values()):
        say("nobody needs you, and nothing happened")


def _need(one: "Need", now: float) -> str:
    from torch_cli.cli.present import age

    waited = f" for {age(now - one.since)}" if one.since is not None else ""
    return f"{one.agent.name}  {one.state.state.shown}{waited}  {one.words}"


def _row(one: "Happening", now: float) -> str:
    return "  ".join(filter(None, (_clock(one.at, now), one.who, one.words)))


def _clock(at: float, now: float) -> str:
    """Return the time of day, with the date if it is another day."""
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%m-%d %H:%M", then)


def _more(name: str, seconds: float) -> str:
    """Return the command that shows the whole of a part."""
    kinds = {
        "done": ["task", "answer", "agent"],
        "failed": ["message"],
        "committed": ["commit"],
        "late": ["checkin"],
    }
    if name == "needs":
        return "torch status"
    return f"torch events --since {int(seconds // 60) + 1}m --kind {','.join(kinds[name])}"


def _fitted(row: str) -> str:
    """Return ``row``, on a terminal cut to its width: folded it would be more lines."""
    import sys

    from torch_cli.cli.cells import cut
    from torch_cli.cli.present import terminal_size

    return cut(row, terminal_size().columns) if sys.stdout.isatty() else row
