"""From the agent's state to rows of the screen, and from rows to the fewest bytes that draw them.

``compose`` is pure. A ``Painter`` remembers what it drew last and writes only rows that changed,
so an idle agent writes nothing; rows that leave at the top go to the terminal's scrollback once.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from torch_cli.demo_agent.agent import DemoState
from torch_cli.demo_agent.model import MODES, SPINNER_SECONDS, Kind, Question, TranscriptEntry

PROMPT = "»\u00a0"
SPINNER = "·✢✳✶✻✽"
IDLE_FOOTER = "  ? for help"
WORKING_FOOTER = "  esc to interrupt"
LEAVING_FOOTER = "  Press Ctrl-C again to exit"
PLACEHOLDER = "Type a message"
QUEUED_PLACEHOLDER = "Press up to edit queued messages"
_QUEUED_SHOWN = 2000  # characters of a waiting message that are drawn
_SMALLEST_COLUMNS = 4  # columns; a narrower terminal is drawn as if it had so many

_SGR = re.compile(r"\x1b\[[0-9]*m")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Size:
    """The size of the terminal, in cells."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: the visible ``rows``, the ``cursor`` as (column, row) from 0.

    ``above`` counts the rows of the transcript that are above the first visible one.
    """

    rows: tuple[str, ...]
    cursor: tuple[int, int]
    above: int


@functools.cache
def cells_of(character: str) -> int:
    """Return the width of one character in cells."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cells(text: str) -> int:
    """Return the width of ``text`` in cells; attributes take none."""
    text = _SGR.sub("", text)
    return len(text) if text.isascii() else sum(map(cells_of, text))


def wrap(text: str, columns: int) -> list[str]:
    """Cut ``text`` at its newlines and at the width; there is at least one row."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    rows: list[str] = []
    for line in _UNPRINTABLE.sub("\ufffd", text).split("\n"):
        if line.isascii():
            rows += [line[at : at + columns] for at in range(0, len(line), columns)] or [""]
        else:
            rows += _wrap_wide(line, columns)
    return rows


def _wrap_wide(line: str, columns: int) -> list[str]:
    rows = []
    start = used = 0
    for index, character in enumerate(line):
        width = cells_of(character)
        if used + width > columns:
            rows.append(line[start:index])
            start, used = index, 0
        used += width
    return [*rows, line[start:]]


def entry_rows(entry: TranscriptEntry, columns: int) -> list[str]:
    """Return the rows of one entry of the transcript; a notice belongs to the entry above it."""
    mark = entry.kind.value
    first, *others = wrap(entry.text, max(1, columns - len(mark)))
    rows = [mark + first, *(" " * len(mark) + row for row in others)]
    return rows if entry.kind is Kind.NOTICE else ["", *rows]


def box_rows(agent: DemoState, columns: int, most: int) -> tuple[list[str], int]:
    """Return the rows of the input box, ``most`` at most, and the cursor's column in the last."""
    ghost = QUEUED_PLACEHOLDER if agent.queue else "" if agent.job else PLACEHOLDER
    if not agent.box:
        ghost = f"\x1b[2m{ghost[: columns - 3]}\x1b[0m" if ghost else ""
        return [f"{PROMPT}\x1b[7m \x1b[0m{ghost}"], 2
    rows = wrap(agent.box.shown, columns - 2)
    if cells(rows[-1]) >= columns - 2:
        rows.append("")
    rows = [PROMPT + rows[0], *("  " + row for row in rows[1:])][-most:]
    column = cells(rows[-1])
    rows[-1] += "\x1b[7m \x1b[0m"
    return rows, column


def dialog_rows(dialog: Question, cwd: str, columns: int) -> list[str]:
    """Return the rows that are in place of the input box while a question is open."""
    if dialog.kind == "trust":
        head = [" Do you trust the files in this folder?", *_indented(cwd, columns)]
        options = ["1. Yes, proceed", "2. No, exit"]
    else:
        command = _indented(dialog.command, columns)
        head = [" Run command", *command, " Do you want to proceed?"]
        options = ["1. Yes", "2. No"]
    menu = [(" ❯ " if at == dialog.chosen else "   ") + text for at, text in enumerate(options)]
    rows = (wrap(row, columns)[0] for row in [*head, *menu, " Esc to cancel"])
    return ["─" * columns, *rows]


def _indented(text: str, columns: int) -> list[str]:
    """Return ``text`` in indented rows, broken at spaces where there are any, as agents do it."""
    rows, room = list[str](), max(1, columns - 3)
    for line in wrap(text, len(text) + 1) if text.isascii() else wrap(text, room):
        while len(line) > room:
            at = line.rfind(" ", 1, room + 1)
            rows.append(line[: at if at > 0 else room])
            line = line[at + 1 if at > 0 else room :]
        rows.append(line)
    return ["   " + row for row in rows]


def bottom_rows(agent: DemoState, now: float, size: Size) -> tuple[list[str], tuple[int, int]]:
    """Return the rows below the transcript, and the cursor as (column, row among them)."""
    columns = size.columns
    if agent.dialogs:
        rows = ["", *dialog_rows(agent.dialogs[0], agent.cwd, columns)]
        return rows, (1, len(rows) - 3 + agent.dialogs[0].chosen)
    mode = MODES[agent.mode]
    status, footer = "", f"  {mode} · ? for help" if mode else IDLE_FOOTER
    if agent.limit:
        status = f"● {agent.limit_line}"
    elif agent.job:
        elapsed = max(0.0, now - agent.job.started)
        sign = SPINNER[int(elapsed / SPINNER_SECONDS) % len(SPINNER)]
        doing = f"{agent.job.retries} · retrying in 5s · attempt 2/10" if agent.job.retries else ""
        status = f"{sign} {doing or f'Working… ({int(elapsed)}s)'}"
        footer = WORKING_FOOTER
    if agent.leaving:
        footer = LEAVING_FOOTER
    box, column = box_rows(agent, columns, max(1, size.rows - 5))
    rule = "─" * columns
    above = ["", wrap(status, columns)[0], rule]
    rows = [*above, *box, rule, wrap(footer, columns)[0]]
    return rows, (column, len(above) + len(box) - 1)


def queued_rows(agent: DemoState, columns: int) -> list[str]:
    """Return the rows of the messages that wait for the work to end."""
    entries: list[TranscriptEntry] = []
    for message in agent.queue:
        shown = message.shown[:_QUEUED_SHOWN]
        entries += [TranscriptEntry(Kind.USER, shown), TranscriptEntry(Kind.NOTICE, "Queued")]
    return _rows_of(entries, columns)


def compose(agent: DemoState, body: list[str], now: float, size: Size) -> Picture:
    """Return the picture of ``agent`` at the time ``now``, below the transcript's rows ``body``."""
    if agent.exit_status is None:
        bottom, (column, row) = bottom_rows(agent, now, size)
        below = queued_rows(agent, size.columns) + bottom
        cursor_row = len(below) - len(bottom) + row
    else:
        below, column, cursor_row = [""], 0, 0
    cut = max(0, len(body) + len(below) - size.rows)
    rows = (body[cut:] + below[max(0, cut - len(body)) :])[: size.rows]
    return Picture(tuple(rows), (column, len(body) + cursor_row - cut), min(cut, len(body)))


def _rows_of(entries: Iterable[TranscriptEntry], columns: int) -> list[str]:
    return [row for entry in entries for row in entry_rows(entry, columns)]


class Painter:
    """Draws frames of one agent onto one terminal, as differences to the last one."""

    def __init__(self, agent: DemoState) -> None:
        self._agent = agent
        self._body: list[str] = []
        self._entries = 0
        self._size: Size | None = None
        self._drawn: list[str] = []
        self._cursor = (-1, -1)
        self._scrolled = 0

    def paint(self, now: float, size: Size) -> str:
        """Return what to write so that the screen shows the agent; empty if it does already."""
        size = Size(max(_SMALLEST_COLUMNS, size.columns), max(1, size.rows))
        resized = size != self._size
        if resized:
            self._size, self._body, self._entries, self._drawn = size, [], 0, []
        entries = self._agent.transcript[self._entries :]
        self._body += _rows_of(entries, size.columns)
        if self._entries == 0:
            self._body = self._body[1:]  # no blank row above the first entry
        self._entries += len(entries)
        frame = compose(self._agent, self._body, now, size)
        if resized:
            self._scrolled = frame.above
        output = self._scroll(frame.above, size) + self._rows(frame, size)
        if output or frame.cursor != self._cursor:
            output += _at(frame.cursor[1], frame.cursor[0])
        self._cursor = frame.cursor
        return output

    def _scroll(self, above: int, size: Size) -> str:
        """Push the rows that are above the visible ones into the scrollback, each once."""
        leaving = self._body[self._scrolled : above]
        self._scrolled = max(self._scrolled, above)
        parts = []
        for row in leaving:
            if self._drawn[:1] != [row]:
                parts.append(_at(0) + "\x1b[2K" + row)
            parts.append(_at(size.rows - 1) + "\n")
            self._drawn = self._drawn[1:]
        return "".join(parts)

    def _rows(self, frame: Picture, size: Size) -> str:
        parts = []
        for index in range(size.rows):
            row = frame.rows[index] if index < len(frame.rows) else ""
            if index < len(self._drawn) and self._drawn[index] == row:
                continue
            # Erasing after the text does not flicker, but would eat the last cell of a full row.
            full = cells(row) >= size.columns
            parts.append(_at(index) + ("\x1b[2K" + row if full else row + "\x1b[K"))
        self._drawn = [*frame.rows, *[""] * (size.rows - len(frame.rows))]
        return "".join(parts)


def _at(row: int, column: int = 0) -> str:
    """Move the cursor; ``row`` and ``column`` count from 0."""
    return f"\x1b[{row + 1};{column + 1}H"
