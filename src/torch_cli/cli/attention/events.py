"""``torch events``."""

import time
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents, complete_kinds
from torch_cli.cli.options import COUNT, common_options

if TYPE_CHECKING:
    from torch_cli.attention.stream import Entry, Part, Wanted
    from torch_cli.store import Store

LAST_LOOK = "last"
"""The word for the moment of the last look."""

FIRST_LOOK_SECONDS = 86_400.0
"""Seconds that the first look goes back: a day."""

EVENTS_SHOWN = 100
"""How many events are shown if nothing says from when on."""

EVENTS_POLL_SECONDS = 0.25
"""Seconds between two looks whether anything was written: one PRAGMA, 10 µs."""

SUBJECT_COLUMNS = 10
"""Columns of an event's subject; a longer one is shown whole."""

TIME_COLUMNS = 16
"""Columns by which further rows of an event begin later: the width of its time."""


@click.command("events")
@click.option(
    "--since",
    metavar="WHEN",
    help="From so long ago on (90s, 2h, 1d), from then on (09:00, yesterday, 2026-12-01), or from "
    "your last look on (last): see below.",
)
@click.option(
    "--agent",
    metavar="NAME",
    default="",
    shell_complete=complete_agents,
    help="Only what this agent did, or what was done to it.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    shell_complete=complete_kinds,
    help="Only this kind, or KIND,KIND (repeatable): state, message, checkin, task, checkpoint, "
    "commit, restart, agent, key, team.",
)
@click.option("--follow", "-f", is_flag=True, help="Continue with what happens from now on.")
@click.option("--after", metavar="CURSOR", help="What happened after this cursor, in order.")
@click.option(
    "--limit",
    "-n",
    type=COUNT,
    metavar="N",
    help="At most N events: behind a cursor the first, else the last "
    f"({EVENTS_SHOWN} if no option says from when on).",
)
@common_options
def command(
    common: Common,
    since: str | None,
    agent: str,
    kinds: tuple[str, ...],
    follow: bool,
    after: str | None,
    limit: int | None,
) -> None:
    """Show what happened, the newest last: states of agents, messages, check-ins, tasks,
    checkpoints, commits, restarts, keys, and what was done to agents and teams.

    Changes of state are written by the daemon, within a second, or by 'torch tick', once a minute.
    '--since last' shows what has happened since you looked like this the last time, at first the
    last day; with --agent or --kind it does not count as a look.

    With --json, one object for each event, and at the end one with the cursor to continue from.
    With --after, that cursor shows what happened later. If events after it have been deleted
    meanwhile, the command fails with code cursor-expired (exit status 2).

    \b
    Examples:
      torch events --since last
      torch events --agent dev --kind state --since 2h
      torch events --follow --json | jq -r 'select(.kind == "state") | .words'
      torch events --after 3f9a1c55-1204 --limit 50 --json
    """
    from torch_cli.attention.stream import Wanted
    from torch_cli.errors import RefusedError
    from torch_cli.store import Store

    if after is not None and since is not None:
        words = "give --since or --after, not both; nothing was shown"
        raise RefusedError(words, code="usage")
    wanted = Wanted(agent, [word for kind in kinds for word in kind.split(",")])
    with Store() as store:
        part = _first(store, wanted, since, after, limit)
        for entry in part.entries:
            _print(entry, common)
        if since == LAST_LOOK and not agent and not kinds:
            _looked(store, part)
        if follow:
            _follow(store, wanted, part.cursor, common)
        _print_end(store, part, common, paged=after is not None)


def _first(
    store: "Store", wanted: "Wanted", since: str | None, after: str | None, limit: int | None
) -> "Part":
    from torch_cli.attention.stream import cursor_of, read

    if since == LAST_LOOK:
        seen = store.events.seen_by(_reader(store))
        # What was deleted since is not there to be shown; a person needs no error for that.
        if seen is not None:
            last = cursor_of(store, max(seen, store.events.stream().deleted))
            return read(store, wanted, after=last, limit=limit)
        return read(store, wanted, since=time.time() - FIRST_LOOK_SECONDS, limit=limit)
    if since is not None:
        from torch_cli.moment import passed

        return read(store, wanted, since=passed(since, time.time()), limit=limit)
    return read(store, wanted, after=after, limit=limit or (None if after else EVENTS_SHOWN))


def _reader(store: "Store") -> str:
    """Return who looks: an agent by its identity, '' for a person."""
    from torch_cli.roster.actor import actor

    who = actor(store).agent
    return who.identity if who is not None else ""


def _looked(store: "Store", part: "Part") -> None:
    from torch_cli.attention.stream import position

    store.events.saw(_reader(store), position(store, part.cursor))


def _follow(store: "Store", wanted: "Wanted", cursor: str, common: Common) -> None:
    """Show what happens until the command is interrupted, or nobody reads it any more."""
    import select

    from torch_cli.attention.stream import read
    from torch_cli.cli.progress import check_reader

    version = -1
    while True:
        check_reader()
        now = store.database.written_by_others()
        if now != version:
            version = now
            part = read(store, wanted, after=cursor)
            cursor = part.cursor
            for entry in part.entries:
                _print(entry, common)
        select.select(
            [], [], [], EVENTS_POLL_SECONDS
        )  # SQLite tells nobody when something was written


def _print(entry: "Entry", common: Common) -> None:
    from torch_cli.cli.present import print_folded, print_json
    from torch_cli.cli.table import homely, paper

    if common.json:
        print_json(event_object(entry))
        return
    at = time.strftime("%m-%d %H:%M:%S", time.localtime(entry.event.at))
    subject = _padded(homely(entry.subject, paper().home))
    print_folded(f"{at}  {subject}  {entry.kind:<10}  {entry.words}", TIME_COLUMNS)


def _padded(text: str) -> str:
    from torch_cli.cli.cells import cells

    return text + " " * max(0, SUBJECT_COLUMNS - cells(text))


def _print_end(store: "Store", part: "Part", common: Common, *, paged: bool) -> None:
    from torch_cli.cli.present import note, print_json, unscheduled

    if common.json:
        end = {"cursor": part.cursor, "more": part.more}
        print_json({"schema": "torch.events-end/1", **end})
        return
    if not part.entries:
        note("nothing happened", quiet=common.quiet)
    if part.more and paged:
        note(f"  there is more: --after {part.cursor}", quiet=common.quiet)
    elif part.more:
        note("  there are earlier events: --limit N shows more", quiet=common.quiet)
    common.tell(f"continue from here with --after {part.cursor}")
    missing = unscheduled(store)
    if missing:
        note(f"torch: states of agents are not written: {missing}", quiet=common.quiet)


def event_object(entry: "Entry") -> dict[str, Any]:
    """Return an event under its published schema."""
    from torch_cli.cli.schema import timestamp

    event = entry.event
    return {
        "schema": "torch.event/1",
        "cursor": entry.cursor,
        "at": timestamp(event.at),
        "kind": entry.kind,
        "verb": event.verb,
        "target": event.target,
        "actor": event.actor or None,
        "words": entry.words,
        "text": entry.text or None,
        "detail": event.detail,
    }
