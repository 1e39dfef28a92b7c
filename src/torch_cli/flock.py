"""A file lock that waits for a limited time, and that ends when its holder ends."""

import fcntl
import os
import select
import time
from collections.abc import Callable

from torch_cli.errors import TorchError
from torch_cli.paths import make_private

LOCK_POLL_SECONDS = 0.02
"""Seconds between two tries: flock(2) has no timed wait, and alarms belong to the caller."""


def open_lock(path: str, nothing: str) -> int:
    """Open the file of a lock; make the file and its directory if needed.

    If that fails, raises ``TorchError``, which says ``nothing`` (what was not done).
    """
    directory = os.path.dirname(path)
    try:
        make_private(directory)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise TorchError(
            f"could not make a lock in {directory}: {error.strerror}; {nothing}",
            hint="Check that the state directory is writable and not full, or set TORCH_HOME.",
            code="store",
        ) from error


def hold(file: int, deadline: float, on_wait: Callable[[], None] = lambda: None) -> bool:
    """Take the exclusive lock on an open ``file`` by ``deadline`` (monotonic); say whether it was
    taken.

    ``on_wait`` is called each time that another process still has the lock. A deadline that has
    passed means a single try. Closing the file releases the lock. Raises ``OSError`` if the file
    system has no locks.
    """
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            on_wait()
            select.select([], [], [], LOCK_POLL_SECONDS)
        else:
            return True
