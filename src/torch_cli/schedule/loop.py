"""The loop of the daemon: APScheduler runs the passes, and Torch's table says when.

There is one job for each pass. Whenever something has changed, the job is planned for another time.
10,000 check-ins as jobs would be a second copy of the table. APScheduler waits by the wall clock:
if the clock is set back an hour, it would sleep that long. So APScheduler has a thread of its own.
This loop looks every ``INTERVALS.look`` seconds, by the clocks of the machine. It sees what has
changed, plans the passes, and wakes APScheduler to compare the time again if the clocks have moved
against each other. A pass waits for a look before it does anything, so that it knows of an outage
that has just ended.
"""

import contextlib
import datetime
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from apscheduler.events import EVENT_SCHEDULER_STARTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.blocking import BlockingScheduler

from torch_cli.errors import TorchError
from torch_cli.intervals import INTERVALS
from torch_cli.schedule.firing import FencedError, next_due
from torch_cli.schedule.passes import PASSES, Pass, Passes, Told
from torch_cli.store import Store, StoreError
from torch_cli.store.lease import Clock, Held, Outage, clock_jump, outage_between
from torch_cli.store.lending import Lender
from torch_cli.teams.upkeep import is_needed

SAME_MOMENT_SECONDS = 0.02
"""Seconds by which a pass may be planned for another time than it is: less than any interval."""


CLOCKS_MOVED_SECONDS = 0.05
"""Seconds by which the wall clock and the one by which a thread waits have moved apart, through a
change of the clock or a sleep of the machine, so that APScheduler must compare the time again. To
wake it at each look cost 0.13 ms of CPU time, and half a dozen times that each second."""


class Listener(Told, Protocol):
    """Is told what happens in the passes and in the loop itself."""

    def outage(self, outage: Outage) -> None:
        """Nothing could fire for a time."""


class Loop:
    """Runs the passes until it is stopped, or another scheduler has taken the lease.

    Only the loop uses ``store``; passes are lent their own. ``told`` gets what happened, and errors
    of passes, which are then tried again. ``on_look`` is called at each look.
    """

    def __init__(
        self, store: Store, told: Listener, on_look: Callable[[], None] = lambda: None
    ) -> None:
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # passes have their own log
        self._scheduler = BlockingScheduler(
            executors={"default": ThreadPoolExecutor(len(PASSES))},  # no pass waits for another
            # A pass may be planned before APScheduler has noticed its end. With one instance it
            # would be dropped then. It never runs twice at once: see ``_run``.
            job_defaults={"coalesce": True, "max_instances": 2, "misfire_grace_time": None},
            timezone=datetime.UTC,
        )
        self._store, self._told, self._on_look = store, told, on_look
        self._stores = Lender()
        self.fenced = False
        self._watches: tuple[object, ...] = ()
        self._running: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._changed = threading.Condition()
        self._asked = self._looked = 0
        self._wake, self._plan_anew = threading.Event(), threading.Event()
        self._stop = False
        self._clock = self._renewed = Clock.read()
        self._version = -1
        self._newest = self._reported = 0
        self._look_again = 0.0
        self._apart = time.time() - time.monotonic()
        self._fired = 0.0

    def run(self, held: Held) -> list[str]:
        """Run until ``stop``; return the passes that did not end in time and still run.

        Raises ``FencedError`` if another scheduler took over.
        """
        self.held = held
        self._clock = self._renewed = Clock.read()
        self._passes = Passes(self._told, held.token, lambda: self._stop)
        self._keep_looking()
        deadline = time.monotonic() + INTERVALS.closing
        with self._changed:
            self._changed.wait_for(lambda: not self._running, INTERVALS.closing)
            stuck = sorted(self._running)
        if not self._passes.close(max(0.0, deadline - time.monotonic())):
            self._told.error(TorchError("a delivery had not ended; the next scheduler settles it"))
            stuck.append("a delivery")
        self._stores.close()
        if self.fenced and not stuck:
            raise FencedError("another scheduler has taken over; this one has ended")
        return stuck

    def stop(self) -> None:
        """Have the loop end at its next look. May be called from a signal handler.

        A signal can come at any moment, so this locks nothing and wakes nothing.
        """
        self._stop = True

    def _keep_looking(self) -> None:
        jobs = self._started()
        try:
            while not self._stop:
                with self._changed:
                    asked = self._asked
                self._look()
                with self._changed:
                    self._looked = asked
                    self._changed.notify_all()
                if not jobs.is_alive():
                    raise TorchError("APScheduler has ended: nothing would be run any more")
                apart = time.time() - time.monotonic()
                if abs(apart - self._apart) > CLOCKS_MOVED_SECONDS:
                    self._apart = apart
                    self._scheduler.wakeup()
                self._wake.wait(INTERVALS.look)
                self._wake.clear()
        finally:
            self._stop = True
            with self._changed:
                self._changed.notify_all()
            self._scheduler.shutdown(wait=False)

    def _started(self) -> threading.Thread:
        """Start APScheduler in a thread of its own, which lives as long as it runs jobs."""
        begun = threading.Event()
        self._scheduler.add_listener(lambda _: begun.set(), EVENT_SCHEDULER_STARTED)
        jobs = threading.Thread(target=self._run_jobs, name="jobs", daemon=True)
        jobs.start()
        if not begun.wait(INTERVALS.closing):
            raise TorchError("APScheduler did not start")
        return jobs

    def _run_jobs(self) -> None:
        try:
            self._scheduler.start()
        except JobLookupError:
            # ``shutdown`` counts as done before the run that it waits for has ended (3.11.3).
            if not self._stop:
                raise

    # -- looking -----------------------------------------------------------------------------------

    def _look(self) -> None:
        """See what has happened since the last look, and plan the passes."""
        if time.monotonic() < self._look_again:
            return
        try:
            before, self._clock = self._clock, Clock.read()
            self._on_look()
            if self._note_outage(before) or self._has_changed():
                self._plan()
            if self._clock.boot >= self._renewed.boot + INTERVALS.renew:
                self._renew()
        except StoreError as error:
            self._told.error(error)
            self._plan_anew.set()
            self._look_again = time.monotonic() + INTERVALS.after_error

    def _note_outage(self, before: Clock) -> bool:
        """Record an outage, or that the clock was set; return whether there was one."""
        outage = outage_between(before, self._clock, stalled=INTERVALS.stalled)
        jump = clock_jump(before, self._clock)
        if jump:
            self._store.checkins.shift_intervals(jump, before.wall)
        if outage is not None:
            self._renew()
            self._store.lease.note_outage(outage)
            self._told.outage(outage)
        return outage is not None or jump != 0

    def _renew(self) -> None:
        if self._store.lease.renew(self.held, self._clock):
            self._renewed = self._clock
        else:
            self.fenced = True
            self.stop()

    def _has_changed(self) -> bool:
        """Say whether the store was written to, or a pass has ended, since the last look."""
        ended = self._plan_anew.is_set()
        self._plan_anew.clear()  # first, so that the next look sees passes that end now
        version = self._store.database.written_by_others()
        changed, self._version = version != self._version, version
        return changed or ended

    def _plan(self) -> None:
        """Plan the next run of each pass by what is in the store."""
        now = self._clock.wall
        due = next_due(self._store)
        if self._store.checkins.overdue():
            again = now + self._fired + INTERVALS.overdue - time.monotonic()
            due = again if due is None else min(due, again)
        newest, self._newest = self._newest, self._store.messages.newest()
        if newest != self._newest:
            self._not_before.pop("outbox", None)  # new messages need not wait
        reported, self._reported = self._reported, self._store.hooks.last_id()
        if reported != self._reported:
            self._not_before.pop("states", None)
        messages = self._store.messages
        waiting = self._passes.delivers or messages.any_waiting() or messages.agents_to_tell()
        watches, self._watches = self._watches, self._store.watches.version()
        if watches != self._watches:
            self._not_before.pop("checkpoint", None)
        at = {
            "fire": due,
            "outbox": now if waiting else None,
            "states": now if self._passes.watches or self._store.agents.any() else None,
            "health": now if self._store.agents.any() else None,
            "tasks": now if self._store.tasks.any_held() else None,
            "teams": now if is_needed(self._store) else None,
        }
        for one in PASSES:
            self._plan_at(one, at.get(one.name, now))

    def _plan_at(self, one: Pass, at: float | None) -> None:
        """Plan a pass for the moment ``at`` (epoch seconds), or not at all."""
        with self._changed:
            if one.name in self._running:
                return  # it is planned when it ends
            rest = self._not_before.get(one.name, 0.0) - time.monotonic()
        if at is None:
            with contextlib.suppress(JobLookupError):
                self._scheduler.remove_job(one.name)
            return
        at = max(at, self._clock.wall + rest)
        planned = self._scheduler.get_job(one.name)
        if planned is not None and planned.next_run_time is not None:
            now = self._clock.wall
            moved = max(planned.next_run_time.timestamp(), now) - max(at, now)
            if abs(moved) <= SAME_MOMENT_SECONDS:
                return  # to plan all passes anew took a fifth of the daemon's time beside 64 agents
        when = datetime.datetime.fromtimestamp(at, datetime.UTC)
        self._scheduler.add_job(
            self._run, "date", [one], run_date=when, id=one.name, replace_existing=True
        )

    # -- passes ------------------------------------------------------------------------------------

    def _run(self, one: Pass) -> None:
        """Run a pass, never twice at once. An error is reported, and the pass is tried again."""
        with self._changed:
            if one.name in self._running:
                return  # it is planned when it ends
            self._running.add(one.name)
        rest = one.after_error
        try:
            if self._has_looked():
                with self._stores.lend() as store:
                    rest = self._passes.run(one.name, store, time.time())
        except FencedError:
            self.fenced = True
            self.stop()
        except Exception as error:  # check-ins must continue after any error
            self._told.error(error)
        finally:
            self._fired = time.monotonic() if one.name == "fire" else self._fired
            with self._changed:
                self._running.discard(one.name)
                self._not_before[one.name] = time.monotonic() + rest
                self._changed.notify_all()
            self._plan_anew.set()
            self._wake.set()

    def _has_looked(self) -> bool:
        """Wait for a look that begins now; ``False`` if the loop is to end."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._wake.set()
            self._changed.wait_for(lambda: self._looked >= mine or self._stop)
        return not self._stop
