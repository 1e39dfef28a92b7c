"""The sign and the colour of each state that tables show.

The sign says the same as the colour, to those who see no colours. Signs take one column in every
font. ``?`` and ``!``, and the colours of who needs you, are those of ``torch shell tmux``.
"""

from typing import NamedTuple


class Sign(NamedTuple):
    """``plain`` stands for ``mark`` where the output cannot show that. ``colour`` is an attribute
    of a terminal (ECMA-48, 8.3.117), '' for none.
    """

    mark: str
    plain: str
    colour: str = ""


_ASKS = Sign("?", "?", "1;33")
_UNCLEAR = Sign("!", "!", "1;35")
_FAILED = Sign("✗", "x", "1;31")
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
