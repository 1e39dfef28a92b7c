"""Ends everything that a proof has started, with its directory."""

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.tmux.server import LIBTMUX_ERRORS, Server
from torch_cli.tmux.socket import Socket

STAGE_END_SECONDS = 2.0
"""Seconds that processes get to end after SIGTERM."""


def leave_nothing(root: Path, *, by_directory: bool = True) -> None:
    """End all that runs in ``root``: its tmux servers, and programs that outlive their pane.

    Without ``by_directory`` a process that only works in a directory there is left alone: a shell
    of a person's, who looks at what was left. Those of the proof have their home there.
    """
    for socket in root.glob("*/s"):
        with contextlib.suppress(TorchError, *LIBTMUX_ERRORS):
            Server(Socket(path=str(socket))).kill()
    for sign in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):  # a machine may be slow
        deadline = time.monotonic() + STAGE_END_SECONDS
        while (left := _inside(root, by_directory)) and time.monotonic() < deadline:
            for process in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process.pid, sign)
            time.sleep(0.02)
    shutil.rmtree(root, ignore_errors=True)


def _inside(root: Path, by_directory: bool) -> list[procs.Process]:
    """Return the living processes whose home, or else working directory, is in ``root``."""
    inside = f"{root}{os.sep}"

    def is_inside(pid: int) -> bool:
        home = (procs.environment(pid) or {}).get("HOME", "")
        works = f"{procs.directory(pid) or ''}{os.sep}" if by_directory else ""
        return works.startswith(inside) or home.startswith(inside)

    own = os.getpid()
    everything = procs.descendants(0)
    return [one for one in everything if one.pid != own and procs.alive(one) and is_inside(one.pid)]
