"""The list of agents of ``torch top``: a table as all of Torch's, with a row for each agent."""

from collections.abc import Sequence

from torch_cli.cli.present import age
from torch_cli.cli.table import Column, Paper, TableForm, drawn
from torch_cli.delivery.receipt import receipt_of
from torch_cli.top.board import BoardRow

TOP_COLUMNS = (
    Column("do", 0, 0),
    Column("name", 0, 16),
    Column("state", 0, 0, "state"),
    Column("for", 1, 0),
    Column("task", 3, 14),
    Column("message", 4, 14, heading="LAST MESSAGE"),
    Column("queue", 2, 0),
    Column("memory", 5, 0, heading="MEM"),
    Column("cpu", 6, 0),
    Column("checkin", 7, 0, heading="CHECK-IN"),
    Column("checkpoint", 8, 0),
)

TREE_INDENT = "  "
"""What is before a name for each agent above it, in the tree."""

SIZE_UNITS = ((2**30, "G"), (2**20, "M"), (2**10, "K"))
"""Sizes, the largest first, and the letter of each."""


def table(rows: Sequence[BoardRow], now: float, on: Paper, depths: Sequence[int] = ()) -> list[str]:
    """Return the lines of the table, its heading first. ``now`` is in epoch seconds.

    ``depths`` are how far below others they stand, none if they do not.
    """
    places = depths or [0] * len(rows)
    cells = [_cells(row, now, depth) for row, depth in zip(rows, places, strict=True)]
    return drawn(TOP_COLUMNS, cells, TableForm(), on)


def _cells(row: BoardRow, now: float, depth: int) -> list[str]:
    need, message, use = row.need, row.message, row.use
    sent = f"{receipt_of(message).state} {age(now - message.stands_since)} ago" if message else ""
    return [
        need.group,
        f"{TREE_INDENT * depth}{row.name}",
        state_words(row),
        age(now - need.since) if need.since is not None else "",
        row.task.title if row.task else "",
        sent,
        str(row.queue) if row.queue else "",
        size(use.memory) if use else "",
        f"{use.percent:.0f}%" if use and use.percent is not None else "",
        _in(row.checkin, now),
        f"{age(now - row.checkpoint)} ago" if row.checkpoint is not None else "",
    ]


def state_words(row: BoardRow) -> str:
    """Return its state in words, with ``frozen`` if it is, as ``torch ps`` does."""
    shown = str(row.need.state.state.shown)
    return shown if row.need.agent.frozen is None else f"{shown} frozen"


def further(row: BoardRow, now: float) -> list[str]:
    """Return what a narrow list has no columns for, in words."""
    use, due = row.use, _in(row.checkin, now)
    taken = [size(use.memory)] if use else []
    taken += [f"{use.percent:.0f}% of a core"] if use and use.percent is not None else []
    return [
        f"check-in {due}" if due else "",
        f"checkpoint {age(now - row.checkpoint)} ago" if row.checkpoint is not None else "",
        ", ".join(taken),
    ]


def _in(due: float | None, now: float) -> str:
    if due is None:
        return ""
    return f"in {age(due - now)}" if due > now else "due"


def size(count: int) -> str:
    """Return a number of bytes in words short enough for a table: ``340M``."""
    for unit, letter in SIZE_UNITS:
        if count >= unit:
            number = count / unit
            return f"{number:.1f}{letter}" if number < 10 else f"{number:.0f}{letter}"
    return f"{count}B"


def matching(rows: Sequence[BoardRow], words: str) -> list[BoardRow]:
    """Return the rows in which every one of ``words`` stands somewhere."""
    wanted = words.casefold().split()
    return [row for row in rows if all(word in _searched(row) for word in wanted)]


def _searched(row: BoardRow) -> str:
    agent, need = row.need.agent, row.need
    said = (agent.name, agent.role, agent.profile, agent.directory, need.group)
    task = row.task.title if row.task else ""
    return " ".join((*said, state_words(row), task)).casefold()
