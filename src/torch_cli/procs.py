"""Facts about processes: identity, life, working directory, owner.

On Linux they are read from ``/proc``. On macOS ``ps`` and ``lsof`` are asked; that half was written
from their manuals and never tried. Every message needs this module, so it imports nothing but
``os`` where ``/proc`` exists.
"""

import os
import sys
from typing import NamedTuple

_LINUX = sys.platform.startswith("linux")

_ASK_TIMEOUT = 5.0
"""Seconds that ``ps`` or ``lsof`` may take (macOS); a guess, they answer in milliseconds."""


class Process(NamedTuple):
    """A process that cannot be mistaken for a later one with the same number.

    ``started`` is opaque: on Linux the clock ticks from boot to its start (field 22 of
    ``/proc/PID/stat``), on macOS the date that ``ps -o lstart=`` prints. Use it for comparison
    only.
    """

    pid: int
    started: str


class _Status(NamedTuple):
    """The part of a process's status that is used here; ``foreground`` is a process group,
    ``terminal`` the number of a device.
    """

    dead: bool
    parent: int
    foreground: int
    started: str
    terminal: int = 0


def identify(pid: int) -> Process | None:
    """Return the identity of the process that has this number now; ``None`` if none has.

    A zombie has an identity, but is not ``alive``.
    """
    status = _status(pid)
    return Process(pid, status.started) if status else None


def begun(process: Process) -> float | None:
    """Return when a process began, in epoch seconds; ``None`` where that cannot be known (macOS).

    It is at most one tick of the kernel's clock too early (10 ms as a rule), and never too late.
    """
    if not _LINUX:
        return None
    import time

    # Not /proc/uptime: it is cut to 10 ms, which makes a process seem to have begun later.
    # An interruption between the two clocks makes it seem earlier.
    now = time.time()
    up = time.clock_gettime(time.CLOCK_BOOTTIME)
    return now - up + int(process.started) / os.sysconf("SC_CLK_TCK")


def alive(process: Process) -> bool:
    """Say whether exactly this process still runs. A zombie does not."""
    status = _status(process.pid)
    return status is not None and not status.dead and status.started == process.started


def directory(pid: int) -> str | None:
    """Return the working directory of a process, symbolic links resolved.

    Bytes that are not UTF-8 are kept by ``surrogateescape``. ``None`` if there is no such process,
    if it is a zombie, or if it is another user's. On Linux a directory that has been removed is
    given with `` (deleted)`` behind it, as the kernel writes it.
    """
    if _LINUX:
        try:
            return os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            return None
    for line in _ask("lsof", "-a", "-p", str(pid), "-d", "cwd", "-Fn").splitlines():
        if line.startswith("n"):
            return line[1:]
    return None


def environment(pid: int) -> dict[str, str] | None:
    """Return the environment that a process was started with; ``None`` if it cannot be known.

    That is so for another user's process, and on macOS, where ``ps`` does not say where a value
    ends.
    """
    if not _LINUX:
        return None
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = os.fsdecode(file.read()).split("\0")
    except OSError:
        return None
    pairs = (entry.partition("=") for entry in entries if "=" in entry)
    return {name: value for name, _, value in pairs}


def arguments(pid: int) -> list[str] | None:
    """Return the words that a process was started with, or that it has set instead.

    ``None`` if there is no such process, and on macOS, where ``ps`` does not separate the words.
    """
    if not _LINUX:
        return None
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read()).removesuffix("\0")
    except OSError:
        return None
    return words.split("\0") if words else None


def foreground(pid: int) -> int | None:
    """Return the process group that has the terminal of ``pid``: the number of its leader.

    ``None`` if there is no such process or it has no terminal. The leader itself may have ended
    while others of its group go on.
    """
    status = _status(pid)
    return status.foreground if status and status.foreground > 0 else None


def terminal(pid: int) -> int | None:
    """Return the number of the terminal that controls a process, 0 if none does.

    ``None`` if there is no such process, and on macOS, where Torch does not ask for it.
    """
    status = _status(pid) if _LINUX else None
    return status.terminal if status else None


def ancestors(pid: int) -> list[int]:
    """Return ``pid``, its parent, and so on up to the first process of the machine, not included.

    A process whose parent has ended is a child of that first one, or of who looks after orphans.
    """
    found: list[int] = []
    table = {} if _LINUX else _table()
    while pid > 1 and pid not in found:
        found.append(pid)
        status = _status(pid) if _LINUX else table.get(pid)
        pid = status.parent if status else 0
    return found


def descendants(pid: int) -> list[Process]:
    """Return the children of ``pid``, their children, and so on: every parent before its children.

    ``pid`` itself is not among them. A process whose parent has ended belongs to another tree and
    is not found; take the list before ending anything.
    """
    table = _table()
    children: dict[int, list[int]] = {}
    for number, status in table.items():
        children.setdefault(status.parent, []).append(number)
    found: list[Process] = []
    generation = [pid]
    while generation:
        generation = [child for parent in generation for child in children.pop(parent, [])]
        found += [Process(number, table[number].started) for number in generation]
    return found


def _status(pid: int) -> _Status | None:
    if pid <= 0:
        return None
    if _LINUX:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                return _read_stat(file.read())
        except OSError:
            return None
    return _read_ps(_ask("ps", "-o", _PS_COLUMNS, "-p", str(pid))).get(pid)


def _table() -> dict[int, _Status]:
    """Return the status of every process that may be seen."""
    if not _LINUX:
        return _read_ps(_ask("ps", "-A", "-o", _PS_COLUMNS))
    every = ((int(name), _status(int(name))) for name in os.listdir("/proc") if name.isdecimal())
    return {pid: status for pid, status in every if status}


def _read_stat(stat: bytes) -> _Status:
    """Read ``/proc/PID/stat`` (proc(5)); the name in brackets may hold brackets and spaces."""
    fields = stat[stat.rindex(b")") + 2 :].split()
    return _Status(
        dead=fields[0] in (b"Z", b"X"),
        parent=int(fields[1]),
        foreground=int(fields[5]),
        started=fields[19].decode("ascii"),
        terminal=int(fields[4]),
    )


_PS_COLUMNS = "pid=,ppid=,tpgid=,stat=,lstart="


def _read_ps(output: str) -> dict[int, _Status]:
    """Read what ``ps`` printed for ``_PS_COLUMNS``: four words and a date a line."""
    table = {}
    for line in output.splitlines():
        fields = line.split(None, 4)
        if len(fields) == 5:
            pid, parent, group, state, started = fields
            dead = state.startswith("Z")
            table[int(pid)] = _Status(dead, int(parent), int(group), started.strip())
    return table


def _ask(*argv: str) -> str:
    """Return what a system tool prints, '' if it cannot be asked (macOS only)."""
    import subprocess

    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=_ASK_TIMEOUT, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return os.fsdecode(done.stdout)


def standing(top: str) -> list[int]:
    """Return the processes whose working directory is ``top`` or below, resolved; [] on macOS."""
    if not _LINUX:
        return []  # lsof would have to ask each
    numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in numbers if f"{directory(pid) or ''}/".startswith(f"{top}/")]
