"""Ends processes that Torch started: first asked by SIGTERM, then by force."""

import contextlib
import os
import select
import signal
import time

from torch_cli import procs
from torch_cli.tmux.panes import Pane

TERM_GRACE_SECONDS = 5.0
"""Seconds between SIGTERM and SIGKILL for processes that Torch started."""


def gone_within(program: procs.Process, seconds: float) -> bool:
    """Return whether ``program`` has ended, now or in the next ``seconds``."""
    deadline = time.monotonic() + seconds
    while procs.alive(program):
        if time.monotonic() >= deadline:
            return False
        select.select([], [], [], 0.02)  # it is not our child, so there is nothing to wait on
    return True


def end_all(family: list[procs.Process]) -> int:
    """End processes; return how many were still alive, negative if one had to be killed."""
    alive = [process for process in dict.fromkeys(family) if procs.alive(process)]
    for process in reversed(alive):
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + TERM_GRACE_SECONDS
    stubborn = [p for p in alive if not gone_within(p, max(0.0, deadline - time.monotonic()))]
    for process in stubborn:
        _signal(process, signal.SIGKILL)
        gone_within(process, 1.0)
    return -len(alive) if stubborn else len(alive)


def _signal(process: procs.Process, number: signal.Signals) -> None:
    # Look again just before: another process may have the number now.
    if procs.alive(process):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


def end_tree(pane: Pane) -> None:
    """End the process in ``pane`` with all that it started."""
    own = procs.identify(pane.pid)
    end_all([*([own] if own else []), *procs.descendants(pane.pid)])
