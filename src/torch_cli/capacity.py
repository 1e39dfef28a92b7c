"""How much memory the machine has left, and what a program takes of it."""

import contextlib
from pathlib import Path


def available(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the bytes of memory that programs can still get, in a container its share."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit, used = (_number(cgroup / name) for name in ("memory.max", "memory.current"))
    if limit is None or used is None:
        return free
    # What the kernel keeps of files is given back when it is needed.
    return max(0, min(free, limit - used + _inactive_file(cgroup)))


def used_by(pid: int) -> int:
    """Return the bytes of memory that a program and all processes it has started take, 0 if it is
    gone.

    On Linux shared memory counts in part, elsewhere in full.
    """
    import psutil

    total = 0
    with contextlib.suppress(psutil.Error):
        program = psutil.Process(pid)
        for one in (program, *program.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += _of(one)
    return total


def _of(process: object) -> int:
    import psutil

    assert isinstance(process, psutil.Process)
    with contextlib.suppress(psutil.AccessDenied):
        facts = process.memory_full_info()
        return int(getattr(facts, "pss", 0) or facts.rss)
    return int(process.memory_info().rss)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max": no limit
        return None


def _inactive_file(cgroup: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in (cgroup / "memory.stat").read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "inactive_file":
                return int(value)
    return 0
