"""Conditions for the gate: what the screen must still show when a key is pressed."""

from torch_cli.programs.observe import Sight
from torch_cli.programs.profile import Profile
from torch_cli.tmux import gate


def box_stands(sight: Sight, profile: Profile) -> list[str]:
    """Return the gate's conditions: the box of ``sight`` is there with the same rows.

    If the program really moves the cursor, the cursor must be where it was, too, because an echo or
    a row of a menu may look like the box.
    """
    box, spec = sight.state.box, profile.box
    assert box is not None
    rows = list(dict.fromkeys((box.rows[0], box.rows[-1])))
    if spec.kind == "ruled" and not rows[0].startswith(spec.mark):
        # A box lower than its text hides its prompt. The rule above it counts hidden rows.
        rows.insert(0, sight.screen.rows[box.first - 1].text)
    conditions = gate.rows_stand(rows, prompt=spec.mark)
    return conditions + (gate.cursor_at(sight.screen.cursor) if spec.cursor_real else [])


def dialog_stands(sight: Sight) -> list[str]:
    """Return the gate's conditions: every row of the dialog of ``sight`` is there."""
    dialog = sight.state.dialog
    assert dialog is not None
    return gate.rows_stand([row for row in dialog.rows if row.strip()])
