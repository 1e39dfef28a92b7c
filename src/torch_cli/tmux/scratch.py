"""A pane on a tmux server of its own, for a program that Torch only looks at.

The server's socket is in a new temporary directory, and the server reads no configuration. So it
does not touch the caller's tmux. The server ends with the ``with`` block. If Torch is killed, the
server ends with the connection, and only the directory is left.
"""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.tmux.control import ControlClient, TmuxError
from torch_cli.tmux.opening import PLACEHOLDER_COMMAND, Order, start_command
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.process import run
from torch_cli.tmux.server import LIBTMUX_ERRORS, Server
from torch_cli.tmux.socket import Socket

SIZE = (120, 40)
"""Columns and rows, those of the screens that the stock profiles were made from."""

_SCRATCH_END_SECONDS = 1.0
"""Seconds that the processes of the pane get to end after SIGHUP, and again after SIGTERM."""


class Scratch(NamedTuple):
    """The running pane. ``written`` is every byte that the program has written from its start."""

    client: ControlClient
    pane: Pane
    written: bytearray


@contextlib.contextmanager
def scratch_pane(order: Order) -> Iterator[Scratch]:
    """Run ``order.command`` in a pane of ``SIZE`` on a private server; end both afterwards.

    If the program ends, its dead pane stays with its last output (in tmux 3.2 the pane is gone).
    Raises ``NotFoundError`` if there is no tmux, ``RefusedError`` if it is too old.
    """
    folder = tempfile.mkdtemp(prefix="torch-")
    socket = Socket(path=os.path.join(folder, "tmux"))
    server = Server(socket, config_file="/dev/null")
    started: list[procs.Process] = []
    try:
        session = _start_server(server, order.directory)
        with ControlClient(socket, session) as client:
            server.set_option("exit-unattached", "on")
            server.close()
            pane = list_panes(socket, client)[0]
            started += [one for one in [procs.identify(pane.server_pid)] if one]
            written = client.listen(pane.id)
            lines = b"\n".join([*start_command(order, pane.id), b""])
            done = run(socket, "-N", "source-file", "-", stdin=lines, path=order.path)
            if done.status != 0:
                raise TmuxError(f"tmux could not start the program: {done.error}")
            yield Scratch(client, list_panes(socket, client)[0], written)
    finally:
        _end(server, started)
        shutil.rmtree(folder, ignore_errors=True)


def _start_server(server: Server, directory: str) -> str:
    """Start the server with a session in which nothing runs yet; return the session's id."""
    # Not new_session, which hands a command to the user's shell.
    words = ["-d", "-P", "-F", "#{session_id}", "-s", "torch", "-c", directory]
    words += ["-x", str(SIZE[0]), "-y", str(SIZE[1]), *PLACEHOLDER_COMMAND]
    made = server.cmd("new-session", *words)
    if not made.stdout:
        said = " ".join(made.stderr)
        raise TmuxError(f"tmux could not start a server of its own: {said}")
    return made.stdout[0]


def _end(server: Server, started: list[procs.Process]) -> None:
    """End the server and all that ran in it, and wait until they are gone."""
    inside = [process for one in started for process in procs.descendants(one.pid)]
    with contextlib.suppress(TorchError, *LIBTMUX_ERRORS):  # it may have ended by itself
        server.kill()
    for sign in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _SCRATCH_END_SECONDS
        while any(map(procs.alive, [*started, *inside])) and time.monotonic() < deadline:
            time.sleep(0.005)
        for process in filter(procs.alive, [*started, *inside]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, sign)
