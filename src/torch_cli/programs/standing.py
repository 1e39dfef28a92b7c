"""Conditions for the gate: what the screen must still show when a key is pressed."""

import re

from torch_cli.programs.observe import Sight
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import Dialog
from torch_cli.tmux import gate, quote

MOUSE = "#{&&:#{mouse_any_flag},#{mouse_sgr_flag}}"
"""The condition that the program in a pane listens to the mouse, in the coding SGR."""

_MARK = re.compile(r"\W*")


def box_stands(sight: Sight, profile: Profile) -> list[str]:
    """Return the gate's conditions: the box of ``sight`` is there with the same rows.

    If the program really moves the cursor, the cursor must be where it was, too, because an echo or
    a row of a menu may look like the box. A box without a prompt is told by the cursor alone, which
    must show, too.
    """
    box, spec = sight.state.box, profile.box
    assert box is not None
    rows = list(dict.fromkeys((box.rows[0], box.rows[-1])))
    bare = spec.kind == "ruled" and not spec.prompt
    if spec.kind == "ruled" and (box.scrolled if bare else not rows[0].startswith(spec.mark)):
        # A box lower than its text hides its prompt. The rule above it counts hidden rows.
        rows.insert(0, sight.screen.rows[box.first - 1].text)
    conditions = gate.rows_stand(rows, prompt=spec.mark)
    if not spec.cursor_real:
        return conditions
    return conditions + gate.cursor_at(sight.screen.cursor, shown=bare)


def dialog_stands(sight: Sight) -> list[str]:
    """Return the gate's conditions: every row of the dialog of ``sight`` is there.

    The selected row must still be selected, because Enter chooses it.
    """
    dialog = sight.state.dialog
    assert dialog is not None
    mark = mark_of(dialog)
    chosen = dialog.marked if mark else None
    others = [row for at, row in enumerate(dialog.rows) if row.strip() and at != chosen]
    conditions = gate.rows_stand(others) if others else []
    if chosen is None:
        return conditions
    return gate.rows_stand([dialog.rows[chosen]], prompt=mark) + conditions


def place_stands(sight: Sight, row: int) -> tuple[int, list[str]]:
    """Return the row of the pane (from 0) of the dialog's ``row``, and the gate's conditions.

    They are: every row of the dialog is there, this one in exactly this place, and the program
    listens to the mouse.
    """
    dialog = sight.state.dialog
    assert dialog is not None
    text = dialog.rows[row]
    at = max(number for number, shown in enumerate(sight.screen.rows) if shown.text == text)
    there = "#{==:#{C/r:%s},%d}" % (quote.row_pattern(text), at + 1)
    return at, [*dialog_stands(sight), there, MOUSE]


def mark_of(dialog: Dialog) -> str:
    """Return what marks the selected row, at its start; '' if tmux cannot look for it."""
    if dialog.marked is None:
        return ""
    mark = _MARK.match(dialog.rows[dialog.marked])
    return mark[0] if mark is not None and mark[0].strip() and quote.is_literal(mark[0]) else ""
