"""One pass of everything that is due, for cron."""

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from torch_cli import procs
from torch_cli.delivery.drain import drain_once
from torch_cli.delivery.receipt import Receipt
from torch_cli.errors import RefusedError
from torch_cli.schedule.copies import keep_copy
from torch_cli.schedule.firing import fire_due
from torch_cli.store import Store
from torch_cli.store.checkins import Run
from torch_cli.store.lease import Clock, Held, clock_jump

if TYPE_CHECKING:
    from torch_cli.checkpoint.watch import Done

OVERTIME = 20.0
"""Seconds beyond its time in which a tick may end a delivery that it has begun."""


class Ticked(NamedTuple):
    """What a tick did; ``holder`` is the scheduler that was at work, and nothing was done.

    ``done`` are the checkpoints and commits; ``error`` says why there were none, if the settings
    cannot be read.
    """

    runs: tuple[Run, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    done: "tuple[Done, ...]" = ()
    holder: Held | None = None
    error: RefusedError | None = None


def tick(now: float, seconds: float) -> Ticked:
    """Fire what is due at ``now`` (epoch seconds) and deliver what can be, within ``seconds``.

    Does nothing while another scheduler is at work.
    """
    deadline = time.monotonic() + seconds
    with Store() as store:
        before, clock = store.lease.holder(), Clock.read()
        valid = seconds + 2 * OVERTIME
        held = store.lease.take("tick", own_process(), clock, seconds=valid)
        if held is None:
            return Ticked(holder=store.lease.current())
        try:
            jump = clock_jump(before.clock, clock) if before else 0.0
            if before and jump:
                store.checkins.shift_intervals(jump, before.clock.wall)
            keep_copy(store, now)
            runs = fire_due(store, now, held.token)
            waiting = store.messages.waiting() or store.messages.undelivered(untold=True)
            receipts = drain_once(now, deadline) if waiting else []
            _return_tasks(store, now)
            done, wrong = _look_after_worktrees(store, now, deadline)
        finally:
            store.lease.release(held, Clock.read())
    return Ticked(tuple(runs), tuple(receipts), tuple(done), error=wrong)


def _return_tasks(store: Store, now: float) -> None:
    """Return the tasks of agents that are gone to the pool."""
    if store.tasks.any_held():
        from torch_cli.team.task import reap

        reap(store, now)


def _look_after_worktrees(
    store: Store, now: float, deadline: float
) -> "tuple[list[Done], RefusedError | None]":
    """Make the checkpoints and commits that are due, while there is time to begin one."""
    found: list[Done] = []
    if not store.watches.has_any():
        return found, None
    from torch_cli.checkpoint.watch import alert_people, run_due

    try:
        for done in run_due(store, now, until=lambda: time.monotonic() > deadline):
            if done.alert:
                alert_people(done)
            if not done.again:
                found.append(done)
    except RefusedError as error:
        return found, error
    return found, None


def own_process() -> procs.Process:
    """Return this process as the store remembers it."""
    return procs.identify(os.getpid()) or procs.Process(os.getpid(), "")
