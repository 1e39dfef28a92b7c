"""The right to be the one scheduler, and the times in which there was none.

The lease does not use the wall clock, because people and time servers set it. It uses the seconds
since the machine started, and whether the process that holds it lives.
"""

import enum
import functools
import time
from typing import NamedTuple

from torch_cli import procs
from torch_cli.store.database import Database

LEASE_SECONDS = 15.0
"""A living holder cannot be replaced for this many seconds after its last renewal."""

OUTAGE_SECONDS = 90.0
"""More than this many seconds without a scheduler are an outage. A tick comes once a minute."""

CLOCK_JUMP_SECONDS = 30.0
"""A change of the wall clock by more than this many seconds counts as setting the clock."""

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Clock(NamedTuple):
    """The clocks at one moment, in seconds: ``wall`` since the epoch, ``boot`` since the machine
    started, ``awake`` the same without the time asleep. ``machine`` distinguishes its starts.
    """

    wall: float
    boot: float
    awake: float
    machine: str

    @classmethod
    def read(cls) -> "Clock":
        """Return the clocks now."""
        boot = time.monotonic()
        if hasattr(time, "CLOCK_BOOTTIME"):
            boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        return cls(time.time(), boot, time.monotonic(), _machine())


@functools.cache
def _machine() -> str:
    """Return what distinguishes this start of the machine from others, '' if it is not needed.

    On Linux the start of a process is counted from the start of the machine. Elsewhere it is a
    date, which is enough.
    """
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def clock_jump(before: Clock, after: Clock) -> float:
    """Return how many seconds the wall clock was set forward between two looks, 0 if it was not.

    Time servers set it by less than ``CLOCK_JUMP_SECONDS``, which does not count.
    """
    if before.machine != after.machine:
        return 0.0  # it cannot be known
    jump = (after.wall - before.wall) - (after.boot - before.boot)
    return jump if abs(jump) > CLOCK_JUMP_SECONDS else 0.0


class HolderKind(enum.StrEnum):
    """What a scheduler is."""

    DAEMON = "daemon"
    TICK = "tick"


class Held(NamedTuple):
    """A lease: the ``kind`` of its holder, and the holder's process.

    ``clock`` is when it was last renewed or released, ``seconds`` how long it is valid after that,
    ``since`` when it was taken (epoch seconds). A later holder has a larger ``token``.
    """

    kind: HolderKind
    process: procs.Process
    clock: Clock
    seconds: float
    token: int
    since: float
    released: bool

    def is_valid(self, clock: Clock) -> bool:
        """Return whether the holder lives and has renewed the lease in time."""
        return (
            not self.released
            and self.clock.machine == clock.machine
            and clock.boot < self.clock.boot + self.seconds
            and procs.alive(self.process)
        )


class OutageKind(enum.StrEnum):
    """What kept a scheduler from its work."""

    ASLEEP = "asleep"
    """The machine slept."""
    REBOOTED = "rebooted"
    """The machine was started anew."""
    STOPPED = "stopped"
    """The scheduler was stopped, and then continued."""
    ABSENT = "absent"
    """There was no scheduler."""
    CLOCK = "clock"
    """The clock was set forward."""


class Outage(NamedTuple):
    """A time, in seconds since the epoch, in which nothing could fire, and its ``kind``."""

    began: float
    ended: float
    kind: OutageKind


class Lease:
    """Takes, renews and releases the scheduler's lease."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def holder(self) -> Held | None:
        """Return the lease as it was last written, valid or not; ``None`` if there was none."""
        rows = self._database.query("SELECT * FROM lease WHERE name = 'scheduler'")
        if not rows:
            return None
        row = rows[0]
        return Held(
            HolderKind(row["kind"]),
            procs.Process(row["pid"], row["started"]),
            Clock(row["seen"], row["renewed"], row["awake"], row["boot"]),
            row["seconds"],
            row["token"],
            row["since"],
            bool(row["released"]),
        )

    def current(self, clock: Clock | None = None) -> Held | None:
        """Return the lease if it is valid now."""
        held = self.holder()
        return held if held is not None and held.is_valid(clock or Clock.read()) else None

    def at_work(self, clock: Clock | None = None) -> Held | None:
        """Return the lease if a scheduler works: the present holder, or a recent tick of cron."""
        clock, held = clock or Clock.read(), self.holder()
        if held is None or held.is_valid(clock):
            return held
        lately = (
            held.clock.machine == clock.machine and clock.boot - held.clock.boot < OUTAGE_SECONDS
        )
        return held if lately and held.kind is HolderKind.TICK and held.released else None

    def take(
        self,
        kind: HolderKind,
        process: procs.Process,
        clock: Clock,
        *,
        seconds: float = LEASE_SECONDS,
    ) -> Held | None:
        """Take the lease for ``process``; return ``None`` if another process has it.

        If there was no scheduler until now, records that as an outage.
        """
        with self._database.transaction():
            before = self.holder()
            if before is not None and before.is_valid(clock):
                return None
            token = before.token + 1 if before is not None else 1
            self._note_absence(before, clock)
            self._database.query(
                "INSERT OR REPLACE INTO lease (name, kind, pid, started, boot, renewed, awake,"
                " seconds, token, since, seen, released)"
                " VALUES ('scheduler', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                *(kind, process.pid, process.started, clock.machine, clock.boot, clock.awake),
                *(seconds, token, clock.wall, clock.wall),
            )
        return Held(kind, process, clock, seconds, token, clock.wall, released=False)

    def renew(self, held: Held, clock: Clock) -> bool:
        """Renew the lease; return ``False`` if another process has it."""
        return self._write(held, clock, released=False)

    def release(self, held: Held, clock: Clock) -> None:
        """Release the lease. Does nothing if another process has it."""
        self._write(held, clock, released=True)

    def _write(self, held: Held, clock: Clock, *, released: bool) -> bool:
        changed = self._database.write(
            "UPDATE lease SET renewed = ?, awake = ?, seen = ?, released = ?"
            " WHERE name = 'scheduler' AND token = ? AND released = 0",
            *(clock.boot, clock.awake, clock.wall, released, held.token),
            durable=False,
        )
        return changed == 1

    def is_token(self, token: int) -> bool:
        """Return whether ``token`` is that of the lease, within the caller's transaction."""
        rows = self._database.query("SELECT token FROM lease WHERE name = 'scheduler'")
        return bool(rows) and rows[0]["token"] == token

    def note_outage(self, outage: Outage) -> None:
        """Record a time in which nothing could fire."""
        self._database.write("INSERT INTO outages (began, ended, kind) VALUES (?, ?, ?)", *outage)

    def outages(self, began: float, ended: float) -> list[Outage]:
        """Return the outages in a period, the longest first."""
        rows = self._database.query(
            "SELECT began, ended, kind FROM outages WHERE began < ? AND ended > ?"
            " ORDER BY ended - began DESC",
            *(ended, began),
        )
        return [Outage(began, ended, OutageKind(kind)) for began, ended, kind in rows]

    def _note_absence(self, before: Held | None, clock: Clock) -> None:
        outage = _absence(before, clock)
        if outage is not None:
            self._database.query(
                "INSERT INTO outages (began, ended, kind) VALUES (?, ?, ?)", *outage
            )


def _absence(before: Held | None, clock: Clock) -> Outage | None:
    """Return the time without a scheduler between two holders, if there was one."""
    if before is None:
        return Outage(0.0, clock.wall, OutageKind.ABSENT)
    last = before.clock
    if last.machine != clock.machine:
        kind = OutageKind.REBOOTED
    elif (clock.boot - last.boot) - (clock.awake - last.awake) > OUTAGE_SECONDS:
        kind = OutageKind.ASLEEP
    else:
        absent = clock.boot - last.boot > OUTAGE_SECONDS
        kind = OutageKind.ABSENT if absent else OutageKind.CLOCK
    return Outage(last.wall, clock.wall, kind) if clock.wall - last.wall > OUTAGE_SECONDS else None


def outage_between(before: Clock, after: Clock, *, stalled: float) -> Outage | None:
    """Return what stopped the holder between two looks at the clocks, ``None`` if nothing did.

    More than ``stalled`` seconds between the looks are longer than its loop takes. Moments are
    those of the wall clock.
    """
    awake = after.awake - before.awake
    slept = (after.boot - before.boot) - awake
    if slept > stalled:
        return Outage(before.wall, after.wall, OutageKind.ASLEEP)
    if awake > stalled:
        return Outage(before.wall, after.wall, OutageKind.STOPPED)
    if clock_jump(before, after) > 0:
        return Outage(before.wall, after.wall, OutageKind.CLOCK)
    return None
