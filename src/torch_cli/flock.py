"""A file lock that is waited for, and that dies with its holder."""

import fcntl
import select
import time

POLL = 0.02
"""Seconds between two tries: flock(2) has no timed wait, and alarms belong to the caller."""


def hold(file: int, deadline: float) -> bool:
    """Take the exclusive lock on an open ``file`` by ``deadline`` (monotonic); say if it was had.

    One that has passed means a single try. Closing the file lets go. Raises ``OSError`` where the
    file system has no locks.
    """
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            select.select([], [], [], POLL)
        else:
            return True
