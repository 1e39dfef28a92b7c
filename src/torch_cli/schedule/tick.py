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
    from torch_cli.team.upkeep import Did, Upkeep

OVERTIME = 20.0
"""Seconds beyond its time in which a tick may end a delivery that it has begun."""


class Ticked(NamedTuple):
    """What a tick did; ``holder`` is the scheduler that was at work, and nothing was done.

    ``done`` are the checkpoints and commits, ``did`` is what was done for teams; ``error`` says why
    there were no checkpoints, if the settings cannot be read.
    """

    runs: tuple[Run, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    done: "tuple[Done, ...]" = ()
    did: "tuple[Did, ...]" = ()
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
            _return_tasks(store, now)
            upkeep = _upkeep(store)
            did = _look_after_teams(upkeep, store, now) if upkeep else []
            waiting = store.messages.waiting() or store.messages.undelivered(untold=True)
            receipts = drain_once(now, deadline) if waiting else []
            done, wrong = _look_after_worktrees(store, now, deadline)
            did += upkeep.finish(now, deadline) if upkeep else []
        finally:
            store.lease.release(held, Clock.read())
    return Ticked(tuple(runs), tuple(receipts), tuple(done), tuple(did), error=wrong)


def _return_tasks(store: Store, now: float) -> None:
    """Return the tasks of agents that are gone to the pool."""
    if store.tasks.any_held():
        from torch_cli.team.task import reap

        reap(store, now)


def _upkeep(store: Store) -> "Upkeep | None":
    """Return what looks after teams, if there is any, or anybody who was briefed."""
    if not store.teams.paths() and not store.briefings.any():
        return None
    from torch_cli.team.upkeep import Upkeep

    return Upkeep()


def _look_after_teams(upkeep: "Upkeep", store: Store, now: float) -> "list[Did]":
    from torch_cli.team.upkeep import show_people

    found = list(upkeep.run(store, now))
    for did in found:
        if did.people:
            show_people(did)
    return found


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
