"""What a scheduler does, as one list of passes: the daemon repeats them, ``torch tick`` runs each
once.

An error in one pass is reported and does not stop the others.
"""

import select
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from torch_cli.errors import RefusedError
from torch_cli.intervals import INTERVALS
from torch_cli.schedule.firing import fire_due
from torch_cli.store import Store

if TYPE_CHECKING:
    from torch_cli.attention.history import Change, History
    from torch_cli.attention.notices import Notice, Notices
    from torch_cli.attention.parents import Parents, ParentTold
    from torch_cli.delivery.drain import Drain
    from torch_cli.delivery.receipt import Receipt
    from torch_cli.health.hibernation import Hibernation
    from torch_cli.health.limits import LimitsOver
    from torch_cli.health.recovery import Recovery
    from torch_cli.health.resurrection import Resurrection
    from torch_cli.health.stalls import StalledAgents
    from torch_cli.lifecycle.did import Did
    from torch_cli.schedule.proofs import Proofs, Proven
    from torch_cli.schedule.worktrees import Done
    from torch_cli.snippet.marks import Marks
    from torch_cli.store.checkin import Run
    from torch_cli.store.tasks import Task
    from torch_cli.teams.upkeep import Upkeep


class Told(Protocol):
    """Is told what the passes have done, and what went wrong."""

    def runs(self, runs: "list[Run]") -> None:
        """Check-ins have fired."""

    def receipts(self, receipts: "list[Receipt]") -> None:
        """Messages have left the outbox."""

    def done(self, done: "Done") -> None:
        """A checkpoint or a commit was made, or could not be."""

    def returned(self, task: "Task") -> None:
        """A task is in the pool again."""

    def team(self, did: "Did") -> None:
        """Something was done for an agent, or for a team."""

    def proven(self, proven: "Proven") -> None:
        """The proof of a new version has begun, or ended."""

    def notice(self, notice: "Notice") -> None:
        """A person was told that agents wait."""

    def parent(self, told: "ParentTold") -> None:
        """An agent's parent gets a message about what the agent waits for."""

    def error(self, error: BaseException) -> None:
        """A pass, or a part of one, has failed. It is tried again."""


OUTCOME_SECONDS = 3600.0
"""For this many seconds Torch looks for the outcome of an ``unknown`` message."""

GONE = "gone"
"""The rule of the state of an agent whose pane is gone."""

LOAD = 0.014
"""The part of a core that looks at states may take; with very many busy agents they are fewer.
Beside 64 agents that all draw, a look takes some 13 ms on a loaded machine, so there is still one
each second. The rest of the daemon takes half as much."""


class Pass(NamedTuple):
    """The name of a pass, and the seconds after which it is tried again after a failure.

    The method of ``Passes`` with that name is the pass.
    """

    name: str
    after_error: float = INTERVALS.after_error


PASSES: Sequence[Pass] = (
    Pass("resurrect"),
    Pass("fire"),
    Pass("states"),
    Pass("arrange", INTERVALS.arrange),
    Pass("tasks"),
    Pass("health"),
    Pass("teams"),
    Pass("unknown"),
    Pass("outbox"),
    Pass("checkpoint"),
    Pass("retention", INTERVALS.copy),
    Pass("copy", INTERVALS.copy),
    Pass("proofs", INTERVALS.proofs),
)
"""The passes in the order of a tick, so that the same tick delivers what its check-ins send."""


class Passes:
    """The passes. Each takes an open store and the time (epoch seconds) and does what is due.

    It returns the seconds until the next look, if nothing changes before. ``token`` is that of the
    scheduler's lease. When ``until`` returns true, a pass begins nothing more. With a ``deadline``
    (monotonic), which a tick has, a pass waits until then for what it has begun.
    """

    def __init__(
        self,
        told: Told,
        token: int,
        until: Callable[[], bool],
        deadline: float | None = None,
    ) -> None:
        self._told, self._token, self._until, self._deadline = told, token, until, deadline
        self._drain: Drain | None = None
        self._history: History | None = None
        self._marks: Marks | None = None
        self._notices: Notices | None = None
        self._parents: Parents | None = None
        self._first_look: float | None = None
        self._upkeep: Upkeep | None = None
        self._recovery: Recovery | None = None
        self._resurrection: Resurrection | None = None
        self._resurrects = deadline is None
        self._limits: LimitsOver | None = None
        self._stalled: StalledAgents | None = None
        self._hibernation: Hibernation | None = None
        self._proofs: Proofs | None = None

    def run(self, name: str, store: Store, now: float) -> float:
        """Run the pass of that name."""
        seconds: float = getattr(self, name)(store, now)
        return seconds

    @property
    def delivers(self) -> bool:
        """Whether a delivery continues, or its receipt was not reported yet."""
        return self._drain is not None and self._drain.busy

    @property
    def watches(self) -> bool:
        """Whether states are looked at, or a program that tells a person of one has not ended."""
        return self._history is not None or (self._notices is not None and self._notices.busy)

    def close(self, seconds: float) -> bool:
        """Give running deliveries ``seconds`` to end; return whether they did. End the rest."""
        if self._notices is not None:
            self._notices.close()
        if self._history is not None:
            self._history.close()
        if self._proofs is not None:
            self._proofs.close()
        if self._resurrection is not None:
            self._resurrection.close()
        if self._drain is None:
            return True
        ended = self._drain.close(seconds)
        self._told.receipts(self._drain.settled())
        return ended

    def resurrect(self, store: Store, now: float) -> float:
        """Bring agents back whose tmux server is gone, once, if the user asks for it; a tick has
        no time for it.
        """
        if self._resurrects and self._resurrection is None:
            from torch_cli.health.resurrection import Resurrection

            self._resurrects = store.agents.any()
            self._resurrection = Resurrection() if self._resurrects else None
        if self._resurrection is None or not self._resurrection.busy:
            return INTERVALS.copy
        for did in self._resurrection.run(store):
            self._told.team(did)
        self._resurrects = not self._resurrection.settled
        return INTERVALS.health_soon if self._resurrects else INTERVALS.health

    def fire(self, store: Store, now: float) -> float:
        """Fire the check-ins that are due."""
        wait = INTERVALS.fire_again

        def note(error: Exception) -> None:
            nonlocal wait
            wait = INTERVALS.overdue
            self._told.error(error)

        self._told.runs(fire_due(store, now, self._token, note))
        return wait

    def states(self, store: Store, now: float) -> float:
        """Write down which agents have come to be in another state, and tell people."""
        if not store.agents.any():
            if self._history is not None:
                self._history.look(store)  # leaves the servers that had agents
                self._history = self._marks = None
            if self._notices is not None:
                self._notices.tell({}, {})
            return INTERVALS.states
        from torch_cli.attention.history import DWELL_SECONDS, History

        self._history = self._history or History()
        began = time.thread_time()
        changes = self._history.look(store)
        if self._deadline is not None:
            if self._history.unsettled and time.monotonic() + DWELL_SECONDS < self._deadline:
                select.select([], [], [], DWELL_SECONDS)  # nobody tells when a state has stood
                self._history.look(store)
            self._tell_parents(store, self._history)
            self._history.close()
        else:  # the looks of a tick are too far apart to say that a state has lasted
            self._notify(store, self._history, now, changes)
            self._tell_parents(store, self._history)
            self._mark(store, self._history)
            if any(change.state.rule == GONE for change in changes):
                self.arrange(store, now)  # which window is the last one decides what a close means
        if self._history.unsettled:
            return DWELL_SECONDS
        return max(INTERVALS.states, (time.thread_time() - began) / LOAD)

    def arrange(self, store: Store, now: float) -> float:
        """Keep how the sessions of agents are arranged, for when their tmux server is gone."""
        if store.agents.any() or store.arrangements.sockets():
            from torch_cli.lifecycle.arrangement import keep

            keep(store)
        return INTERVALS.arrange

    def _mark(self, store: Store, history: "History") -> None:
        """Show in people's tmux what the agents need; a tick's look would soon be an old one."""
        if self._marks is None:
            from torch_cli.snippet.marks import Marks

            self._marks = Marks()
            history.on_leave = self._marks.leave
        self._marks.show(store, history.agents, history.states, history.rests, history.clients)

    def _notify(
        self, store: Store, history: "History", now: float, changes: "list[Change]"
    ) -> None:
        """Tell people of agents that have begun to wait for them, once they have waited a while."""
        if self._first_look is None:
            # Nobody knows when a program ended that this look found to have ended.
            self._first_look = now
            return
        if self._notices is None:
            from torch_cli.attention.told import TOLD

            if not any(change.state.shown in TOLD for change in changes):
                return  # agents that only work cost no imports beside a delivery
        elif not changes and not self._notices.busy:
            return
        from torch_cli.attention.mute import muted_until
        from torch_cli.attention.notices import Notices

        self._notices = self._notices or Notices(self._first_look, self._told.error)
        self._notices.take(changes)
        alive = {agent.identity: agent for agent in history.agents}
        notice = self._notices.tell(alive, history.clients, lambda: muted_until(store, time.time()))
        if notice is not None:
            self._told.notice(notice)

    def _tell_parents(self, store: Store, history: "History") -> None:
        """Tell the parents of agents that have waited for long, and take back what is over."""
        if "waiting" in history.states.values() or store.messages.any_waiting():
            from torch_cli.attention.parents import Parents

            self._parents = self._parents or Parents()
            for told in self._parents.run(store, history.states, history.clients):
                self._told.parent(told)

    def tasks(self, store: Store, now: float) -> float:
        """Return the tasks of agents that are gone to the pool."""
        if self._resurrects:
            return INTERVALS.health_soon  # their agents may come back
        if store.tasks.any_held():
            from torch_cli.tasks.life import reap

            for task in reap(store, now):
                self._told.returned(task)
        return INTERVALS.tasks

    def health(self, store: Store, now: float) -> float:
        """Restart agents that have ended or stalled, hibernate those that nobody needs, by their
        policies, and end usage limits.
        """
        if self._recovery is None and not store.agents.any():
            return INTERVALS.health
        from torch_cli.health.hibernation import Hibernation
        from torch_cli.health.limits import LimitsOver
        from torch_cli.health.recovery import Recovery
        from torch_cli.health.stalls import StalledAgents

        self._recovery = self._recovery or Recovery()
        self._limits = self._limits or LimitsOver()
        self._stalled = self._stalled or StalledAgents(self._recovery.begin)
        self._hibernation = self._hibernation or Hibernation()
        for part in (self._recovery, self._limits, self._stalled, self._hibernation):
            for did in part.run(store, now):
                self._told.team(did)
        soon = self._recovery.waits or self._limits.waits
        return INTERVALS.health_soon if soon else INTERVALS.health

    def teams(self, store: Store, now: float) -> float:
        """Look after teams, and after agents with briefings."""
        if self._upkeep is None and not store.teams.paths() and not store.briefings.any():
            return INTERVALS.teams
        from torch_cli.teams.upkeep import Upkeep

        self._upkeep = self._upkeep or Upkeep()
        for did in self._upkeep.run(store, now):
            self._told.team(did)
        return INTERVALS.teams_soon if self._upkeep.waits else INTERVALS.teams

    def unknown(self, store: Store, now: float) -> float:
        """Settle messages without an outcome that their programs have reported since."""
        since = now - OUTCOME_SECONDS
        if store.messages.unknown(since, 1) or store.messages.left(since, 1):
            from torch_cli.delivery.afterwards import settle_unknown

            self._told.receipts(settle_unknown(store, now - OUTCOME_SECONDS, self._until))
        return INTERVALS.unknown

    def outbox(self, store: Store, now: float) -> float:
        """Deliver the messages that can be delivered now."""
        waits = store.messages.any_waiting() or store.messages.undelivered(untold=True, limit=1)
        if waits or self.delivers:
            from torch_cli.delivery.drain import Drain, drain_once

            if self._deadline is not None:
                self._told.receipts(drain_once(now, self._deadline))
                return INTERVALS.outbox
            self._drain = self._drain or Drain()
            self._told.receipts(self._drain.round(now))
        return INTERVALS.outbox

    def checkpoint(self, store: Store, now: float) -> float:
        """Make the checkpoints and commits that are due."""
        from torch_cli.schedule.worktrees import next_look, run_due

        if not store.watches.has_any():
            return INTERVALS.checkpoints
        known = store.watches.version()
        try:
            for done in run_due(store, now, until=self._until):
                self._told.done(done)
            wait = next_look(store, now)
        except RefusedError as error:  # a person must fix the settings
            self._told.error(error)
            wait = INTERVALS.checkpoints
        return wait if known == store.watches.version() else 1.0

    def retention(self, store: Store, now: float) -> float:
        """Delete old rows, and what programs have logged for Torch."""
        from torch_cli.programs.attempts import sweep_logs

        sweep_logs(now)
        store.retention.sweep(now, self._until)
        return INTERVALS.copy

    def copy(self, store: Store, now: float) -> float:
        """Keep the daily copy of the state file."""
        from torch_cli.schedule.copies import keep_copy

        keep_copy(store, now)
        return INTERVALS.copy

    def proofs(self, store: Store, now: float) -> float:
        """Prove new versions of programs if the user asks for it; a tick has no time for it."""
        if self._deadline is None:
            from torch_cli.schedule.proofs import Proofs

            self._proofs = self._proofs or Proofs()
            may_begin = not self.delivers
            for one in self._proofs.run(store, now, may_begin=may_begin, until=self._until):
                self._told.proven(one)
            return INTERVALS.proofs_soon if self._proofs.waits else INTERVALS.proofs
        return INTERVALS.proofs

    def finish(self, now: float, deadline: float) -> None:
        """Wait until ``deadline`` (monotonic) for commands that were begun for agents and teams."""
        for did in self._recovery.finish(deadline) if self._recovery else ():
            self._told.team(did)
        if self._hibernation is not None:
            self._hibernation.finish(deadline)
        for did in self._upkeep.finish(now, deadline) if self._upkeep else ():
            self._told.team(did)
