"""Limits how many checkpoints are made at once. Eight of them delay a message on two cores."""

import contextlib
import os
import select
import time
from collections.abc import Iterator

from torch_cli.flock import LOCK_POLL_SECONDS, hold
from torch_cli.paths import state_dir

TURN_WAIT_SECONDS = 20.0
"""Seconds to wait for a turn. After that the checkpoint is made without. This is not a lock."""


def turns() -> int:
    """Return how many checkpoints are made at once: half as many as there are processors."""
    return max(1, (os.cpu_count() or 1) // 2)


@contextlib.contextmanager
def turn(patience: float = TURN_WAIT_SECONDS) -> Iterator[None]:
    """Wait until few enough checkpoints are being made, and hold a turn in the block."""
    file = _wait(time.monotonic() + patience)
    try:
        yield
    finally:
        if file is not None:
            os.close(file)


def _wait(deadline: float) -> int | None:
    while True:
        for number in range(turns()):
            file = _try(number)
            if file is not None:
                return file
        if time.monotonic() >= deadline:
            return None
        select.select([], [], [], LOCK_POLL_SECONDS)


def _try(number: int) -> int | None:
    path = os.path.join(state_dir(), "checkpoints", f"turn-{number}")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None  # a later step reports a disk that cannot be written
    if hold(file, 0.0):
        return file
    os.close(file)
    return None
