"""One round of the scheduler's passes, for cron."""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.schedule.firing import FencedError
from torch_cli.schedule.passes import PASSES, Passes
from torch_cli.store import Store
from torch_cli.store.lease import Clock, Held, HolderKind, clock_jump

if TYPE_CHECKING:
    from torch_cli.attention.notices import Notice
    from torch_cli.attention.parents import ParentTold
    from torch_cli.delivery.receipt import Receipt
    from torch_cli.lifecycle.did import Did
    from torch_cli.schedule.proofs import Proven
    from torch_cli.schedule.worktrees import Done
    from torch_cli.store.checkin import Run
    from torch_cli.store.tasks import Task

OVERTIME_SECONDS = 20.0
"""Seconds beyond its time that a tick may take to finish a delivery."""


class Ticked(NamedTuple):
    """What a tick did. With ``holder``, another scheduler was working, and the tick did nothing.

    ``done`` are the checkpoints and commits, ``did`` is what was done for teams, ``errors`` are the
    errors of passes.
    """

    runs: "tuple[Run, ...]" = ()
    receipts: "tuple[Receipt, ...]" = ()
    done: "tuple[Done, ...]" = ()
    did: "tuple[Did, ...]" = ()
    holder: Held | None = None
    errors: tuple[TorchError, ...] = ()


class _Gathered:
    """Collects what the passes do, and shows people what cannot be told to an agent."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._receipts: list[Receipt] = []
        self._done: list[Done] = []
        self._did: list[Did] = []
        self._errors: list[TorchError] = []

    def runs(self, runs: "list[Run]") -> None:
        self._runs += runs

    def receipts(self, receipts: "list[Receipt]") -> None:
        self._receipts += receipts

    def done(self, done: "Done") -> None:
        if done.alert:
            from torch_cli.schedule.worktrees import alert_people

            alert_people(done)
        if not done.again:
            self._done.append(done)

    def returned(self, task: "Task") -> None:
        pass  # 'torch task list' shows it

    def team(self, did: "Did") -> None:
        if did.people:
            from torch_cli.lifecycle.did import show_people

            show_people(did)
        self._did.append(did)

    def proven(self, proven: "Proven") -> None:
        pass  # a tick begins none

    def notice(self, notice: "Notice") -> None:
        pass  # a tick tells nobody

    def parent(self, told: "ParentTold") -> None:
        pass  # the receipt of the message shows it

    def error(self, error: BaseException) -> None:
        if not isinstance(error, TorchError):
            error = TorchError(f"unforeseen: {type(error).__name__}: {error}", code="unforeseen")
        self._errors.append(error)

    def ticked(self) -> Ticked:
        return Ticked(
            tuple(self._runs),
            tuple(self._receipts),
            tuple(self._done),
            tuple(self._did),
            errors=tuple(self._errors),
        )


def tick(now: float, seconds: float) -> Ticked:
    """Run each pass at ``now`` (epoch seconds), within ``seconds``.

    Does nothing while another scheduler is working. Raises ``FencedError`` if another has taken
    over on the way.
    """
    deadline = time.monotonic() + seconds
    gathered = _Gathered()
    with Store() as store:
        before, clock = store.lease.holder(), Clock.read()
        valid = seconds + 2 * OVERTIME_SECONDS
        held = store.lease.take(HolderKind.TICK, own_process(), clock, seconds=valid)
        if held is None:
            return Ticked(holder=store.lease.current())
        try:
            jump = clock_jump(before.clock, clock) if before else 0.0
            if before and jump:
                store.checkins.shift_intervals(jump, before.clock.wall)
            _run_all(store, now, deadline, held.token, gathered)
        finally:
            store.lease.release(held, Clock.read())
    return gathered.ticked()


def _run_all(store: Store, now: float, deadline: float, token: int, gathered: _Gathered) -> None:
    passes = Passes(gathered, token, lambda: time.monotonic() > deadline, deadline)
    steps: list[Callable[[], object]] = []
    steps += [partial(passes.run, one.name, store, now) for one in PASSES]
    steps.append(partial(passes.finish, now, deadline))
    for step in steps:
        try:
            step()
        except FencedError:
            raise
        except Exception as error:  # the other passes must continue
            gathered.error(error)


def own_process() -> procs.Process:
    """Return this process as the store remembers it."""
    return procs.identify(os.getpid()) or procs.Process(os.getpid(), "")
