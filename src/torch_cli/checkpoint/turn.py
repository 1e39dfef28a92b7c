"""Few checkpoints at once: eight of them starve a message on two cores."""

import contextlib
import os
import select
import time
from collections.abc import Iterator

from torch_cli.flock import POLL, hold
from torch_cli.paths import state_dir

PATIENCE = 20.0
"""Seconds that a turn is waited for; then it continues without. It is a courtesy, no lock."""


def turns() -> int:
    """Return how many checkpoints are made at once: as many as half of the processors."""
    return max(1, (os.cpu_count() or 1) // 2)


@contextlib.contextmanager
def turn(patience: float = PATIENCE) -> Iterator[None]:
    """Wait until few enough others are working, and hold one of the turns meanwhile."""
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
        select.select([], [], [], POLL)


def _try(number: int) -> int | None:
    path = os.path.join(state_dir(), "checkpoints", f"turn-{number}")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None  # what cannot be written is said by who must write
    if hold(file, 0.0):
        return file
    os.close(file)
    return None
