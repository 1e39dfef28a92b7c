"""What is said in the answer to a dialog: an option, or words of one's own; and why it was not."""

import re

from torch_cli.errors import RefusedError
from torch_cli.programs.asked import Asked, Option, bare, option_of
from torch_cli.programs.state import Dialog
from torch_cli.width import cells_of

FRAME_COLUMNS = 24
"""Columns of a pane that a text leaves free: for the dialog's frame, numbers and marks. A text that
wraps could not be told from the rows around it."""

_IN_FRONT = re.compile(r"\W*(?:\d{1,2}\W+)?")

NOT_ANSWERED = {
    "changed": "it shows something else now",
    "typing": "somebody else has just typed there, and its program has not read it yet",
    "mode": "its pane is in copy mode",
    "dead": "its program has ended",
    "gone": "its pane was closed",
    "replaced": "another process runs in its pane",
    "input-off": "its pane's input is off (select-pane -d)",
    "synchronized": "the panes of its window are synchronised: each of them would get the key",
}
"""Why a dialog was not answered, by what the gate found."""


def is_own_words(one: Asked, said: str) -> bool:
    """Return whether ``said`` is no option of ``one``, and exactly one option must have a text."""
    try:
        option_of(one, said)
    except RefusedError as refused:
        words = " ".join(said.split()).casefold()
        several = any(each.words.casefold().startswith(words) for each in one.options)
        takes = [each for each in one.options if each.text == "needed"]
        return bool(words) and refused.code == "no-option" and len(takes) == 1 and not several
    return False


def chosen(one: Asked, said: str, text: str | None) -> Option:
    """Return the option that ``said`` names, or the only one that must have a text.

    Raises ``RefusedError`` if it takes no ``text`` and one is given, or needs one and none is.
    """
    needing = [option for option in one.options if option.text == "needed"]
    option = needing[0] if not said and text is not None and len(needing) == 1 else None
    try:
        option = option or option_of(one, said)
    except RefusedError as refused:
        if text is None and is_own_words(one, said):
            refused.hint += f" If these are words of your own, for {needing[0].key}: --text"
        raise
    if text is None and option.text == "needed":
        raise RefusedError(
            f"'{option.words}' needs a text; nothing was pressed",
            hint=f"Give it one: {option.key} --text 'WORDS'",
            code="needs-text",
        )
    if text is not None and not option.text:
        takes = ", ".join(f"{each.key} {each.words}" for each in one.options if each.text)
        raise RefusedError(
            f"'{option.words}' takes no text, as far as its profile says; nothing was pressed",
            hint=f"These do: {takes}."
            if takes
            else "Choose an option, and then say it with 'torch send'.",
            code="no-text",
        )
    return option


def check_text(text: str, width: int) -> str:
    """Return ``text`` without blanks around it; raises ``RefusedError`` if it cannot be typed.

    It must be one line that fits into one row of a pane of ``width`` columns.
    """
    text, most = text.strip(), width - FRAME_COLUMNS
    if text and text.isprintable() and sum(map(cells_of, text)) <= most:
        return text
    raise RefusedError(
        f"the text for a dialog must be one line of at most {most} columns; nothing was pressed",
        hint="Choose an option with less, and then say the rest with 'torch send'.",
        code="bad-text",
    )


def shows_text(before: Dialog, after: Dialog, text: str) -> bool:
    """Return whether ``after`` is ``before`` with ``text`` in one row, whole and alone.

    Only a number and marks may be in front of it: other letters there are a person's.
    """
    gone = [row for row in before.rows if row not in after.rows]
    new = [row for row in after.rows if row not in before.rows]
    same = before.kind == after.kind and len(before.rows) == len(after.rows)
    if not same or not len(new) == len(gone) == 1:
        return False
    row, typed = bare(new[0]), bare(text)
    return row.endswith(typed) and _IN_FRONT.fullmatch(row.removesuffix(typed)) is not None
