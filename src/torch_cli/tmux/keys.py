"""Keys on their way into a pane: those that its program has not read, and a person's latest."""

import contextlib
import os
import sys

from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.terminals import terminals


def terminal_of(client: ControlClient, pane_id: str) -> str:
    """Return the path of the pane's terminal (``/dev/pts/4``), '' if there is no such pane."""
    return client.ask(b"display-message -p -t %b '#{pane_tty}'" % pane_id.encode())[-1].text


def unread(terminal: str) -> int:
    """Return how many bytes no program has read yet from ``terminal``, a path; 0 if unknown."""
    import fcntl
    import termios

    with contextlib.suppress(OSError):
        descriptor = os.open(terminal, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            count = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
            return int.from_bytes(count, sys.byteorder)
        finally:
            os.close(descriptor)
    return 0


def unread_in(client: ControlClient, pane_id: str) -> bool:
    """Return whether keys wait in the pane's terminal that no program has read; no if unknown."""
    return unread(terminal_of(client, pane_id)) > 0


def latest(client: ControlClient, pane_id: str) -> float:
    """Return when somebody last pressed a key in a terminal that shows the pane as its active one.

    In epoch seconds, cut to whole ones, as tmux tells it; 0 if no terminal shows it.
    """
    return max((one.touched for one in terminals(client) if one.pane == pane_id), default=0.0)
