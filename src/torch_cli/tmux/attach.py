"""Handing this terminal to tmux."""

import os
import sys
from typing import NoReturn

from torch_cli.errors import RefusedError
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import environment
from torch_cli.tmux.socket import Socket


def attach_command(socket: Socket, pane: Pane) -> list[str]:
    """Return the command that shows ``pane``: attach, or inside the same server, switch."""
    inside = os.environ.get("TMUX", "").rsplit(",", 2)[0] == pane.socket_path
    show = ["switch-client" if inside else "attach-session", "-t", pane.session_id]
    choose = [";", "select-window", "-t", pane.window_id, ";", "select-pane", "-t", pane.id]
    return ["tmux", "-u", *socket.arguments, *show, *choose]


def attach(socket: Socket, pane: Pane) -> NoReturn:
    """Become tmux, attached to ``pane``. Raises ``RefusedError`` without a terminal."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise RefusedError("attaching needs a terminal", code="no-terminal")
    words = attach_command(socket, pane)
    # switch-client must know which client it is; attaching must not think that it is nested.
    environ = dict(os.environ) if words[-9] == "switch-client" else environment()
    os.execvpe(words[0], words, environ)
