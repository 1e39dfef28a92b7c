"""What the processes of agents take of the machine: memory, and time of the processor."""

import contextlib
import time
from collections.abc import Mapping
from typing import NamedTuple


class Use(NamedTuple):
    """What a program and all processes it has started take together.

    ``memory`` is in bytes; what processes share counts for each. ``percent`` is the part of one
    core since the look before, ``None`` at the first. ``seconds`` is what the processes that are
    there now have taken until ``at`` (of the monotonic clock).
    """

    memory: int
    percent: float | None
    seconds: float
    at: float


def uses(programs: Mapping[str, int], before: Mapping[str, Use]) -> dict[str, Use]:
    """Return the use of each of ``programs`` (a process by a name), but for those that are gone.

    ``before`` is what the last look returned.
    """
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found = {name: _use(pid, children, before.get(name)) for name, pid in programs.items()}
    return {name: use for name, use in found.items() if use is not None}


def _parents() -> dict[int, int]:
    import psutil

    return {one.pid: one.info["ppid"] for one in psutil.process_iter(["ppid"])}


def _use(pid: int, children: Mapping[int, list[int]], before: Use | None) -> Use | None:
    import psutil

    memory, seconds, left = 0, 0.0, [pid]
    while left:
        one = left.pop()
        left += children.get(one, [])
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(one)
            with process.oneshot():
                times = process.cpu_times()
                seconds += times.user + times.system
                memory += process.memory_info().rss
    if not memory:
        return None
    now = time.monotonic()
    if before is None or now <= before.at:
        return Use(memory, None, seconds, now)
    # A process that has ended takes its time along.
    return Use(memory, max(0.0, 100 * (seconds - before.seconds) / (now - before.at)), seconds, now)
