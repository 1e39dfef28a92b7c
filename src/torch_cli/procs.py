"""Facts about processes: identity, life, working directory, owner.

On Linux they are read from ``/proc``: every message needs this module, and importing psutil costs
20 ms. Elsewhere psutil says them. Only tests on Linux have tried that half; psutil does not know
the process group that has a terminal, for which ``ps`` is asked.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Container
from typing import Any, NamedTuple

_LINUX = sys.platform.startswith("linux")

_CLOCKS_APART = 0.0005
_CLOCK_READINGS = 20
"""Two clocks are read as one moment if that took at most so many seconds, after so many tries."""

_PS_SECONDS = 5.0
"""Seconds that ``ps`` may take (macOS); a guess, it answers in milliseconds."""


class Process(NamedTuple):
    """A process that cannot be mistaken for a later one with the same number.

    ``started`` is opaque: on Linux the clock ticks from boot to its start (field 22 of
    ``/proc/PID/stat``), on macOS its date in UTC, to the second. Use it for comparison only.
    """

    pid: int
    started: str


class _Status(NamedTuple):
    """The part of a process's status that is used here; ``group`` and ``foreground`` are process
    groups, ``terminal`` the number of a device, 0 if there is none.
    """

    dead: bool
    parent: int
    started: str
    foreground: int = 0
    terminal: int = 0


def identify(pid: int) -> Process | None:
    """Return the identity of the process that has this number now; ``None`` if none has.

    A zombie has an identity, but is not ``alive``.
    """
    status = _status(pid)
    return Process(pid, status.started) if status else None


def begun(process: Process) -> float | None:
    """Return when a process began, in epoch seconds; ``None`` where that cannot be known.

    On Linux it is at most one tick of the kernel's clock too early (10 ms as a rule), and never too
    late; on macOS it is exact.
    """
    if not _LINUX:
        moment = _asked(process.pid, "create_time") if alive(process) else None
        return None if moment is None else float(moment)
    import time

    # Not /proc/uptime: it is cut to 10 ms, so a process would seem to have begun later. An
    # interruption between the two clocks would make it seem earlier, so they are read again.
    for _ in range(_CLOCK_READINGS):
        first, now = time.clock_gettime(time.CLOCK_BOOTTIME), time.time()
        up = time.clock_gettime(time.CLOCK_BOOTTIME)
        if up - first < _CLOCKS_APART:
            break
    return now - up + int(process.started) / os.sysconf("SC_CLK_TCK")


def alive(process: Process) -> bool:
    """Say whether exactly this process still runs. A zombie does not."""
    status = _status(process.pid)
    return status is not None and not status.dead and status.started == process.started


def signal_words(number: int | None) -> str:
    """Return the words for the signal that ended a process: its number and name, if it is known."""
    if number is None:
        return "a signal"
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"


def directory(pid: int) -> str | None:
    """Return the working directory of a process, symbolic links resolved.

    Bytes that are not UTF-8 are kept by ``surrogateescape``. ``None`` if there is no such process,
    if it is a zombie, or if it is another user's. On Linux the path of a removed directory ends in
    `` (deleted)``, as the kernel writes it.
    """
    if _LINUX:
        try:
            return os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            return None
    return _asked(pid, "cwd") or None


def environment(pid: int) -> dict[str, str] | None:
    """Return the environment that a process was started with; ``None`` if it cannot be known.

    That is so for another user's process, and for a moment for one that has just begun: Linux shows
    an empty one then. One that was started with none is taken for such a process, too.
    """
    if not _LINUX:
        return _asked(pid, "environ") or None
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = os.fsdecode(file.read()).split("\0")
    except OSError:
        return None
    if entries == [""]:
        return None
    pairs = (entry.partition("=") for entry in entries if "=" in entry)
    return {name: value for name, _, value in pairs}


def arguments(pid: int) -> list[str] | None:
    """Return the words that a process was started with, or that it has set since.

    ``None`` if there is no such process, or if it is another user's.
    """
    if not _LINUX:
        return _asked(pid, "cmdline") or None
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read()).removesuffix("\0")
    except OSError:
        return None
    return words.split("\0") if words else None


def foreground(pid: int) -> int | None:
    """Return the process group that has the terminal of ``pid``: the number of its leader.

    ``None`` if there is no such process, or it has no terminal. The leader itself may have ended
    while other processes of its group continue.
    """
    if not _LINUX:
        return _ask_ps(pid)
    status = _status(pid)
    return status.foreground if status and status.foreground > 0 else None


def terminal(pid: int) -> int | None:
    """Return the number of the terminal that controls a process, 0 if none does.

    ``None`` if there is no such process.
    """
    status = _status(pid)
    if status is None or _LINUX:
        return status.terminal if status else None
    path = _asked(pid, "terminal")
    return os.stat(path).st_rdev if path else 0


_TERMINAL_TIME_SECONDS = 8
"""Linux dates a read from a terminal only if the last date is of another such span, counted from
the epoch: ``tty_update_time`` in ``drivers/tty/tty_io.c``, so that nobody can tell how somebody
types a password. Seen: of reads every 0.9 s the first after each multiple of 8 s was dated (6.18,
2026-11-29)."""


def terminal_unread_since(pid: int) -> float | None:
    """Return since when at least nothing was read from the terminal that controls a process.

    In epoch seconds by the clock of the machine, so a clock that is set meanwhile makes it wrong.
    It may be up to 8 s too late, and then lies in the future. ``None`` where that is not told:
    macOS, no such process, or its terminal is not at its usual place.
    """
    device = terminal(pid) if _dates_all_devices() else 0
    if not device:
        return None
    try:
        facts = os.stat(f"/dev/pts/{os.minor(device)}")
    except OSError:
        return None
    if facts.st_rdev != device:
        return None  # we see the terminals of another machine or container than it does
    spans = int(facts.st_atime) // _TERMINAL_TIME_SECONDS
    return float((spans + 1) * _TERMINAL_TIME_SECONDS)


def _dates_all_devices() -> bool:
    """Return whether a read through ``/dev/tty`` also dates the terminal itself: Linux from 6.5 on.

    Before, only the device that the program has opened was dated.
    """
    numbers = os.uname().release.split(".")[:2] if _LINUX else []
    return len(numbers) == 2 and [int(one) for one in numbers if one.isdecimal()] >= [6, 5]


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time that a process has used, without its children; ``None`` if it is gone."""
    if not _LINUX:
        times = _asked(pid, "cpu_times")
        return times.user + times.system if times else None
    try:
        stat = _content(f"/proc/{pid}/stat")
    except OSError:
        return None
    user, system = stat[stat.rindex(b")") + 2 :].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def ancestors(pid: int) -> list[int]:
    """Return ``pid``, its parent, and so on up to the first process of the machine, not included.

    A process whose parent has ended is a child of that first process, or of one that adopts
    orphans.
    """
    found: list[int] = []
    while pid > 1 and pid not in found:
        found.append(pid)
        status = _status(pid)
        pid = status.parent if status else 0
    return found


def descendants(pid: int) -> list[Process]:
    """Return the children of ``pid``, their children, and so on: every parent before its children.

    ``pid`` itself is not among them. A process whose parent has ended belongs to another tree and
    is not found. So take the list before you end anything.
    """
    every = ((one, _status(one)) for one in _pids())
    table = {one: status for one, status in every if status}
    children: dict[int, list[int]] = {}
    for number, status in table.items():
        children.setdefault(status.parent, []).append(number)
    found: list[Process] = []
    generation = [pid]
    while generation:
        generation = [child for parent in generation for child in children.pop(parent, [])]
        found += [Process(number, table[number].started) for number in generation]
    return found


def group(leader: int) -> list[int]:
    """Return the processes of a process group; none where that is not told (macOS).

    Every message asks this: one system call for each process of the machine takes a twentieth of
    the time that reading its ``/proc/PID/stat`` takes.
    """
    return [one for one in _pids() if _group_of(one) == leader] if _LINUX and leader > 0 else []


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:  # it has just ended
        return 0


def bytes_read(pid: int, besides: Container[bytes] = ()) -> int:
    """Return how many bytes the threads of a process have read, but for those with these names.

    It counts files, pipes and terminals, not sockets. A thread that has ended no longer counts.
    0 where that is not told: macOS, no such process, or one of another user.
    """
    total = 0
    for thread in _threads(pid):
        with contextlib.suppress(OSError):  # it has just ended
            if besides and _content(f"{thread}/comm").rstrip() in besides:
                continue
            total += int(_content(f"{thread}/io").split(None, 2)[1])
    return total


def sleeps(pid: int) -> bool:
    """Return whether all threads of a process wait for something, and none for a processor.

    True also where that is not told: macOS, no such process.
    """
    for thread in _threads(pid):
        with contextlib.suppress(OSError):
            if _content(f"{thread}/stat").rpartition(b") ")[2][:1] not in (b"S", b"I"):
                return False
    return True


def _threads(pid: int) -> list[str]:
    """Return the directories of the threads of a process (Linux)."""
    try:
        return [f"/proc/{pid}/task/{thread}" for thread in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def _content(path: str) -> bytes:
    """Return what the kernel says in a short file, in one read and without Python's own layers."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 1 << 16)
    finally:
        os.close(descriptor)


def working_in(top: str) -> list[int]:
    """Return the processes whose working directory is ``top`` or below, resolved."""
    return [pid for pid in _pids() if f"{directory(pid) or ''}/".startswith(f"{top}/")]


def _pids() -> list[int]:
    """Return the numbers of the processes that may be seen."""
    if _LINUX:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    import psutil

    return psutil.pids()


def _status(pid: int) -> _Status | None:
    if pid <= 0:
        return None
    if not _LINUX:
        return _look(pid)
    try:
        return _read_stat(_content(f"/proc/{pid}/stat"))
    except OSError:
        return None


def _read_stat(stat: bytes) -> _Status:
    """Read ``/proc/PID/stat`` (proc(5)); the name in brackets may hold brackets and spaces."""
    fields = stat[stat.rindex(b")") + 2 :].split()
    return _Status(
        dead=fields[0] in (b"Z", b"X"),
        parent=int(fields[1]),
        started=fields[19].decode("ascii"),
        foreground=int(fields[5]),
        terminal=int(fields[4]),
    )


def _look(pid: int) -> _Status | None:
    """Return what psutil sees of a process (macOS)."""
    import time

    facts = _asked(pid, "as_dict", ["status", "ppid", "create_time"])
    if facts is None:
        return None
    # The date has the form of ``ps -o lstart=``, with which agents were registered before.
    started = time.asctime(time.gmtime(facts["create_time"]))
    return _Status(facts["status"] == "zombie", facts["ppid"], started)


def _asked(pid: int, fact: str, *arguments: Any) -> Any:
    """Return what psutil says of a process; ``None`` if it says nothing (macOS)."""
    import psutil

    try:
        return getattr(psutil.Process(pid), fact)(*arguments)
    except (psutil.Error, ValueError, OverflowError):  # no such process, or none of ours
        return None


def _ask_ps(pid: int) -> int | None:
    """Return the foreground group of a process's terminal as ``ps`` says it (macOS)."""
    import subprocess

    words = ("ps", "-o", "tpgid=", "-p", str(pid))
    try:
        done = subprocess.run(words, capture_output=True, timeout=_PS_SECONDS, check=False)
        group = int(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return group if group > 0 else None
