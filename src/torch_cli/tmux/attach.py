"""Attaching this terminal to tmux."""

import os
import sys
from typing import NamedTuple, NoReturn

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import environment, program, run
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
        raise RefusedError(
            "attaching needs a terminal; nothing was done",
            hint="Without one, 'torch capture NAME' prints what the agent shows.",
            code="no-terminal",
        )
    command = attach_command(socket, pane)
    os.execvpe(command.words[0], command.words, command.environment)


class Attachment(NamedTuple):
    """A terminal that is attached to a server, by tmux's name for it, and what it shows."""

    name: str
    session: str
    window: str
    pane: str

    @property
    def place(self) -> str:
        """What it shows, in one word."""
        return f"{self.session}/{self.window}/{self.pane}"


def client_here(socket: Socket, name: str | None = None) -> Attachment | None:
    """Return the client of ``socket`` that this process is shown in, or the one of that ``name``.

    It is the one that was used last of those that show the session of this process's pane, else of
    all, as tmux itself decides. Raises ``NotFoundError`` if there is no client of that name.
    """
    form = "#{?client_control_mode,1,0} #{client_activity} #{session_id} #{window_id} #{pane_id} "
    said = run(socket, "list-clients", "-F", form + "#{client_name}")
    rows = [line.split(" ", 5) for line in said.out.splitlines()]
    found = [(int(row[1]), Attachment(row[5], *row[2:5])) for row in rows if row[0] == "0"]
    if name is not None:
        named = [client for _, client in found if client.name == name]
        if not named:
            raise NotFoundError(f"no client '{name}' is attached to {socket}", code="no-client")
        return named[0]
    session = _own_session(socket)
    near = [one for one in found if one[1].session == session] or found
    return max(near, key=lambda one: one[0])[1] if near else None


def inside() -> Socket | None:
    """Return the tmux server that this process runs in, ``None`` if it runs in none."""
    path = os.environ.get("TMUX", "").rsplit(",", 2)[0]
    return Socket(path=path) if path else None


def switch(socket: Socket, client: Attachment, place: str) -> bool:
    """Have ``client`` show a ``place`` of the same server; say whether it is there still."""
    session, window, pane = place.split("/")
    words = ["switch-client", "-c", client.name, "-t", session]
    words += [";", "select-window", "-t", f"{session}:{window}", ";", "select-pane", "-t", pane]
    there = run(socket, "list-panes", "-s", "-t", session, "-F", "#{window_id}/#{pane_id}")
    if f"{window}/{pane}" not in there.out.splitlines():
        return False
    return run(socket, *words).status == 0


def came_from(socket: Socket, client: Attachment) -> tuple[str, str]:
    """Return where ``client`` was before, and where it was brought to, '' if that is not kept."""
    kept = run(socket, "show-options", "-sqv", _option(client)).out.split()
    return (kept[0], kept[1]) if len(kept) == 2 else ("", "")


def keep(socket: Socket, client: Attachment, before: str, now: str) -> None:
    """Keep where ``client`` was before and is brought to, in the server; nothing if ``before``
    is ''.
    """
    words = [_option(client), f"{before} {now}"] if before else ["-u", _option(client)]
    run(socket, "set-option", "-sq", *words)


def _option(client: Attachment) -> str:
    """Return the name of a user option of the server, which ends with it, as panes' ids do."""
    return "@torch-back-" + "".join(c if c.isalnum() and c.isascii() else "-" for c in client.name)


def _own_session(socket: Socket) -> str:
    """Return the session of this process's pane, else the one that it was started for."""
    pane, number = os.environ.get("TMUX_PANE", ""), os.environ.get("TMUX", "").rsplit(",", 1)[-1]
    if pane:
        panes = run(socket, "list-panes", "-a", "-F", "#{pane_id} #{session_id}").out.splitlines()
        return dict(line.split(" ", 1) for line in panes).get(pane, "")
    return f"${number}" if number.isdigit() else ""
