"""Whether a process of a team is ready: its port is open, or its screen says so."""

import contextlib
import select
import socket as sockets
import time

from torch_cli.errors import TimedOutError, TorchError
from torch_cli.roster.started import living_pane
from torch_cli.teamfile.described import Member
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

PROCESS_POLL_SECONDS = 0.1
SEARCHED_LINES = 200
"""The text is searched in this many lines of the pane, with its history."""


def listens(port: int) -> bool:
    """Return whether a process listens on ``port`` of this machine, by IPv4 or IPv6."""
    for address in ("127.0.0.1", "::1"):
        with contextlib.suppress(OSError), sockets.create_connection((address, port), timeout=1.0):
            return True
    return False


def await_process(pane: Pane, member: Member) -> None:
    """Wait until the process in ``pane`` is ready, as its member says.

    Raises ``TorchError`` with its last lines if it ended, ``TimedOutError`` if it is not ready in
    time; it continues then.
    """
    deadline = time.monotonic() + member.timeout
    while True:
        shown = _shown(pane)
        if _is_dead(pane):
            last = "\n".join(f"  {line}" for line in shown.splitlines()[-8:] if line.strip())
            raise TorchError(f"'{member.name}' ended while starting:\n{last}", code="crashed")
        if (not member.port or listens(member.port)) and member.ready in shown:
            return
        if time.monotonic() >= deadline:
            wanted = f"port {member.port}" if member.port else f"'{member.ready}' on its screen"
            raise TimedOutError(
                f"'{member.name}' was not ready after {member.timeout:g} s: no {wanted}; it "
                "continues"
            )
        select.select([], [], [], PROCESS_POLL_SECONDS)


def _is_dead(pane: Pane) -> bool:
    return living_pane(pane.socket_path, pane.server, pane.id, pane.pid) is None


def _shown(pane: Pane) -> str:
    words = ("-N", "capture-pane", "-p", "-J", "-t", pane.id, "-S", str(-SEARCHED_LINES))
    return run(Socket(path=pane.socket_path), *words).out
