"""The sign and the colour of each state that tables show.

The sign says the same as the colour, to those who see no colours. Signs take one column in every
font. ``?`` and ``!``, and the colours of who needs you, are those of ``torch shell tmux``.

Only the sign has a colour. The words beside it have the terminal's own colour, bold for who needs
you: no yellow, green or cyan is readable on black and on white in all palettes that people use.
"""

from typing import NamedTuple


class Sign(NamedTuple):
    """``plain`` stands for ``mark`` where the output cannot show that. ``colour`` is an attribute
    of a terminal (ECMA-48, 8.3.117), '' for none, and ``words`` that of the state beside it.
    """

    mark: str
    plain: str
    colour: str = ""
    words: str = ""


_ASKS = Sign("?", "?", "1;33", "1")
_UNCLEAR = Sign("!", "!", "1;35", "1")
_FAILED = Sign("✗", "x", "1;31", "1")
_WAITS = Sign("◌", ".", "36")
_WORKS = Sign("●", "*", "32")
_DONE = Sign("✓", "+", "32")
_QUIET = Sign("○", "-")

SIGNS = {
    # of agents
    "waiting": _ASKS,
    "unknown": _UNCLEAR,
    "stalled": _UNCLEAR,
    "error": _FAILED,
    "exited": _FAILED,
    "dead": _FAILED,
    "retrying": _WAITS,
    "limited": _WAITS,
    "starting": _WAITS,
    "working": _WORKS,
    "idle": _QUIET,
    "hibernated": _QUIET,
    # of messages
    "held": _ASKS,
    "queued": _WAITS,
    "submitted": _DONE,
    "confirmed": _DONE,
    "failed": _FAILED,
    "cancelled": _QUIET,
    # of tasks
    "open": _QUIET,
    "claimed": _WAITS,
    "active": _WORKS,
    "blocked": _ASKS,
    "done": _DONE,
    # of channels
    "told": _DONE,
    "nobody": _UNCLEAR,
    "off": _QUIET,
}
