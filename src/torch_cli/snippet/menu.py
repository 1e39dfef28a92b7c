"""The menu of agents in a person's terminal: tmux shows it, and switches to the one they choose."""

import os
import re
import time
from collections.abc import Sequence

from torch_cli.attention.groups import URGENT
from torch_cli.attention.needs import Need
from torch_cli.errors import NotFoundError
from torch_cli.programs.state import one_line
from torch_cli.tmux.process import environment, program, run
from torch_cli.tmux.socket import Socket

WIDEST = 76
"""Characters of an entry at most: tmux shows no menu that is wider than the terminal."""

FRAME = 6
"""Rows of a terminal that entries leave free: the border, the status line, and what says more."""

SIDES = 12
"""Columns of a terminal that the words of an entry leave free: the borders, and the key behind."""

_HASHES = re.compile(r"#+(\[?)")
_KEYS = "123456789"


NOBODY = "torch: no agents at this tmux server"


def show_menu(socket: Socket, found: Sequence[Need], client: str = "") -> None:
    """Become tmux, which shows the menu of the agents ``found`` until a key closes it.

    ``client`` names the terminal, by default the one that tmux takes for the caller's. Returns if
    there are no agents; the terminal then says so. Raises ``NotFoundError`` if there is no such
    terminal.
    """
    columns, rows = _size(socket, client)
    chosen = ["-c", client] if client else []
    if not found:
        run(socket, "-N", "display-message", *chosen, NOBODY)
        return
    words = menu_words(found, columns, rows, time.time())
    call = [program(), "-u", "-N", *socket.arguments, "display-menu", *chosen, *words]
    os.execvpe(call[0], call, environment())


def _size(socket: Socket, client: str) -> tuple[int, int]:
    """Return the columns and rows of the terminal, of the smallest one if it was not named."""
    form = "#{client_width} #{client_height} #{client_name}"
    done = run(socket, "-N", "list-clients", "-F", form)
    clients = [row.split(" ", 2) for row in done.out.splitlines()]
    sizes = [(int(width), int(height)) for width, height, name in clients if client in ("", name)]
    if not sizes:
        which = f"terminal '{client}' is" if client else "terminal is"
        words = f"no {which} attached to the tmux server {socket}; no menu was shown"
        raise NotFoundError(words, hint="Attach one: tmux attach", code="no-client")
    return min(width for width, _ in sizes), min(height for _, height in sizes)


def menu_words(found: Sequence[Need], columns: int, rows: int, now: float) -> list[str]:
    """Return the words of ``display-menu`` for ``found``, for a terminal of that size.

    Who does not fit in is counted, and a line that does not fit is cut at its end: tmux would cut
    its beginning, the agent's name. ``now`` is in seconds since the epoch.
    """
    fit = max(1, rows - FRAME)
    urgent = sum(one.urgent for one in found)
    title = f"{urgent} of {len(found)} need you" if urgent else "nobody needs you"
    words = ["-T", _label(f"Torch: {title}"), "-x", "C", "-y", "C", "--"]
    for number, one in enumerate(found[:fit]):
        if number and one.urgent != found[number - 1].urgent:
            words.append("")
        key = _KEYS[number] if number < len(_KEYS) else ""
        label = _label(_entry(one, now), columns - SIDES)
        words += [label, key, f"switch-client -t {one.agent.pane}"]
    if len(found) > fit:
        words += [_label(f"-{len(found) - fit} more: torch status"), "", ""]
    return words


def _entry(one: Need, now: float) -> str:
    state = one.state.state
    waited = f" {_age(now - one.since)}" if one.since is not None else ""
    said = f": {one.words}" if one.group in URGENT else ""
    return f"{one.agent.name} {state.shown}{waited}{said}"


def _age(seconds: float) -> str:
    minutes = max(0, int(seconds)) // 60
    return f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min" if minutes else "now"


def _label(text: str, widest: int = WIDEST) -> str:
    """Return ``text`` so that tmux shows it as it is.

    tmux expands an entry as a format, where ``#(command)`` runs, and reads the result for styles:
    each time, two ``#`` become one (measured on 3.3a). Before ``[`` only the second does that. A
    ``;`` at the end would end the command.
    """
    fits = one_line(text, max(1, min(widest, WIDEST)))
    plain = "".join(char if char.isprintable() else "?" for char in fits)
    label = _HASHES.sub(lambda run: run[0].rstrip("[") * (2 if run[1] else 4) + run[1], plain)
    return f"{label} " if label.endswith(("#", ";")) else label
