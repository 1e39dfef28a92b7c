"""Text and the columns that it takes on a terminal.

Terminals disagree about emoji: tmux 3.3a gives a thumb with a skin tone four columns, others two.
What is counted here is never less than a terminal may use, so that a row that was made to fit does
fit. rich counts less for some (2026-11-29), and costs ten times as much to import.
"""

import re
from collections.abc import Iterator

from torch_cli.width import cells_of

_WORDS = re.compile(r" +[^ ]*|[^ ]+")
_TOGETHER = re.compile(r" *'torch [^']+'[^ ]*| +[^ ]*|[^ ]+")
"""Words, and commands in quotes, which stay in one row to be copied."""
_COMMAND = re.compile(r"(?<=:) (torch (?:(?![.;,] ).)+)$")
_WORD_ENDS = re.compile(r"[ :]")
_WIDENS = "\N{VARIATION SELECTOR-16}"
"""Has a terminal draw the character before it as an emoji, which may be wider."""


def cells(text: str) -> int:
    """Return how many columns ``text`` takes at most."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(char: str) -> int:
    return 1 if char == _WIDENS else cells_of(char)


def cut(text: str, columns: int, *, mark: str = "…") -> str:
    """Return ``text`` cut to ``columns`` of a terminal, with ``mark`` if anything is missing."""
    if cells(text) <= columns:
        return text
    return f"{head(text, columns - 1).rstrip()}{mark}" if columns > 1 else mark[:columns]


def cut_front(text: str, columns: int, *, mark: str = "…") -> str:
    """Return the end of ``text``, for paths, with ``mark`` before it if anything is missing."""
    if cells(text) <= columns:
        return text
    size, start = 0, len(text)
    while start and size + _cells_of(text[start - 1]) <= columns - 1:
        start -= 1
        size += _cells_of(text[start])
    return f"{mark}{text[start:].lstrip()}" if columns > 0 else ""


def cut_to_end(text: str, columns: int, *, mark: str = "…") -> str:
    """Return whole words of the end of ``text``; of a last word without room, its end.

    A colon ends a word, too: of a pane's ``session:window %7`` first the session has no room.
    """
    if cells(text) <= columns:
        return text
    ends = [text[found.end() :] for found in _WORD_ENDS.finditer(text)]
    whole = (end for end in ends if end and cells(end) <= columns)
    return next(whole, "") or cut_front(text, columns, mark=mark)


def head(text: str, columns: int) -> str:
    """Return as much of the beginning of ``text`` as ``columns`` have room for."""
    size = 0
    for place, char in enumerate(text):
        size += _cells_of(char)
        if size > columns:
            return text[:place]
    return text


def folded(text: str, columns: int, indent: int, *, whole: bool = False) -> list[str]:
    """Return ``text`` in rows of at most ``columns``, all but the first indented.

    With ``whole`` a word that is longer than a row, such as a path, is not broken, nor a command
    that the text ends with.
    """
    rows, row = list[str](), ""
    command = _COMMAND.search(text) if whole else None
    said = text[: command.start()] if command else text
    units = [*_units(said.rstrip(" "), columns - indent), *([f" {command[1]}"] if command else [])]
    for word in units:
        if cells(row + word) <= columns:
            row += word
            continue
        if whole and not rows and not row:
            row = word
            continue
        rows += [row] if row.strip() else []
        rest = word.lstrip()
        while cells(rest) > columns - indent and not whole:
            piece = head(rest, columns - indent) or rest[0]
            rows.append(" " * indent + piece)
            rest = rest[len(piece) :]
        row = " " * indent + rest
    return [*rows, row]


def _units(text: str, columns: int) -> Iterator[str]:
    """Yield what stays in one row if it fits ``columns``, with the spaces before it."""
    for unit in _TOGETHER.findall(text):
        if cells(unit.lstrip()) <= columns:
            yield unit
        else:
            yield from _WORDS.findall(unit)
