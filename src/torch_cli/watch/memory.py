"""Whether a program was killed because memory had run out: what the kernel says about that.

Linux counts such kills in each group of processes (cgroup v2: ``memory.events``, v1:
``memory.oom_control``), and names the process in its log, which only some users may read. Elsewhere
nothing is known.
"""

import os
import re
import time

from torch_cli.store.health import MemoryKills

LOG_RECORD_BYTES = 8192
"""Bytes of a record of the kernel's log at most (Documentation/ABI/testing/dev-kmsg)."""

_PLACES = (
    ("0::", "/sys/fs/cgroup", "memory.events"),
    ("memory:", "/sys/fs/cgroup/memory", "memory.oom_control"),
)
"""How the line of ``/proc/PID/cgroup`` begins behind its number, where its groups are, and the file
that counts kills."""


def kills_around(pid: int, known: dict[str, MemoryKills] | None = None) -> MemoryKills:
    """Return the kills so far in the group of the living process ``pid``.

    ``known`` is what was found at the same moment, by the groups of a process, and gets the rest.
    """
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
            groups = file.read()
    except (OSError, UnicodeDecodeError):
        return MemoryKills()
    known = {} if known is None else known
    if groups not in known:
        known[groups] = _kills_in(groups)
    return known[groups]


def _kills_in(groups: str) -> MemoryKills:
    """Return the kills in the first of ``groups``, as the kernel lists them, that counts any."""
    for begin, top, name in _PLACES:
        for line in groups.splitlines():
            group = line if line.startswith(begin) else line.partition(":")[2]
            if not group.startswith(begin):
                continue
            path = os.path.join(top, group.removeprefix(begin).lstrip("/"), name)
            count = count_in(path)
            if count is not None:
                return MemoryKills(path, count)
    return MemoryKills()


def count_in(path: str) -> int | None:
    """Return the kills that the file ``path`` counts, ``None`` if it does not say."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("oom_kill ")]
    return int(found[0]) if found else None


def log_names(pid: int, since: float, log: str = "/dev/kmsg") -> bool:
    """Return whether the kernel's log says that it killed ``pid`` for want of memory.

    Only records since ``since`` (epoch seconds) count: a later process can have the number. False
    if the log cannot be read.
    """
    wanted = re.compile(rb"Killed process %d \(" % pid)
    now, up = time.time(), time.clock_gettime(time.CLOCK_MONOTONIC)
    try:
        file = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        while record := os.read(file, LOG_RECORD_BYTES):
            head, _, words = record.partition(b";")
            at = int(head.split(b",")[2]) / 1_000_000
            if wanted.search(words) and now - up + at >= since:
                return True
    except (OSError, ValueError, IndexError):  # EAGAIN: that was the last record
        return False
    finally:
        os.close(file)
    return False
