"""What ``torch ps`` prints. It imports no click: agents and scripts ask for the list all day."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch_cli.cli.common import Common
from torch_cli.cli.table import Column, TableForm
from torch_cli.errors import DONE

if TYPE_CHECKING:
    from torch_cli.cli.table import Paper
    from torch_cli.store import Store
    from torch_cli.store.briefings import Briefed
    from torch_cli.watch.listing import Line, Lookout
    from torch_cli.watch.strangers import Stranger

AGENT_COLUMNS = (
    Column("name", 0, 24),
    Column("state", 0, 0, "state"),
    Column("since", 1, 0),
    Column("role", 5, 12),
    Column("profile", 6, 0),
    Column("pane", 4, 8, "end"),
    Column("directory", 3, 14, "path"),
    Column("message", 7, 0, heading="LAST MESSAGE"),
    Column("message-id", 8, 0, heading="ITS ID"),
    Column("briefed", 9),
    Column("evidence", 10, 20, below=True),
    Column("protection", 11, 20, below=True),
    Column("server", 12, 12, "path", below=True),
)

_STRANGER_COLUMNS = (
    Column("pane", 2, 8, "end"),
    Column("state", 0, 0, "state"),
    Column("program", 3, 0),
    Column("directory", 4, 12, "path"),
    Column("command", 0, 0, heading="REGISTER IT WITH"),
)


def show(common: Common, look: TableForm, *, watch: bool = False) -> int:
    """Print the list, or with ``watch`` show it until a person ends that; return the exit status.

    Raises ``RefusedError`` if it cannot be watched here.
    """
    from torch_cli.cli.present import note
    from torch_cli.cli.table import paper
    from torch_cli.store import Store
    from torch_cli.watch.listing import Lookout, nobody

    with Store() as store, Lookout(store) as lookout:
        if watch:
            return _watch(store, lookout, common, look)
        found = _find(store, lookout, common)
    if common.json:
        _print_json(found.lines)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in found.drawn(look, paper())))
        sys.stdout.flush()
        _explain(found.lines)
    for words in found.notes:
        note(f"torch: {words}", quiet=common.quiet)
    if not found.lines and not found.strangers:
        words = nobody(common.socket)
        note(words, quiet=common.quiet or common.json)
    return found.status


class _Found(NamedTuple):
    """The agents, and what else a person should know."""

    lines: "list[Line]"
    strangers: "list[Stranger]"
    notes: list[str]

    def drawn(self, look: TableForm, on: "Paper") -> list[str]:
        """Return what is printed on stdout."""
        below = drawn_strangers(self.strangers, look, on)
        agents = drawn_list(self.lines, look, on)
        return [*agents, *([""] if agents and below else []), *below]

    @property
    def status(self) -> int:
        """The exit status."""
        return next((line.error.exit_code for line in self.lines if line.error), DONE)


def _find(store: "Store", lookout: "Lookout", common: Common) -> _Found:
    from torch_cli.cli.present import printable
    from torch_cli.watch.listing import agents_on, list_agents
    from torch_cli.watch.strangers import strangers

    lines = list_agents(store, agents_on(store, common.socket), lookout)
    unknown = [] if common.json or common.quiet else strangers(store, common.socket, lookout)
    lost = len(store.messages.undelivered(untold=True))
    overdue = store.overdue()
    notes = [
        f"{line.agent.name} is unknown: {printable(line.evidence)}. {line.advice}"
        for line in lines
        if line.advice
    ]
    if unknown and not sys.stdout.isatty():
        one, several = "1 pane looks like an agent and is", "panes look like agents and are"
        words = one if len(unknown) == 1 else f"{len(unknown)} {several}"
        notes.append(f"{words} not registered: torch adopt --all")
    if lost:
        words = "1 message" if lost == 1 else f"{lost} messages"
        notes.append(f"{words} did not arrive: torch outbox list")
    if overdue:
        words = "1 check-in is" if overdue == 1 else f"{overdue} check-ins are"
        ways = "'torch checkin list' shows them, 'torch checkin remove NAME' removes one"
        notes.append(f"{words} overdue: {ways}")
    return _Found(lines, unknown, notes)


def _watch(store: "Store", lookout: "Lookout", common: Common, look: TableForm) -> int:
    """Show the list until a person ends that."""
    from torch_cli.cli.watching import check_watchable, watch

    check_watchable(common, "torch events --follow")

    def draw(on: "Paper") -> list[str]:
        found = _find(store, lookout, common)
        lines = found.drawn(look, on) or ["no agents; 'torch spawn NAME' starts one"]
        errors = dict.fromkeys(line.error for line in found.lines if line.error)
        words = [error.message for error in errors if error] + found.notes
        return [*lines, *(["", *map(on.shows, words)] if words else [])]

    watch(draw)
    return DONE


def _print_json(lines: "Sequence[Line]") -> None:
    from torch_cli.cli.present import print_json
    from torch_cli.cli.schema import agent_object

    for line in lines:
        print_json(agent_object(line))


def _explain(lines: "Sequence[Line]") -> None:
    """Say why Torch could not look at some agents, once for each reason."""
    from torch_cli.cli.present import print_error
    from torch_cli.errors import TorchError

    for error in dict.fromkeys(line.error for line in lines if line.error):
        names = ", ".join(line.agent.name for line in lines if line.error is error)
        print_error(TorchError(f"{names}: {error.message}", hint=error.hint), as_json=False)


def drawn_list(lines: "Sequence[Line]", look: TableForm, on: "Paper") -> list[str]:
    """Return the lines of the table: on a terminal who needs a person comes first."""
    from torch_cli.cli.table import drawn

    if not lines:
        return []
    now = time.time()
    ordered = sorted(lines, key=_urgency) if on.width is not None else lines
    return drawn(AGENT_COLUMNS, [_row(line, now) for line in ordered], look, on)


def drawn_strangers(found: "Sequence[Stranger]", look: TableForm, on: "Paper") -> list[str]:
    """Return the lines below the list; none for a pipe, which has one table."""
    from torch_cli.cli.cells import cut
    from torch_cli.cli.table import drawn

    if not found or on.width is None:
        return []
    rows = [
        [
            f"{one.pane.place} {one.pane.id}",
            str(one.state.shown),
            one.profile.title or one.profile.name,
            one.directory,
            " ".join(one.command),
        ]
        for one in found
    ]
    table = drawn(_STRANGER_COLUMNS, rows, TableForm(wide=look.wide), on)
    title = "NOT REGISTERED ('torch adopt --all' asks you about each)"
    return [cut(title, on.width, mark=on.mark), *table]


def _urgency(line: "Line") -> tuple[int, float]:
    """Return the place of an agent in the list: by group, who waits for a person by age."""
    from torch_cli.attention.groups import GROUPS, URGENT, group_of

    group = group_of(line.state)
    return GROUPS.index(group), (line.since or 0.0) if group in URGENT else 0.0


def _row(line: "Line", now: float) -> list[str]:
    from torch_cli.cli.present import age
    from torch_cli.cli.schema import shown_state

    agent, message = line.agent, line.message
    sent = f"{shown_state(message)} {age(now - message.stands_since)} ago" if message else ""
    return [
        agent.name,
        line.shown,
        age(now - line.since) if line.since else "",
        agent.role,
        agent.profile,
        f"{agent.session}:{agent.window} {agent.pane}",
        agent.directory,
        sent,
        message.id if message else "",
        _briefed(line.briefed, now),
        line.evidence,
        line.safety.sentence if line.safety else "",
        agent.socket,
    ]


def _briefed(one: "Briefed | None", now: float) -> str:
    from torch_cli.cli.present import age

    if one is None:
        return ""
    if one.acknowledged is None:
        return f"{one.name}, not acknowledged"
    return f"{one.name}, acknowledged {age(now - one.acknowledged)} ago"
