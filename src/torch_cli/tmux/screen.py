"""What a pane shows, as a value: rows of text with the attributes that carry meaning.

``Screen.parse`` reads the output of ``capture-pane -p -e``. Colours are dropped: states are told
apart by structure and words, and only *dim* (ghost text) and *reverse* (a drawn cursor) matter.
Of a row with an underlined character, ``tinted`` says where it is continued in another colour.
"""

import functools
import re
from typing import NamedTuple

# CSI sequences end in @..~, OSC in BEL or ST (tmux writes hyperlinks as OSC 8), and SO/SI
# switch to the line-drawing set: grid_string_cells_code() in tmux's grid.c writes only these.
_ESCAPE = re.compile(r"\x1b\[([0-9;:]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x0e\x0f]")
_SPECIAL = re.compile("[\x1b\x0e\x0f]")
_UNDERLINE = "\x1b[4m"
_DIMS_OR_REVERSES = re.compile(r"\x1b\[(?:[0-9;:]*;)?[27][;m]")
"""SGR with a parameter that may turn dim or reverse on, or be part of a colour."""


ROWS_KEPT = 8192
"""Rows that were read and are kept, some 3 MB: most are on the screen again at the next look."""


class Row(NamedTuple):
    """One row of a screen, without its trailing spaces.

    ``text`` is what is there. ``dim`` and ``reverse`` hold one ``True`` or ``False`` for each
    character of ``text``. ``tinted`` is the index behind a single underlined character from which
    on all of the row has one colour, another one than that character; 0 if there is no such place.
    """

    text: str
    dim: tuple[bool, ...] = ()
    reverse: tuple[bool, ...] = ()
    tinted: int = 0

    @classmethod
    def plain(cls, text: str) -> "Row":
        """Return a row of ``text`` without attributes."""
        text = text.rstrip(" ")
        off = _all_off(len(text))
        return cls(text, off, off)


@functools.lru_cache(512)
def _all_off(length: int) -> tuple[bool, ...]:
    return (False,) * length


class Screen(NamedTuple):
    """What a pane showed at one moment.

    ``rows`` are the visible rows from top to bottom; ``cursor`` is (column, row) from 0;
    ``in_mode`` says that tmux shows a mode (copy mode, a menu) instead of the program's screen;
    ``dead`` that the pane's process has ended. ``width`` and ``height`` are in cells; ``history``
    counts the lines that have scrolled off the top; ``wrote`` is the second since the epoch in
    which its window last wrote, 0 if that was not asked. ``alternate`` says that the program draws
    on the alternate screen. tmux keeps no history of that, so lines that have scrolled off are
    older. ``title`` is the title that the program, or a person, gave the pane; ``said`` is the
    value of the pane's option in which a program can report on itself.
    """

    rows: tuple[Row, ...]
    width: int
    height: int
    cursor: tuple[int, int] = (0, 0)
    cursor_visible: bool = True
    in_mode: bool = False
    dead: bool = False
    history: int = 0
    wrote: int = 0
    alternate: bool = False
    title: str = ""
    said: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The text of every row."""
        return tuple(row.text for row in self.rows)

    @property
    def text(self) -> str:
        """The visible text, rows joined by newlines, blank rows at the end left out."""
        return "\n".join(self.lines).rstrip("\n")

    @classmethod
    def parse(
        cls,
        captured: str,
        *,
        width: int,
        height: int,
        cursor: tuple[int, int] = (0, 0),
        cursor_visible: bool = True,
        in_mode: bool = False,
        dead: bool = False,
        history: int = 0,
        alternate: bool = False,
        title: str = "",
    ) -> "Screen":
        """Read the output of ``capture-pane -p -e`` (or ``-p``) of a ``width`` x ``height`` pane.

        Rows that tmux left out at the bottom are filled with blank ones.
        """
        rows: list[Row] = []
        dim = reverse = False
        underlined = _UNDERLINE in captured
        for line in captured.split("\n")[:height]:
            row, dim, reverse = _parse_row(line, dim, reverse)
            tinted = _tinted(line) if underlined and _UNDERLINE in line else 0
            rows.append(row._replace(tinted=tinted) if 0 < tinted < len(row.text) else row)
        if len(rows) < height:
            rows.extend([Row.plain("")] * (height - len(rows)))
        screen = cls(tuple(rows), width, height, cursor, cursor_visible, in_mode, dead, history)
        return screen._replace(alternate=alternate, title=title)


@functools.lru_cache(ROWS_KEPT)
def _parse_row(line: str, dim: bool, reverse: bool) -> tuple[Row, bool, bool]:
    """Read one captured line; attributes carry over from the line before, as tmux writes them."""
    if not (dim or reverse) and (line.isprintable() or not _SPECIAL.search(line)):
        return Row.plain(line), False, False
    if not (dim or reverse or _DIMS_OR_REVERSES.search(line)):
        return Row.plain(_ESCAPE.sub("", line)), False, False
    # Text, then for every escape its parameters, its final letter, and the text behind it.
    first, *rest = _ESCAPE.split(line)
    pieces = [(first, dim, reverse)]
    marked = dim or reverse
    for parameters, final, piece in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        if final == "m":
            dim, reverse = _apply_sgr(parameters, dim, reverse)
            marked = marked or dim or reverse
        pieces.append((piece, dim, reverse))
    text = "".join(piece for piece, _, _ in pieces).rstrip(" ")
    if not marked:
        return Row.plain(text), False, False
    dims = [mark for piece, mark, _ in pieces for _ in piece]
    reverses = [mark for piece, _, mark in pieces for _ in piece]
    kept = len(text)
    return Row(text, tuple(dims[:kept]), tuple(reverses[:kept])), dim, reverse


@functools.lru_cache(1024)
def _apply_sgr(parameters: str, dim: bool, reverse: bool) -> tuple[bool, bool]:
    """Return (dim, reverse) after one SGR sequence; the arguments of 38, 48 and 58 are skipped."""
    codes = parameters.split(";")
    index = 0
    while index < len(codes):
        code = codes[index]
        if code in ("38", "48", "58"):
            index += 3 if codes[index + 1 : index + 2] == ["5"] else 5
            continue
        if code in ("", "0"):
            dim = reverse = False
        elif code == "2":
            dim = True
        elif code == "22":
            dim = False
        elif code == "7":
            reverse = True
        elif code == "27":
            reverse = False
        index += 1
    return dim, reverse


def _tinted(line: str) -> int:
    """Return ``Row.tinted`` of a captured line. tmux writes each attribute and colour by itself."""
    cells: list[tuple[str | None, bool]] = []
    colour: str | None = None  # before the first escape it is that of the line before
    under = False
    first, *rest = _ESCAPE.split(line)
    cells += [(colour, under)] * len(first)
    for parameters, final, piece in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        if final == "m":
            code = parameters or "0"
            under = code == "4" or (under and code not in ("0", "24"))
            if code in ("0", "39"):
                colour = ""
            elif code.startswith("38;") or (code.isdigit() and code[:-1] in ("3", "9")):
                colour = code
        cells += [(colour, under)] * len(piece)
    marked = [at for at, (_, on) in enumerate(cells) if on]
    if len(marked) != 1 or cells[marked[0]][0] is None:
        return 0
    behind = {tint for tint, _ in cells[marked[0] + 1 :]}
    return marked[0] + 1 if len(behind) == 1 and cells[marked[0]][0] not in behind else 0
