"""Attaching this terminal to tmux."""

import os
import sys
from typing import NamedTuple, NoReturn

from torch_cli.errors import RefusedError
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import environment, program
from torch_cli.tmux.socket import Socket


class AttachCommand(NamedTuple):
    """The command that shows a pane. ``switches`` says that it switches the present tmux client."""

    words: list[str]
    switches: bool

    @property
    def environment(self) -> dict[str, str]:
        """The environment for the command.

        To switch, tmux must know which client asks. To attach, it must not think that it is nested.
        """
        return dict(os.environ) if self.switches else environment()


def attach_command(socket: Socket, pane: Pane) -> AttachCommand:
    """Return the command that shows ``pane``: attach, or switch inside the same server."""
    inside = os.environ.get("TMUX", "").rsplit(",", 2)[0] == pane.socket_path
    show = ["switch-client" if inside else "attach-session", "-t", pane.session_id]
    choose = [";", "select-window", "-t", pane.window_id, ";", "select-pane", "-t", pane.id]
    return AttachCommand([program(), "-u", *socket.arguments, *show, *choose], inside)


def attach(socket: Socket, pane: Pane) -> NoReturn:
    """Become tmux, attached to ``pane``. Raises ``RefusedError`` without a terminal."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise RefusedError("attaching needs a terminal", code="no-terminal")
    command = attach_command(socket, pane)
    os.execvpe(command.words[0], command.words, command.environment)
