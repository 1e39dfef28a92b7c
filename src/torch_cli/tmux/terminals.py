"""The terminals of the people at a server: what each of them shows, and its bell."""

import contextlib
import os
from collections.abc import Iterable
from typing import NamedTuple

from torch_cli.tmux import quote
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane

_FORM = (
    "#{?client_control_mode,1,0} #{client_activity} #{pane_id} #{bell-action} #{visual-bell}"
    " #{client_tty} #{client_name}"
)

_SHOWN = (
    "#{?client_control_mode,1,0} #{window_id} #{?window_zoomed_flag,1,0} #{pane_id}"
    " #{session_id} #{client_flags}"
)


class Terminal(NamedTuple):
    """A terminal that is attached: its ``name`` in tmux, its ``device``, and its active ``pane``.

    ``touched`` is when its person last pressed a key, or attached it (epoch seconds). ``rings``
    says whether the person's tmux options ``bell-action`` and ``visual-bell`` let it ring.
    """

    name: str
    device: str
    pane: str
    touched: float
    rings: bool


def terminals(client: ControlClient) -> list[Terminal]:
    """Return the terminals at the server of ``client``; programs in control mode have none.

    Raises ``TorchError`` if tmux does not answer.
    """
    found = []
    for line in client.call("list-clients", "-F", _FORM).lines:
        control, touched, pane, action, visual, device, name = line.split(" ", 6)
        if control == "0":
            at = float(touched) if touched.isdecimal() else 0.0
            rings = action != "none" and visual != "on"
            found.append(Terminal(name, device, pane, at, rings))
    return found


def is_seen(client: ControlClient, pane: str, device: str) -> bool:
    """Return whether a terminal shows ``pane``: its window, and no other pane zoomed in that.

    A program in control mode that is not Torch, as iTerm2, is taken to show all of its session.
    ``device`` is the terminal that the pane is for its program. Where the pane has another, as in
    a popup, which has none of its own, it is taken to be seen. Raises ``TorchError`` if tmux does
    not answer.
    """
    facts = "#{pane_id} #{pane_tty} #{window_id}#{session_id}"
    about = ("display-message", "-p", "-t", pane, facts)
    own, shown = client.ask_all([quote.line(*about), quote.line("list-clients", "-F", _SHOWN)])
    found, _, place = own.text.partition(" ")
    tty, _, last = place.rpartition(" ")
    window, _, session = last.partition("$")
    if not own.ok or not shown.ok or (found, tty) != (pane, device):
        return True
    return _shows(shown.lines, pane, window, f"${session}")


def is_shown(client: ControlClient, pane: Pane) -> bool:
    """Return whether a terminal, or iTerm2, shows ``pane``, by the rule of ``is_seen``.

    Raises ``TorchError`` if tmux does not answer.
    """
    lines = client.call("list-clients", "-F", _SHOWN).lines
    return _shows(lines, pane.id, pane.window_id, pane.session_id)


def _shows(lines: Iterable[str], pane: str, window: str, session: str) -> bool:
    """Return whether one of the clients, which ``_SHOWN`` printed, shows that pane."""
    rows = [line.split(" ") for line in lines]
    return any(
        (row[:2] == ["0", window] and (row[2] == "0" or row[3] == pane))
        or (row[0] == "1" and row[4] == session and "ignore-size" not in row[5].split(","))
        for row in rows
        if len(row) == 6
    )


def ring(people: Iterable[Terminal]) -> int:
    """Ring the bell of each terminal that may ring; return how many rang.

    tmux has no command for that, so the character goes to the terminal itself. One that does not
    read is left out: nobody waits for it.
    """
    rung = 0
    for one in people:
        if not one.rings:
            continue
        with contextlib.suppress(OSError):
            device = os.open(one.device, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                rung += os.write(device, b"\a") if os.isatty(device) else 0
            finally:
                os.close(device)
    return rung
