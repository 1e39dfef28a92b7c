"""What ``torch status`` prints. It imports no click: a status line asks every few seconds."""

import time
from typing import TYPE_CHECKING, Any

from torch_cli.cli.common import Common

if TYPE_CHECKING:
    from torch_cli.attention.needs import Need
    from torch_cli.store import Store

HEADINGS = {
    "answer": "ANSWER a question",
    "look": "LOOK: Torch cannot tell what it does, it makes no progress, or a text was left",
    "fix": "FIX what has ended, failed, or cannot be looked at",
    "done": "DONE: ended a turn, and you have not looked",
    "wait": "WAIT",
    "nothing": "NOTHING to do",
}

LINE_COLUMNS = 80
"""Columns of ``--line``."""

QUESTION_COLUMNS = 24
"""Columns that a question keeps where there is no room for what it is about."""

INDENT_COLUMNS = 4
"""Columns by which what belongs to an agent begins later."""


def show(common: Common, *, line: bool = False) -> int:
    """Print who needs a person, with ``line`` in one line; return the exit status.

    Raises ``RefusedError`` if both a line and JSON are wanted.
    """
    from torch_cli.attention.needs import needs
    from torch_cli.cli.present import note, print_json, say
    from torch_cli.errors import DONE, NEEDED, RefusedError
    from torch_cli.store import Store

    if line and common.json:
        raise RefusedError("give --line or --json, not both; nothing was shown", code="usage")
    with Store() as store:
        found = needs(store, common.socket)
        notes = [] if line or common.json else [_untold(store, found), _waiting(store, found)]
        if not (line or common.json or common.quiet):
            notes.append(_unregistered(store, common))
        alone = _nobody(store, common) if not (found or line) else ""
    if common.json:
        for one in found:
            print_json(need_object(one))
    elif line:
        say(in_one_line(found))
    elif found:
        print_needs(found)
    else:
        note(alone, quiet=common.quiet)
    for words in filter(None, notes):
        note(f"torch: {words}", quiet=common.quiet)
    return NEEDED if any(one.urgent for one in found) else DONE


def _nobody(store: "Store", common: Common) -> str:
    """Say that there are no agents, and how many panes look like some, of which nobody is told."""
    from torch_cli.watch.listing import Lookout, nobody
    from torch_cli.watch.strangers import strangers

    with Lookout(store) as lookout:
        count = len(strangers(store, common.socket, lookout))
    if not count:
        return nobody(common.socket)
    panes = "1 pane looks like an agent" if count == 1 else f"{count} panes look like agents"
    return f"no agents are registered, and {panes}: 'torch ps' lists them, 'torch adopt --all' asks"


def _unregistered(store: "Store", common: Common) -> str:
    """Say which panes ask something and have no agent, of which nobody is told; '' if none does."""
    import shlex

    from torch_cli.programs.state import State
    from torch_cli.watch.listing import Lookout
    from torch_cli.watch.strangers import strangers

    with Lookout(store) as lookout:
        found = strangers(store, common.socket, lookout)
    asking = [one for one in found if one.state.state is State.WAITING]
    if not asking:
        return ""
    first = asking[0]
    more = f", and {len(asking) - 1} more" if len(asking) > 1 else ""
    command = shlex.join(first.command)
    return f"pane {first.pane.id} ({first.pane.place}) asks, and is not registered{more}: {command}"


def _untold(store: "Store", found: "list[Need]") -> str:
    """Return why nobody is told of agents that need a person, '' if somebody is, or none does."""
    held = store.lease.current()
    if not any(one.urgent for one in found) or (held is not None and held.kind == "daemon"):
        return ""
    return "you are not told when an agent needs you: no daemon is running: 'torch daemon start'"


def _waiting(store: "Store", found: "list[Need]") -> str:
    """Return which messages wait in the outbox; if none does, what else waits for a scheduler.

    '' if nothing waits.
    """
    from collections import Counter

    from torch_cli.cli.present import unscheduled

    counted = Counter(one.recipient for one in store.messages.waiting())
    if not counted:
        return _unattended(store, found)
    names = ", ".join(f"{number} for '{name}'" for name, number in counted.items())
    missing = unscheduled(store)
    return f"messages wait: {names}; 'torch outbox list'" + (f"; {missing}" if missing else "")


def _unattended(store: "Store", found: "list[Need]") -> str:
    """Return which check-ins and agents wait for a scheduler that does not run, '' if none do."""
    from torch_cli.cli.present import unscheduled
    from torch_cli.programs.state import State

    if store.lease.at_work() is not None:
        return ""
    checkins = store.ahead()
    parts = ["1 check-in" if checkins == 1 else f"{checkins} check-ins"] if checkins else []
    # A message wakes the one, and the daemon has the other go on after the reset.
    later = (State.HIBERNATED, State.LIMITED)
    parts += [f"'{one.agent.name}'" for one in found if one.state.state.shown in later]
    missing = unscheduled(store) if parts else ""
    return f"nothing happens to {', '.join(parts)}: {missing}" if missing else ""


def need_object(one: "Need") -> dict[str, Any]:
    """Return what an agent needs under its published schema."""
    from torch_cli.cli.present import error_object
    from torch_cli.cli.schema import timestamp
    from torch_cli.programs.trouble import trouble_fields

    seen = one.state.state
    return {
        "schema": "torch.status/1",
        "name": one.agent.name,
        "do": one.group,
        "state": str(seen.shown),
        "since": timestamp(one.since),
        "evidence": seen.evidence,
        "question": one.asked.question or None,
        "about": list(one.asked.about),
        "rows": list(one.asked.rows),
        "cut": one.asked.cut,
        "dialog": seen.dialog.hash if seen.dialog is not None else None,
        "reset": seen.reset,
        "frozen": timestamp(one.agent.frozen),
        "left": one.left or None,
        "steps": [
            {"command": list(step.command), "line": step.line, "words": step.words or None}
            for step in one.steps
        ],
        "pane": one.agent.pane,
        **trouble_fields(seen.trouble),
        **({"error": error_object(one.state.error)} if one.state.error else {}),
    }


def in_one_line(found: "list[Need]") -> str:
    """Return who needs a person in one line, cut to ``LINE_COLUMNS`` columns."""
    from torch_cli.attention.groups import URGENT
    from torch_cli.cli.cells import cut
    from torch_cli.cli.present import age, printable

    urgent = [one for one in found if one.urgent]
    if not urgent:
        names = [one.group if one.group == "done" else str(one.state.state.shown) for one in found]
        counts = _counts([*names, *["frozen" for one in found if one.agent.frozen is not None]])
        return f"nobody needs you: {counts}" if found else "no agents"
    groups = [one.group for one in urgent]
    first = urgent[0]
    counted = ", ".join(f"{groups.count(name)} to {name}" for name in URGENT if name in groups)
    waited = f" {age(time.time() - first.since)}" if first.since is not None else ""
    return cut(printable(f"{counted}: {first.agent.name}{waited}: {first.words}"), LINE_COLUMNS)


def _counts(names: list[str]) -> str:
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))


def print_needs(found: "list[Need]") -> None:
    """Print who needs a person, each group below its heading.

    On a terminal a question takes three rows, whatever it says: what does not fit is cut.
    """
    from torch_cli.cli.present import age, print_folded, say
    from torch_cli.programs.state import State

    now, group = time.time(), ""
    for one in found:
        if one.group != group:
            say(f"\n{HEADINGS[one.group]}" if group else HEADINGS[one.group])
            group = one.group
        seen = one.state.state
        waited = f"for {age(now - one.since)}" if one.since is not None else ""
        reset = f"until {seen.reset}" if seen.reset else ""
        if one.group == "answer" and one.asked.options:
            _print_question(one, "  ".join(filter(None, [f"  {one.agent.name}", waited])))
            continue
        frozen = "frozen" if one.agent.frozen is not None else ""
        facts = [f"  {one.agent.name}", str(seen.shown), waited, reset, frozen]
        brief = "  ".join(filter(None, facts))
        guessed = seen.shown is State.UNKNOWN  # that it asks: its evidence says so
        question = "" if guessed else one.asked.question
        if not question and one.group not in ("done", "nothing"):
            brief += f"  {seen.evidence if guessed and not one.left else one.words}"
        print_folded(brief, INDENT_COLUMNS)
        asks = [words for words in (question, *one.asked.about) if words]
        if asks:
            say(_in_a_row("    ", asks)[0])
        for step in one.steps:
            # A command is never folded: it is there to be copied.
            print_folded(
                f"    {step.line}", INDENT_COLUMNS, behind=f"# {step.words}" if step.words else ""
            )


def _print_question(one: "Need", brief: str) -> None:
    """Print what an agent asks, its options, and the command that answers it."""
    import sys

    from torch_cli.cli.present import print_folded, say
    from torch_cli.programs.asked import TRUST_KIND, answer_command

    asked, dialog = one.asked, one.state.state.dialog
    assert dialog is not None
    takes = {"needed": " (with --text)", "possible": " (also with --text)"}
    options = [f"{each.key} {each.words}{takes.get(each.text, '')}" for each in asked.options]
    decides = asked.about[:1] if dialog.kind == TRUST_KIND else asked.about  # the directory
    if not sys.stdout.isatty():
        decides = asked.rows
    asks = [words for words in (asked.question, *decides) if words]
    rows = [_in_a_row(f"{brief}  ", asks), _in_a_row("    ", options)]
    for row, _ in rows:
        say(row)
    whole = f"# 'torch answer {one.agent.name}' shows all of it"
    if asked.cut:
        whole = f"# its pane is too low for all of it: torch attach {one.agent.name}"
    is_cut = asked.cut or len(decides) < len(asked.rows) or any(is_cut for _, is_cut in rows)
    command = answer_command(one.agent.name, dialog)
    print_folded(f"    {command}", INDENT_COLUMNS, behind=whole if is_cut else "")


def _in_a_row(before: str, parts: "list[str]") -> tuple[str, bool]:
    """Return ``parts`` in one row, and whether a terminal has no room for all of that.

    Each part is cut to as much as all have room for, so that the beginning of each is seen.
    """
    import sys

    from torch_cli.attention.summary import shares
    from torch_cli.cli.cells import cells, cut
    from torch_cli.cli.present import printable, terminal_size

    shown = [printable(part) for part in parts]
    row = printable(before) + " · ".join(shown)
    columns = terminal_size().columns
    if not sys.stdout.isatty() or cells(row) <= columns:
        return row, False
    room = columns - cells(before) - 3 * (len(shown) - 1)
    if len(shown) > 1:  # what a question is about decides more than its own end
        shown[0] = cut(shown[0], max(QUESTION_COLUMNS, room // len(shown)))
    given = shares([cells(part) for part in shown], max(0, room))
    kept = [cut(part, share) for part, share in zip(shown, given, strict=True)]
    return cut(printable(before) + " · ".join(filter(None, kept)), columns), True
