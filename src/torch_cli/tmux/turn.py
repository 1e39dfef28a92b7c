"""Torch's processes take turns at a tmux server where tmux would not survive otherwise.

From 3.3 until 3.7 (its commit e5a2a25, GitHub issue 4980) a tmux server dies, with everything in
it, if it has something to tell all control clients while one of them is still introducing itself:
8 processes that opened and closed clients ended it in 4 of 10 rounds (3.3a, 2026-11-22). So a
client connects alone, and whatever else Torch asks of tmux is asked while none connects. What
people and other programs do in that moment, some 50 microseconds long, is beyond its reach.
"""

import fcntl
import os
import select
import time
from types import TracebackType

from torch_cli.tmux.socket import Socket

PATIENCE = 5.0
"""Seconds to wait for a turn, then it is taken: a connection takes 3 ms, so whoever holds it that
long hangs, and this is a precaution, not a promise."""


class Turn:
    """A context manager: others may speak to tmux too, unless it is taken ``alone``.

    The lock is on the directory of the server's socket, so it leaves nothing behind and ends with
    its holder. Where there is no such directory there is no server to protect.
    """

    def __init__(self, socket: Socket, *, alone: bool = False) -> None:
        self._path = os.path.dirname(socket.file) or "."
        self._kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        self._file = -1

    def __enter__(self) -> None:
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            self._wait(time.monotonic() + PATIENCE)
        except OSError:
            pass  # no server yet, or a file system without locks

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _wait(self, deadline: float) -> None:
        pause = 0.0003
        while True:
            try:
                fcntl.flock(self._file, self._kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return
            else:
                return
            # flock has no timed wait; signals and alarms belong to the caller.
            select.select([], [], [], pause)
            pause = min(pause * 1.5, 0.005)
