"""The footer below an input box, and what it says about the box. Pure.

A footer may be the program's own, the user's, or both. ``box`` finds the box.
"""

import re
from collections.abc import Sequence

from torch_cli.programs.profile import BoxSpec
from torch_cli.programs.state import Box
from torch_cli.tmux.screen import Row, Screen

_NUMBERED = re.compile(r"^\W*\d+\. ")  # a row of a numbered menu, with a cursor in front or not


def below_box(screen: Screen, box: Box, spec: BoxSpec) -> tuple[range, range]:
    """Return the rows of the footer below ``box``, and the rows of the list of agents below that.

    The list is at the end of the screen. A blank row is between the two.
    """
    start = box.last + 1 + spec.frame
    end = max((i + 1 for i in range(start, len(screen.rows)) if screen.rows[i].text), default=start)
    top = end
    while spec.panel is not None and top > start and spec.panel.search(screen.rows[top - 1].text):
        top -= 1
    listed = top < end and (spec.panel_top is None or spec.panel_top.search(screen.rows[top].text))
    if not listed or top == start or screen.rows[top - 1].text:
        return range(start, len(screen.rows)), range(0)
    return range(start, top), range(top, end)


def status_rows(below: list[str], spec: BoxSpec) -> int:
    """Return how many rows of the footer are the user's own status line, which may say anything.

    They are between the box and the program's own row. Rows like a numbered menu do not count.
    """
    filled = [text for text in below if text.strip()]
    if spec.footer_own is None or not filled or not spec.footer_own.search(filled[-1]):
        return 0
    if below[: len(filled)] != filled or any(_NUMBERED.search(text) for text in filled):
        return 0
    return len(filled) - 1


def end_of_box(screen: Screen, rows: Sequence[Row], place: tuple[int, int], spec: BoxSpec) -> int:
    """Return the index behind the last row of a box above a footer of the user's choice, 0 if none.

    ``place`` is the box's first row, and the first row below that cannot belong to the box. Such a
    footer has no words that are always there, so the cursor must be in the box: dialogs hide it, or
    leave it elsewhere. The footer may have ``footer_rows`` rows, and none below the box is about
    keys.
    """
    first, further = place
    column, line = screen.cursor
    last = max(index for index, row in enumerate(rows) if row.text)
    in_box = first <= line < further and len(spec.continuation) <= column < screen.width
    shown = screen.cursor_visible or spec.cursor_hidden
    if not (spec.footer_rows and in_box and shown and line <= last):
        return 0
    if spec.footer_none and last < further:
        return last + 1
    # Below a footer that does not begin as the box does, a resize may leave what was there before.
    top = bottom = further if spec.footer_none else last
    while top and rows[top - 1].text:
        top -= 1
    while bottom < last and rows[bottom + 1].text:
        bottom += 1
    end = top - 1
    while end > line and not rows[end - 1].text:
        end -= 1
    foreign = spec.footer_not
    if foreign is not None and any(foreign.search(row.text) for row in rows[top : last + 1]):
        return 0
    return end if bottom - top < spec.footer_rows and line < end <= further else 0


def is_doubtful(box: Box, below: Sequence[Row], spec: BoxSpec) -> bool:
    """Whether an empty ``box`` above a footer of the user's choice may not be the program's.

    Its ghost text must be there, and a part of the footer that the program always shows then.
    """
    known = spec.footer_known
    if not box.empty:
        return False
    return not box.ghost or not (
        known is None or any(known.search(row.text) for row in below if row.text)
    )


def says_empty(screen: Screen, box: Box, spec: BoxSpec) -> bool:
    """Whether the footer has the words that the program shows only while its box is empty."""
    footer = below_box(screen, box, spec)[0]
    return spec.footer_empty is not None and any(
        spec.footer_empty.search(screen.rows[index].text) for index in footer
    )
