"""Locks between processes that start agents: one at a time starts one agent."""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator

from torch_cli.errors import HeldError
from torch_cli.flock import hold, open_lock
from torch_cli.paths import state_dir


@contextlib.contextmanager
def alone(what: str, key: str, refusal: str, nothing: str, seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock ``what`` of ``key``; raises ``HeldError`` if another process has it for longer
    than ``seconds``.

    ``refusal`` says what that process does, ``nothing`` what was not done.
    """
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    file = open_lock(os.path.join(state_dir(), "locks", f"{what}-{digest}"), nothing)
    try:
        if not hold(file, time.monotonic() + seconds):
            raise HeldError(f"another process {refusal}; {nothing}", code="locked")
        yield
    finally:
        os.close(file)
