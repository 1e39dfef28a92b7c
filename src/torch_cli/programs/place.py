"""The place of the input box in some programs: behind a bar, in lines of its own, or behind a
prompt and over as many rows as the text takes. Pure.

Such a box looks like an earlier echo. The cursor, which the program really moves, tells which one
is the box. The result are rows and columns; ``box`` reads them.
"""

import re
from typing import NamedTuple

from torch_cli.programs.profile import BoxSpec
from torch_cli.tmux.screen import Screen
from torch_cli.width import cells_of


class BoxPlace(NamedTuple):
    """The box's first row, and where its text begins and ends in this row and each further one.

    ``scrolled`` says that the text begins above the rows that show, or that nobody can tell.
    """

    first: int
    cuts: tuple[tuple[int, int | None], ...]
    scrolled: bool = False


def behind_bar(screen: Screen, spec: BoxSpec) -> BoxPlace | None:
    """Return the place of a box whose rows begin with ``bar`` and that ends in a row of ``rule``.

    From top to bottom: a blank row, the text, a blank row, rows about the program, ``corner`` and
    the rule. Without the cursor in it the box takes no keys, because something covers it.
    """
    edge = re.compile(f"( *){re.escape(spec.corner)}({re.escape(spec.rule)}+)")
    ends = [(at, edge.match(row.text)) for at, row in enumerate(screen.rows)]
    bottom, match = next(((at, found) for at, found in reversed(ends) if found), (0, None))
    if match is None:
        return None
    column, wide = len(match[1]), len(match[1]) + len(match[2])
    inner = column + len(spec.bar) + len(spec.continuation)
    content: dict[int, str] = {}
    for at in range(bottom - 1, -1, -1):
        row = screen.rows[at].text
        if not _behind(row, column, spec):
            break
        content[at] = row[inner : _index_at(row, wide)].strip()
    blank = [at for at in content if not content[at]]
    if len(blank) < 2 or min(content) not in blank:
        return None
    first, last = min(content) + 1, max(blank) - 1
    x, y = screen.cursor
    if first > last or not (screen.cursor_visible and x > column and first <= y <= last):
        return None
    rows = screen.rows[first : last + 1]
    tallest = max(spec.tallest, screen.height // spec.tallest_part) if spec.tallest_part else 0
    cuts = tuple((inner, _index_at(row.text, wide)) for row in rows)
    return BoxPlace(first, cuts, scrolled=0 < tallest <= len(rows))


def _behind(text: str, column: int, spec: BoxSpec) -> bool:
    """Whether a row has the bar at ``column``, and behind it the indent or nothing."""
    rest = text[column + len(spec.bar) :]
    return (
        not text[:column].strip()
        and text.startswith(spec.bar, column)
        and (rest.startswith(spec.continuation) or not rest.strip())
    )


def in_lines(screen: Screen, spec: BoxSpec) -> BoxPlace | None:
    """Return the place of a box of rows that begin with the prompt, in one of which the cursor is.

    A row of only the rule is above it. Rows between the two name the program's files. A text that
    is taller than the screen hides the rule.
    """
    rows = screen.rows
    column, line = screen.cursor
    prompt = _prompt_of(rows[line].text, spec) if line < len(rows) else None
    if prompt is None or column <= len(prompt) or not screen.cursor_visible:
        return None
    first = last = line
    while first and _prompt_of(rows[first - 1].text, spec) == prompt:
        first -= 1
    while last + 1 < len(rows) and _prompt_of(rows[last + 1].text, spec) == prompt:
        last += 1
    above = first - 1
    # If the pane becomes wider, the rule stays as it was.
    while above >= 0 and rows[above].text and rows[above].text.strip(spec.rule):
        above -= 1
    if above < 0 < first or (above >= 0 and not rows[above].text):
        return None
    return BoxPlace(first, ((len(prompt) + 1, None),) * (last - first + 1), scrolled=first == 0)


def in_wrapped(screen: Screen, spec: BoxSpec) -> BoxPlace | None:
    """Return the place of a text behind a prompt. It fills all rows but the last, with the cursor.

    Nothing is below it. A full row may be one cell short, because a space at its end does not show,
    or a wide character did not fit.
    """
    rows = screen.rows
    column, line = screen.cursor
    if line >= len(rows) or any(row.text for row in rows[line + 1 :]):
        return None
    match = re.match(spec.prompt, rows[line].text)
    if match is not None and column < match.end():
        return None
    first = line
    while match is None and first:
        first -= 1
        text = rows[first].text
        if sum(map(cells_of, text)) < screen.width - 1:
            return None
        match = re.match(spec.prompt, text)
    if match is None:
        return None
    return BoxPlace(first, ((match.end(), None), *((0, None),) * (line - first)))


def _prompt_of(text: str, spec: BoxSpec) -> str | None:
    """Return the prompt that a row begins with, without the space behind it."""
    match = re.match(spec.prompt, text)
    return match[0].rstrip() if match else None


def _index_at(text: str, column: int) -> int | None:
    """Return the index of the character at a column, None if the row ends before it."""
    at = 0
    for index, char in enumerate(text):
        if at > column:
            return index
        at += cells_of(char)
    return None
