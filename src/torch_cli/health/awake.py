"""Keeping the machine awake while agents are at work: a lock of the system's own against its sleep.

Linux: ``systemd-inhibit``, macOS: ``caffeinate``. The lock is held by a child that reads a pipe of
this process, so it ends with this process, however that ends.
"""

import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import NamedTuple

from torch_cli.errors import TorchError
from torch_cli.intervals import INTERVALS
from torch_cli.programs.state import AT_WORK

LOCK_SECONDS = 5.0
"""Seconds that the system may take to give a lock. logind gave one within 20 ms (systemd 252)."""

_HOLD = ("sh", "-c", "echo held; exec cat >/dev/null")
"""Says that it was started, which is when the lock is held, and ends with its input."""


class Keeper(NamedTuple):
    """A way to hold a lock: the ``words`` before a program, and ``what`` it keeps away."""

    words: tuple[str, ...]
    what: str


def keepers(platform: str = sys.platform) -> tuple[Keeper, ...]:
    """Return the ways of this system, the best first.

    logind lets a user at the machine keep it from all sleep, and one who came by SSH only from the
    sleep of an idle machine (org.freedesktop.login1.policy).
    """
    if platform == "darwin":
        return (Keeper(("caffeinate", "-i"), "sleep of an idle machine"),)
    lock = ("systemd-inhibit", "--who=Torch", "--why=agents are at work", "--mode=block")
    return (
        Keeper((*lock, "--what=sleep:idle"), "sleep"),
        Keeper((*lock, "--what=idle"), "sleep of an idle machine"),
    )


class Lock:
    """A lock against sleep, held inside the block; ``what`` it keeps away.

    Raises ``TorchError`` with the system's words if none is given.
    """

    def __init__(self, ways: Sequence[Keeper] | None = None) -> None:
        said = ""
        for way in keepers() if ways is None else ways:
            self.what = way.what
            try:
                self._child = subprocess.Popen(
                    [*way.words, *_HOLD],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C is for this process, which gives it back
                )
            except OSError as error:
                said = said or f"{way.words[0]}: {error.strerror}"
                continue
            if self._is_held():
                return
            said = self.close() or said
        raise TorchError(
            f"this machine gives no lock against sleep: {said or 'no answer'}; it may fall asleep",
            hint="On Linux 'systemd-inhibit' of systemd gives one, on macOS 'caffeinate'.",
            code="no-lock",
        )

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def lost(self) -> bool:
        """Whether the lock was taken away: what holds it has ended."""
        return self._child.poll() is not None

    def _is_held(self) -> bool:
        assert self._child.stdout is not None
        ready, _, _ = select.select([self._child.stdout], [], [], LOCK_SECONDS)
        return bool(ready) and self._child.stdout.readline() == b"held\n"

    def close(self) -> str:
        """Give the lock back: end what holds it; return the last line of its errors."""
        try:
            _, errors = self._child.communicate(timeout=LOCK_SECONDS)  # closes its input
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                self._child.send_signal(signal.SIGTERM)
            errors = self._killed()
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _killed(self) -> bytes:
        """Give what holds the lock time to end, then kill it; return its errors, if they came."""
        for kill in (False, True):
            if kill:
                self._child.kill()
            with suppress(subprocess.TimeoutExpired):  # another process can hold its output open
                return self._child.communicate(timeout=LOCK_SECONDS)[1]
        return b""


class Wakefulness(NamedTuple):
    """What has changed: the ``agents`` that work, and what is kept away since, '' if nothing is."""

    agents: tuple[str, ...]
    keeps_away: str


def stay_awake(
    states: Callable[[], Sequence[tuple[str, str]]],
    *,
    seconds: float | None = None,
    until_rest: bool = False,
) -> Generator[Wakefulness]:
    """Return what holds a lock while an agent is at work, and yields each change: held, given back.

    ``states`` returns agents with their states. It ends after ``seconds`` if they are given, and
    with ``until_rest`` when no agent has worked for ``INTERVALS.rests`` seconds. Raises as ``Lock``
    does, at once, also if nobody works yet.
    """
    with Lock():
        pass  # a machine that gives none says so now, and not when somebody works
    return _changes(states, seconds, until_rest)


def _changes(
    states: Callable[[], Sequence[tuple[str, str]]], seconds: float | None, until_rest: bool
) -> Generator[Wakefulness]:
    ends = None if seconds is None else time.monotonic() + seconds
    lock: Lock | None = None
    worked = time.monotonic()
    try:
        while ends is None or time.monotonic() < ends:
            busy = tuple(name for name, state in states() if state in AT_WORK)
            worked = time.monotonic() if busy else worked
            rests = time.monotonic() - worked >= INTERVALS.rests
            if lock is not None and lock.lost:
                lock = None
            if busy and lock is None:
                lock = Lock()
                yield Wakefulness(busy, lock.what)
            elif lock is not None and rests:
                lock.close()
                lock = None
                yield Wakefulness((), "")
            if until_rest and rests:
                return
            left = INTERVALS.awake if ends is None else ends - time.monotonic()
            time.sleep(max(0.0, min(INTERVALS.awake, left)))
    finally:
        if lock is not None:
            lock.close()
