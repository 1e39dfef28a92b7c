"""The one way in which lists are printed: as tables that fit the terminal.

On a terminal a cell that does not fit is cut, and columns without room are left out, the least
important first. A pipe gets every column, whole, whatever the size of the terminal.
"""

import os
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.cli.cells import cells, cut, cut_front, cut_to_end
from torch_cli.cli.present import printable, terminal_size
from torch_cli.cli.signs import SIGNS, Sign

GAP = "  "
"""What is between two columns."""

INDENT = "    "
"""What is before a line below a row."""

_HEADING = "1"
_BELOW = "2"
"""Attributes of a terminal (ECMA-48, 8.3.117): bold, faint."""

_LEFT_OUT = -1

_SHORTEN = {"path": cut_front, "end": cut_to_end}
"""How a cell without room becomes shorter, by the kind of its column; others lose their end."""


class Column(NamedTuple):
    """One column of a table.

    ``name`` is what ``-o`` calls it, and in capitals its heading, unless ``heading`` is another.
    The columns of the highest ``rank`` are left out first; those of rank 0 stay. A cell is cut to
    ``least`` columns of the terminal at most; 0 says that it is never cut. ``kind`` says what its
    cells are: ``text``, a ``state``, a ``path``, or a text of which, as of a path, the ``end``
    matters most. With ``below``
    it is printed below its row, and only if it is asked for.
    """

    name: str
    rank: int = 5
    least: int = 8
    kind: str = "text"
    heading: str | None = None
    below: bool = False

    @property
    def title(self) -> str:
        """Its heading."""
        return self.name.upper() if self.heading is None else self.heading


class TableForm(NamedTuple):
    """How a person wants a table: the names of its ``columns``, none for the usual ones; nothing
    cut (``wide``); with what is printed below a row (``evidence``).
    """

    columns: tuple[str, ...] = ()
    wide: bool = False
    evidence: bool = False


class Paper(NamedTuple):
    """What a table is printed on: ``width`` columns of a terminal, or a pipe (``None``).

    ``encoding`` is that of the output, ``home`` the directory that ``~`` stands for.
    """

    width: int | None = None
    colours: bool = False
    encoding: str = "utf-8"
    home: str = ""

    @property
    def unicode(self) -> bool:
        """Whether it shows every character."""
        return self.encoding.lower().replace("-", "") == "utf8"

    def shows(self, text: str) -> str:
        """Return ``text`` as the output shows it: no control character, nothing that it lacks."""
        if not text.isprintable():
            text = printable(text)
        if self.unicode or text.isascii():
            return text
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def paint(self, text: str, attribute: str) -> str:
        """Return ``text`` with an attribute, if colours are wanted."""
        return f"\x1b[{attribute}m{text}\x1b[0m" if self.colours and attribute and text else text

    @property
    def mark(self) -> str:
        """What stands where something was cut."""
        return "…" if self.unicode else "~"


def paper() -> Paper:
    """Return what stdout is."""
    if not sys.stdout.isatty():
        return Paper(encoding=sys.stdout.encoding)
    colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    home = os.path.expanduser("~")
    return Paper(
        terminal_size().columns, colours, sys.stdout.encoding, home if home.startswith("/") else ""
    )


def cut_to_terminal(line: str) -> str:
    """Return ``line`` as one row of a terminal, whole for a pipe."""
    on = paper()
    return line if on.width is None else cut(line, on.width, mark=on.mark)


def print_table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    look: TableForm,
    *,
    hidden: Sequence[str] = (),
) -> None:
    """Print ``rows``, each with a cell for every one of ``columns``.

    Columns with ``hidden`` names are printed only if a person names them.
    """
    lines = drawn(columns, rows, look, paper(), hidden)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def drawn(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    look: TableForm,
    on: Paper,
    hidden: Sequence[str] = (),
) -> list[str]:
    """Return the lines of the table."""
    places = _chosen(columns, rows, look, on, hidden)
    chosen = [columns[place] for place in places]
    table = [[_Cell.of(row[place], columns[place], on) for place in places] for row in rows]
    signs = [any(row[number].sign for row in table) for number in range(len(places))]
    table = [[cell.indented(sign) for cell, sign in zip(row, signs, strict=True)] for row in table]
    head = [_Cell(on.shows(column.title), attribute=_HEADING) for column in chosen]
    natural = [max(cells(cell.text) for cell in each) for each in zip(head, *table, strict=True)]
    named = bool(look.columns)
    fits = on.width is None or look.wide
    widths = natural if fits else _fitted(chosen, natural, on.width or 0, named=named)
    lines = [_line(chosen, head, widths, on)]
    for row, given in zip(table, rows, strict=True):
        lines.append(_line(chosen, row, widths, on))
        if look.evidence and on.width is not None and not named:
            lines += _below(columns, given, look, on)
    return lines


class _Cell(NamedTuple):
    text: str
    attribute: str = ""
    sign: str = ""
    colour: str = ""
    """That of the sign."""

    @staticmethod
    def of(text: str, column: Column, on: Paper) -> "_Cell":
        if on.width is None:
            return _Cell(on.shows(text))
        if column.kind == "path":
            return _Cell(on.shows(homely(text, on.home)))
        if column.kind == "state" and (state := text.partition(" ")[0]) in SIGNS:
            sign: Sign = SIGNS[state]
            mark = sign.mark if on.unicode else sign.plain
            return _Cell(on.shows(text), sign.words, mark, sign.colour)
        return _Cell(on.shows(text))

    def indented(self, signs: bool) -> "_Cell":
        """Return the cell with its sign before it, if its column has ``signs``."""
        return self._replace(text=f"{self.sign or ' '} {self.text}") if signs else self

    def painted(self, text: str, on: Paper) -> str:
        """Return ``text``, which is the cell as far as there is room, with its attributes."""
        if not self.sign:
            return on.paint(text, self.attribute)
        end = len(self.sign)
        return f"{on.paint(text[:end], self.colour)}{on.paint(text[end:], self.attribute)}"


def _chosen(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    look: TableForm,
    on: Paper,
    hidden: Sequence[str],
) -> list[int]:
    """Return the places of the columns to be printed, in their order."""
    if look.columns:
        names = [column.name for column in columns]
        return [names.index(name) for name in look.columns]
    shown = [n for n, column in enumerate(columns) if column.name not in hidden]
    places = [n for n in shown if not columns[n].below]
    if on.width is None:
        return places + [n for n in shown if columns[n].below and look.evidence]
    return [n for n in places if columns[n].rank == 0 or any(row[n] for row in rows)]


def _fitted(
    columns: Sequence[Column], natural: Sequence[int], width: int, *, named: bool
) -> list[int]:
    """Return how wide each column becomes, ``_LEFT_OUT`` for one without room.

    Columns that a person has ``named`` are as important as they are early.
    """
    ranks = [n if named else one.rank for n, one in enumerate(columns)]
    least = [
        min(size, max(column.least, cells(column.title)) if column.least else size)
        for column, size in zip(columns, natural, strict=True)
    ]
    kept = list(range(len(columns)))

    def room() -> int:
        return width - sum(least[n] for n in kept) - len(GAP) * (len(kept) - 1)

    while room() < 0 and any(ranks[n] for n in kept):
        kept.remove(max(kept, key=lambda n: (ranks[n], n)))
    widths = [least[n] if n in kept else _LEFT_OUT for n in range(len(columns))]
    spare = room()
    for n in sorted(kept, key=lambda n: (ranks[n], n)):
        more = min(max(spare, 0), natural[n] - widths[n])
        widths[n] += more
        spare -= more
    while spare < 0 and max(widths) > 1:  # a terminal with room for next to nothing
        widths[widths.index(max(widths))] -= 1
        spare += 1
    return widths


def _line(columns: Sequence[Column], row: Sequence[_Cell], widths: Sequence[int], on: Paper) -> str:
    """Return one line, without spaces at its end."""
    shown = []
    for column, cell, width in zip(columns, row, widths, strict=True):
        if width != _LEFT_OUT:
            shorten = _SHORTEN.get(column.kind, cut)
            text = shorten(cell.text, width, mark=on.mark)
            shown.append((cell.painted(text, on), " " * (width - cells(text))))
    text = "".join(f"{painted}{pad}{GAP}" for painted, pad in shown[:-1])
    return (text + (shown[-1][0] if shown else "")).rstrip()


def _below(columns: Sequence[Column], row: Sequence[str], look: TableForm, on: Paper) -> list[str]:
    """Return the lines below a row."""
    lines = []
    for column, text in zip(columns, row, strict=True):
        if column.below and text:
            shown = homely(text, on.home) if column.kind == "path" else text
            line = f"{INDENT}{column.name}: {on.shows(shown)}"
            line = line if look.wide else cut(line, on.width or 0, mark=on.mark)
            lines.append(on.paint(line, _BELOW))
    return lines


def homely_words(words: str) -> str:
    """Return ``words`` with ``~`` for the home directory in paths, if they are for a terminal."""
    home = paper().home
    return re.sub(rf"(?<!\S){re.escape(home)}(?=/)", "~", words) if home else words


def homely(path: str, home: str) -> str:
    """Return ``path`` with ``~`` for the home directory."""
    return f"~{path[len(home) :]}" if home and f"{path}/".startswith(f"{home}/") else path
