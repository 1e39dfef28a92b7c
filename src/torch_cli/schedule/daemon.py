"""The daemon: the scheduler that keeps running. Starting, stopping, and what is known about it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from torch_cli import procs
from torch_cli.child import detached_environment
from torch_cli.errors import DONE, HeldError, TimedOutError, TorchError
from torch_cli.paths import state_dir, unwritable
from torch_cli.schedule.notify import notify, watchdog_seconds
from torch_cli.schedule.tick import own_process
from torch_cli.store import Store
from torch_cli.store.lease import Clock, Held, HolderKind
from torch_cli.user_scope import scope_words

if TYPE_CHECKING:
    from torch_cli.schedule.loop import Loop

AFTER_TICK_SECONDS = 90.0
"""Seconds to wait for a working tick, whose time is limited."""

START_SECONDS = 15.0
"""Seconds in which a started daemon must be working. It needs half a second."""

KILLED_AFTER_SECONDS = 25
"""Whole seconds after which the kernel ends a daemon that was asked to end."""

STOP_SECONDS = 30.0
"""Seconds to wait for a daemon that was asked to end. It finishes a delivery first."""


class SchedulerStatus(NamedTuple):
    """What is known of the scheduler. Moments are seconds since the epoch.

    ``held`` is the valid lease, if there is one. ``ticked`` is when cron's last tick was, if it was
    recent. ``servers`` are the sockets of the tmux servers with agents, and whether each answers.
    ``unwritable`` says why nothing can be written where the state file is, as on a full disk.
    """

    held: Held | None
    ticked: float | None
    next_due: float | None
    checkins: int
    overdue: int
    waiting: int
    undelivered: int
    servers: dict[str, bool]
    unwritable: str = ""


def take_lease(store: Store) -> Held:
    """Take the scheduler's lease for this process. Waits for a tick that is working.

    Raises ``HeldError`` if another scheduler has it, and names that one.
    """
    deadline = time.monotonic() + AFTER_TICK_SECONDS
    while True:
        held = store.lease.take(HolderKind.DAEMON, own_process(), Clock.read())
        if held is not None:
            return held
        holder = store.lease.current()
        if holder is not None and (
            holder.kind is not HolderKind.TICK or time.monotonic() > deadline
        ):
            raise busy(holder)
        select.select([], [], [], 0.1)


def busy(holder: Held) -> HeldError:
    """Return the error that names the present scheduler."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.since))
    return HeldError(
        f"a scheduler is already working: {holder.kind}, process {holder.process.pid}, since "
        f"{since}",
        hint="'torch daemon status' shows it, 'torch daemon stop' ends it.",
        code="busy",
        details={"pid": holder.process.pid, "kind": holder.kind, "token": holder.token},
    )


def run(*, as_json: bool, bodies: bool, echo: bool) -> None:
    """Be the scheduler until SIGTERM or SIGINT.

    Raises ``HeldError`` if another scheduler is running, ``FencedError`` if another has taken over.
    """
    os.umask(0o077)  # its log may contain private names
    with Store() as store:
        holder = store.lease.current()
        if holder is not None and holder.kind is not HolderKind.TICK:
            raise busy(holder)
        # Slow imports, and those that can fail, come before the lease: its holder must be at work.
        from torch_cli.schedule.journal import Journal
        from torch_cli.schedule.loop import Loop

        journal = Journal(as_json=as_json, bodies=bodies, echo=echo)
        loop = Loop(store, journal, on_look=_Pulse().beat)
        held = take_lease(store)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: _end(loop))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of the terminal that it was started from
        journal.say("started", pid=os.getpid(), token=held.token)
        notify(f"READY=1\nMAINPID={os.getpid()}")
        stuck: list[str] = []
        try:
            stuck = loop.run(held)
        except Exception as error:
            journal.error(error)
            raise
        finally:
            notify("STOPPING=1")
            with contextlib.suppress(TorchError):
                store.lease.release(held, Clock.read())
            journal.say("stopped", pid=os.getpid(), unfinished=", ".join(stuck))
        if stuck:
            os._exit(DONE)  # Python would wait for the threads of these passes


def _end(loop: "Loop") -> None:
    """Ask the loop to end. If it does not end, the kernel ends this process."""
    loop.stop()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(KILLED_AFTER_SECONDS)


class _Pulse:
    """Tells systemd's watchdog, as often as it wants, that the loop runs."""

    def __init__(self) -> None:
        self._every, self._last = watchdog_seconds(), 0.0

    def beat(self) -> None:
        if self._every is not None and time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            notify("WATCHDOG=1")


def start(options: list[str]) -> Held:
    """Start a daemon in the background, with ``options`` of ``torch daemon run``; return its lease.

    It gets a scope of the user's own systemd if it would end with this login. Raises ``HeldError``
    if a scheduler is working, ``TorchError`` with the daemon's words if it ended, ``TimedOutError``
    if it does not begin to work.
    """
    with Store() as store:
        holder = store.lease.current()
        if holder is not None and holder.kind is not HolderKind.TICK:
            raise busy(holder)
    said = os.path.join(state_dir(), "daemon.err")
    words = [sys.executable, "-m", "torch_cli", "daemon", "run", "--quiet", *options]
    words = [*scope_words(), *words]  # it runs in place: the process is still the child
    with open(said, "wb", opener=_private) as errors:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            cwd="/",
            env=detached_environment(),
        )
    deadline = time.monotonic() + START_SECONDS + AFTER_TICK_SECONDS
    with Store() as store:
        while time.monotonic() < deadline:
            held = store.lease.current()
            if held is not None and held.process.pid == child.pid:
                return held
            if child.poll() is not None:
                raise _ended(said, child.returncode)
            select.select([], [], [], 0.02)
    child.terminate()
    raise TimedOutError(
        f"the daemon did not start working within {START_SECONDS + AFTER_TICK_SECONDS:g} s, and "
        "was ended",
        hint="'torch daemon logs' may say why.",
    )


def await_start() -> Held:
    """Return the lease of the daemon that the system was asked to start, as soon as it works.

    Raises ``TimedOutError`` if it does not begin to work.
    """
    deadline = time.monotonic() + START_SECONDS
    with Store() as store:
        while time.monotonic() < deadline:
            held = store.lease.current()
            if held is not None and held.kind is HolderKind.DAEMON:
                return held
            select.select([], [], [], 0.02)
    raise TimedOutError(
        f"the system was asked to start the daemon, which did not work within {START_SECONDS:g} s",
        hint="'torch daemon logs' may say why. Without the system: torch daemon start",
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _ended(said: str, status: int) -> TorchError:
    try:
        with open(said, encoding="utf-8", errors="replace") as file:
            words = file.read().strip()
    except OSError:
        words = ""
    return TorchError(
        f"the daemon ended at once, with status {status}" + (f": {words[-500:]}" if words else ""),
        code="daemon",
    )


def stop() -> Held | None:
    """Ask the daemon to end and wait until it has; return its lease, ``None`` if none runs.

    Raises ``HeldError`` if the scheduler is a tick, which ends by itself. Raises ``TimedOutError``
    if the daemon does not end; it is not killed.
    """
    with Store() as store:
        held = store.lease.current() or _stalled(store)
    if held is None:
        return None
    if held.kind is not HolderKind.DAEMON:
        raise busy(held)
    if procs.alive(held.process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(held.process.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while procs.alive(held.process):
        if time.monotonic() > deadline:
            raise TimedOutError(
                f"the daemon, process {held.process.pid}, was asked to end and did not within "
                f"{STOP_SECONDS:g} s",
                hint="It may be suspended (SIGSTOP), or waiting for a delivery. See 'torch daemon "
                "logs'",
            )
        select.select([], [], [], 0.02)
    return held


def make_way() -> None:
    """End the running daemon, if any, so that another can begin. A tick ends by itself."""
    with contextlib.suppress(HeldError):
        stop()


def _stalled(store: Store) -> Held | None:
    """Return the lease of a living daemon that has not renewed it."""
    held = store.lease.holder()
    alive = held is not None and not held.released and procs.alive(held.process)
    return held if alive else None


def status() -> SchedulerStatus:
    """Return what is known of the scheduler and its work."""
    from torch_cli.tmux.panes import list_panes
    from torch_cli.tmux.socket import Socket

    servers = {}
    with Store() as store:
        for path in sorted({agent.socket for agent in store.agents.all()}):
            try:
                servers[path] = bool(list_panes(Socket(path=path)))
            except TorchError:
                servers[path] = False
        held, last = store.lease.current(), store.lease.at_work()
        return SchedulerStatus(
            held=held,
            ticked=last.clock.wall if held is None and last is not None else None,
            next_due=store.checkins.next_due(),
            checkins=len(store.checkins.names()),
            overdue=len(store.checkins.overdue()),
            waiting=len(store.messages.waiting()),
            undelivered=len(store.messages.undelivered(untold=True)),
            servers=servers,
            unwritable=unwritable(state_dir()),
        )
