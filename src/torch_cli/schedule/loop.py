"""The loop of the daemon: APScheduler runs the passes, our table says when.

There is one job for each pass, planned anew whenever something changed: 10,000 check-ins as jobs
would be a second copy of the table. APScheduler waits by the wall clock, so a clock that is put
back an hour would have it sleep that long. Here it wakes at least every ``LOOK`` seconds, and sees
by the clocks of the machine what has happened in between. For that ``_main_loop`` of APScheduler 3
is replaced, which is not public: the version is bounded in pyproject.toml.
"""

import contextlib
import datetime
import logging
import threading
import time
from collections.abc import Callable, Iterator

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.blocking import BlockingScheduler

from torch_cli.checkpoint.watch import LOOK as LOOK_AT_WORKTREES
from torch_cli.checkpoint.watch import Done, next_look, run_due
from torch_cli.delivery.drain import Drain
from torch_cli.delivery.receipt import Receipt
from torch_cli.errors import RefusedError, TorchError
from torch_cli.schedule.copies import keep_copy
from torch_cli.schedule.firing import FencedError, fire_due, next_due
from torch_cli.store import Store, StoreError
from torch_cli.store.checkins import Run
from torch_cli.store.lease import SECONDS, Clock, Held, Outage, clock_jump, outage_between
from torch_cli.store.tasks import Task
from torch_cli.team.task import reap
from torch_cli.team.upkeep import LOOK as LOOK_AT_TEAMS
from torch_cli.team.upkeep import SOON, Did, Upkeep, is_needed

LOOK = 0.25
"""Seconds between two looks at whether the store has changed: one PRAGMA, 10 microseconds."""

RENEW = SECONDS / 5
"""Seconds between two renewals of the lease."""

STALLED = 5.0
"""Seconds that the loop must have stood still for it to be noted as an outage."""

ROUND = 0.5
"""Seconds between two looks at agents whose messages are held."""

FIRE_AGAIN = 0.2
"""Seconds between two passes of firing at least."""

AFTER_ERROR = 2.0
"""Seconds before a pass, or a look, that failed is tried again."""

OVERDUE = 5.0
"""Seconds between two looks at whether somebody is there to take an overdue run."""

LOOK_AT_TASKS = 15.0
"""Seconds between two looks for tasks whose agents are gone."""

PASSES = 5
"""The passes that are there: fire, outbox, checkpoint, tasks, teams; none waits for another."""

COPY = 600.0
"""Seconds between two looks at whether the state file's daily copy is due."""

CLOSING = 10.0
"""Seconds that a delivery which goes on is given at the end."""


class Loop(BlockingScheduler):  # type: ignore[misc]
    """Fires and delivers until it is stopped, or another scheduler has taken the lease.

    ``store`` is used by the loop itself, and by nobody else meanwhile; passes open their own.
    ``on_runs``, ``on_receipts``, ``on_done`` (checkpoints and commits), ``on_returned`` (tasks),
    ``on_team`` (what was done for teams) and ``on_outage`` are told what happened, ``on_look`` that
    the loop is alive; ``on_error`` of what went wrong in a pass, which is tried again.
    """

    def __init__(
        self,
        store: Store,
        *,
        on_runs: Callable[[list[Run]], None],
        on_receipts: Callable[[list[Receipt]], None],
        on_done: Callable[[Done], None],
        on_returned: Callable[[Task], None],
        on_team: Callable[[Did], None],
        on_outage: Callable[[Outage], None],
        on_error: Callable[[BaseException], None],
        on_look: Callable[[], None] = lambda: None,
    ) -> None:
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # passes log for themselves
        super().__init__(
            executors={"default": ThreadPoolExecutor(PASSES)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=datetime.UTC,
        )
        self._store, self.fenced = store, False
        self._on_runs, self._on_receipts = on_runs, on_receipts
        self._on_outage, self._on_error, self._on_look = on_outage, on_error, on_look
        self._on_done, self._on_returned, self._on_team = on_done, on_returned, on_team
        self._upkeep = Upkeep()
        self._watches: tuple[object, ...] = ()
        self._drain = Drain()
        self._running: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stop = False
        self._clock = self._renewed = Clock.read()
        self._version = -1
        self._newest = 0
        self._next_copy = 0.0
        self._look_again = 0.0
        self._fired = 0.0

    def run(self, held: Held) -> None:
        """Run until ``stop``; raises ``FencedError`` if another scheduler took over."""
        self.held = held
        self._clock = self._renewed = Clock.read()
        self.start()
        if not self._drain.close(CLOSING):
            self._on_error(TorchError("a delivery had not ended; the next scheduler settles it"))
        self._on_receipts(self._drain.settled())
        if self.fenced:
            raise FencedError("another scheduler has taken over; this one has ended")

    def stop(self) -> None:
        """Have the loop end; may be called from a signal handler."""
        self._stop = True
        self.wakeup()

    def _main_loop(self) -> None:
        wait = 0.0
        while not self._stop:
            self._event.wait(min(wait, LOOK))
            self._event.clear()
            self._look()
            until_next = self._process_jobs()
            wait = LOOK if until_next is None else until_next
        self.shutdown(wait=True)

    # -- looking -----------------------------------------------------------------------------------

    def _look(self) -> None:
        """See what has happened since the last look, and plan the passes by it."""
        if time.monotonic() < self._look_again:
            return
        try:
            before, self._clock = self._clock, Clock.read()
            self._on_look()
            if self._note_outage(before) or self._has_changed():
                self._plan()
            if self._clock.boot >= self._renewed.boot + RENEW:
                self._renew()
            if self._clock.boot >= self._next_copy:
                self._next_copy = self._clock.boot + COPY
                keep_copy(self._store, self._clock.wall)
        except StoreError as error:
            self._on_error(error)
            self._version = -1  # planned anew at the next look
            self._look_again = time.monotonic() + AFTER_ERROR

    def _note_outage(self, before: Clock) -> bool:
        """Note what kept the loop from its work, or set the clock; say whether anything did."""
        outage = outage_between(before, self._clock, stalled=STALLED)
        jump = clock_jump(before, self._clock)
        if jump:
            self._store.checkins.shift_intervals(jump, before.wall)
        if outage is not None:
            self._renew()
            self._store.lease.note_outage(outage)
            self._on_outage(outage)
        return outage is not None or jump != 0

    def _renew(self) -> None:
        if self._store.lease.renew(self.held, self._clock):
            self._renewed = self._clock
        else:
            self.fenced = True
            self.stop()

    def _has_changed(self) -> bool:
        """Say whether anybody has written to the store since the last look."""
        version = int(self._store.database.query("PRAGMA data_version")[0][0])
        changed, self._version = version != self._version, version
        return changed

    def _plan(self) -> None:
        """Plan the next run of each pass by what stands in the store."""
        now = self._clock.wall
        due = next_due(self._store)
        if self._store.checkins.overdue():
            again = now + self._fired + OVERDUE - time.monotonic()
            due = again if due is None else min(due, again)
        self._plan_at("fire", self._fire, due)
        newest, self._newest = self._newest, self._store.messages.newest()
        if newest != self._newest:
            self._not_before.pop("outbox", None)  # what is new need not wait
        messages = self._store.messages
        waiting = self._drain.busy or bool(messages.waiting()) or messages.agents_to_tell()
        self._plan_at("outbox", self._deliver, now if waiting else None)
        watches, self._watches = self._watches, self._store.watches.version()
        if watches != self._watches:
            self._not_before.pop("checkpoint", None)
        self._plan_at("checkpoint", self._checkpoint, now)
        held = self._store.tasks.any_held()
        self._plan_at("tasks", self._return_tasks, now if held else None)
        self._plan_at("teams", self._look_after_teams, now if is_needed(self._store) else None)

    def _plan_at(self, name: str, does: Callable[[], None], at: float | None) -> None:
        """Plan a pass for the moment ``at`` (epoch seconds), or not at all."""
        with self._lock:
            if name in self._running:
                return  # it is planned when it ends
            rest = self._not_before.get(name, 0.0) - time.monotonic()
        if at is None:
            with contextlib.suppress(JobLookupError):
                self.remove_job(name)
            return
        at = max(at, self._clock.wall + rest)
        when = datetime.datetime.fromtimestamp(at, datetime.UTC)
        self.add_job(does, "date", run_date=when, id=name, replace_existing=True)

    # -- passes ------------------------------------------------------------------------------------

    def _fire(self) -> None:
        with self._pass("fire", FIRE_AGAIN), Store() as store:
            errors: list[TorchError] = []
            self._on_runs(fire_due(store, time.time(), self.held.token, errors.append))
            for error in errors:
                self._on_error(error)
                self._rest("fire", OVERDUE)
            self._fired = time.monotonic()

    def _deliver(self) -> None:
        with self._pass("outbox", ROUND):
            self._on_receipts(self._drain.round(time.time()))

    def _checkpoint(self) -> None:
        with self._pass("checkpoint", 1.0), Store() as store:
            known = store.watches.version()
            try:
                for done in run_due(store, time.time(), until=lambda: self._stop):
                    self._on_done(done)
                wait = next_look(store, time.time())
            except RefusedError as error:  # of the settings, which somebody has to put right
                self._on_error(error)
                wait = LOOK_AT_WORKTREES
            if known == store.watches.version():
                self._rest("checkpoint", wait)

    def _return_tasks(self) -> None:
        with self._pass("tasks", LOOK_AT_TASKS), Store() as store:
            for task in reap(store, time.time()):
                self._on_returned(task)

    def _look_after_teams(self) -> None:
        with self._pass("teams", SOON), Store() as store:
            for did in self._upkeep.run(store, time.time()):
                self._on_team(did)
            if not self._upkeep.waits:
                self._rest("teams", LOOK_AT_TEAMS)

    @contextlib.contextmanager
    def _pass(self, name: str, spacing: float) -> Iterator[None]:
        """Run a pass, never twice at once; what goes wrong is told, and tried again."""
        with self._lock:
            if name in self._running:
                raise AssertionError(f"the pass '{name}' runs already")
            self._running.add(name)
        try:
            yield
        except FencedError:
            self.fenced = True
            self.stop()
        except Exception as error:  # whatever it is, check-ins must go on
            spacing = AFTER_ERROR
            self._on_error(error)
        finally:
            self._rest(name, spacing)
            with self._lock:
                self._running.discard(name)
            self._version = -1
            self.wakeup()

    def _rest(self, name: str, seconds: float) -> None:
        """Have a pass not run again for so long."""
        with self._lock:
            until = time.monotonic() + seconds
            self._not_before[name] = max(until, self._not_before.get(name, 0.0))
