"""The lease: one scheduler at a time, whatever the clock on the wall says."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from torch_cli import procs
from torch_cli.store import Store
from torch_cli.store.lease import (
    Clock,
    Held,
    HolderKind,
    Outage,
    OutageKind,
    clock_jump,
    outage_between,
)

THEN = Clock(wall=1_800_000_000.0, boot=5_000.0, awake=4_000.0, machine="one")


def after(seconds: float, *, asleep: float = 0.0, jump: float = 0.0, machine: str = "one") -> Clock:
    """Return the clocks ``seconds`` after ``THEN``, of which some were slept, and a clock set."""
    return Clock(
        THEN.wall + seconds + jump, THEN.boot + seconds, THEN.awake + seconds - asleep, machine
    )


def me() -> procs.Process:
    found = procs.identify(os.getpid())
    assert found is not None
    return found


@pytest.fixture
def other() -> Iterator[procs.Process]:
    """Another process that lives."""
    child = subprocess.Popen(["sleep", "1000"])
    found = procs.identify(child.pid)
    assert found is not None
    yield found
    child.kill()
    child.wait()


def taken(store: Store, clock: Clock = THEN, process: procs.Process | None = None) -> Held:
    held = store.lease.take(HolderKind.DAEMON, process or me(), clock)
    assert held is not None
    return held


def test_one_has_it_until_it_gives_it_back(other: procs.Process) -> None:
    with Store() as store:
        first = taken(store)
        assert store.lease.take(HolderKind.TICK, other, after(1)) is None
        store.lease.release(first, after(2))
        second = store.lease.take(HolderKind.TICK, other, after(3))
        assert second is not None
        assert second.token == first.token + 1


def test_a_dead_holder_is_followed_at_once(other: procs.Process) -> None:
    gone = procs.Process(other.pid, "0")
    with Store() as store:
        taken(store, process=gone)
        assert store.lease.take(HolderKind.TICK, me(), after(0.1)) is not None


def test_one_that_lives_and_does_not_renew_is_followed_in_the_end(other: procs.Process) -> None:
    with Store() as store:
        first = taken(store, process=other)
        assert store.lease.take(HolderKind.TICK, me(), after(first.seconds - 1)) is None
        assert store.lease.renew(first, after(10))
        assert store.lease.take(HolderKind.TICK, me(), after(first.seconds + 1)) is None
        second = store.lease.take(HolderKind.TICK, me(), after(first.seconds + 11))
        assert second is not None
        assert not store.lease.renew(first, after(first.seconds + 12)), "it is fenced"
        store.lease.release(first, after(first.seconds + 13))
        assert store.lease.current(after(first.seconds + 13)) == second


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 1e7])
def test_a_clock_that_is_set_moves_no_lease(other: procs.Process, jump: float) -> None:
    with Store() as store:
        first = taken(store, process=other)
        assert store.lease.take(HolderKind.TICK, me(), after(1, jump=jump)) is None
        assert (
            store.lease.take(HolderKind.TICK, me(), after(first.seconds + 1, jump=jump)) is not None
        )


def test_a_lease_ends_with_the_machines_run(other: procs.Process) -> None:
    with Store() as store:
        taken(store, process=other)
        assert store.lease.take(HolderKind.TICK, me(), after(1, machine="two")) is not None


def test_eight_at_once_get_a_token_each() -> None:
    def turns(number: int) -> list[int]:
        tokens: list[int] = []
        with Store() as store:
            while len(tokens) < 5:
                held = store.lease.take(HolderKind.TICK, me(), Clock.read())
                if held is not None:
                    tokens.append(held.token)
                    store.lease.release(held, Clock.read())
        return tokens

    with ThreadPoolExecutor(8) as pool:
        tokens = [token for found in pool.map(turns, range(8)) for token in found]
    assert sorted(tokens) == list(range(1, 41))


def test_the_time_without_a_scheduler_is_noted(other: procs.Process) -> None:
    cases = [
        (after(600), "absent", 600.0),
        (after(600, asleep=500), "asleep", 600.0),
        (after(600, machine="two"), "rebooted", 600.0),
        (after(30, jump=3600), "clock", 3630.0),
    ]
    with Store() as store:
        for clock, kind, seconds in cases:
            store.database.write("DELETE FROM lease")
            store.database.write("DELETE FROM outages")
            store.lease.release(taken(store), THEN)
            store.database.write("DELETE FROM outages")
            taken(store, clock)
            found = store.lease.outages(0, 1e12)
            assert [(one.kind, one.ended - one.began) for one in found] == [(kind, seconds)]


def test_a_minute_between_two_ticks_is_no_outage() -> None:
    with Store() as store:
        store.lease.release(taken(store), THEN)
        store.database.write("DELETE FROM outages")
        taken(store, after(60))
        assert store.lease.outages(0, 1e12) == []


@pytest.mark.parametrize(
    ("clock", "kind"),
    [
        (after(1), None),
        (after(4), None),
        (after(9), "stopped"),
        (after(7200, asleep=7199), "asleep"),
        (after(1, jump=3600), "clock"),
        (after(1, jump=-3600), None),
        (after(1, jump=20), None),
    ],
)
def test_what_kept_a_scheduler_from_its_work_is_told_apart(clock: Clock, kind: str | None) -> None:
    found = outage_between(THEN, clock, stalled=5.0)
    assert (found.kind if found else None) == kind
    if found:
        assert (found.began, found.ended) == (THEN.wall, clock.wall)


def test_a_jump_is_told_from_time_and_sleep() -> None:
    assert clock_jump(THEN, after(7200, asleep=7000)) == 0
    assert clock_jump(THEN, after(1, jump=3600)) == 3600
    assert clock_jump(THEN, after(1, jump=-3600)) == -3600
    assert clock_jump(THEN, after(1, jump=3600, machine="two")) == 0


def test_outages_are_found_by_the_time_that_they_fall_into() -> None:
    with Store() as store:
        store.lease.note_outage(Outage(100, 200, OutageKind.ABSENT))
        store.lease.note_outage(Outage(150, 400, OutageKind.ASLEEP))
        assert [one.kind for one in store.lease.outages(160, 170)] == ["asleep", "absent"]
        assert store.lease.outages(400, 500) == []


def test_the_clocks_can_be_read() -> None:
    first = Clock.read()
    second = Clock.read()
    assert first.machine == second.machine
    assert second.boot >= first.boot
    assert abs(first.wall - time.time()) < 5
    if sys.platform == "linux":
        assert first.machine
