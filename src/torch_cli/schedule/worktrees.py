"""Which worktrees are due for a checkpoint, and making those. For the daemon and for tick."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch_cli.checkpoint.record import CheckpointOutcome, Occasion, take
from torch_cli.checkpoint.retention import prune
from torch_cli.checkpoint.settings import Settings, load_settings
from torch_cli.errors import HeldError, RefusedError, TorchError
from torch_cli.git.command import NotARepositoryError
from torch_cli.git.worktree import locate, top_of
from torch_cli.intervals import INTERVALS
from torch_cli.programs.state import State
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.watches import Watch


class Watched(NamedTuple):
    """A worktree that is watched: its top directory, the agents there, and what is known of it.

    ``every`` and ``on_idle`` are what holds for it. ``repository`` is false for a directory that is
    in none.
    """

    top: str
    agents: tuple[Agent, ...]
    watch: Watch
    every: float
    on_idle: bool
    repository: bool = True

    @property
    def names(self) -> str:
        """The names of the agents there."""
        return ", ".join(agent.name for agent in self.agents)

    def due(self) -> float | None:
        """Return when the next checkpoint is due (epoch seconds), ``None`` if never."""
        if not self.every:
            return None
        wait = min(self.every, INTERVALS.checkpoint_again) if self.watch.failed else self.every
        return self.watch.attempted + wait if self.watch.attempted else 0.0


class Done(NamedTuple):
    """What was done for a worktree that was due: a checkpoint, or a commit on its branch.

    ``said`` is it in words, ``again`` whether the same was said the last time; ``alert`` is for
    people to see. ``noteworthy`` says that there is more to it than that nothing had changed.
    ``outcome`` is ``None`` if a commit was due, and of what is not a repository.
    """

    watched: Watched
    said: str
    noteworthy: bool
    failed: bool = False
    again: bool = False
    alert: str = ""
    outcome: CheckpointOutcome | None = None


def watched(store: Store, settings: Settings) -> list[Watched]:
    """Return the worktrees that are watched: of every agent, and what somebody asked for."""
    known = store.watches.all()
    agents: dict[str, list[Agent]] = {}
    bare: set[str] = set()
    for agent in store.agents.all():
        top = top_of(agent.directory)
        if top is None:
            top = os.path.realpath(agent.directory)
            bare.add(top)
        agents.setdefault(top, []).append(agent)
    asked = [top for top, watch in known.items() if watch.wanted and top not in agents]
    tops = {**agents, **{top: [] for top in asked}}
    return [_watched(top, here, known, settings, top not in bare) for top, here in tops.items()]


def _watched(
    top: str, agents: list[Agent], known: dict[str, Watch], settings: Settings, repository: bool
) -> Watched:
    watch = known.get(top, Watch(top))
    default = settings.every if agents else 0.0
    every = default if watch.every is None else watch.every
    on_idle = settings.on_idle if watch.on_idle is None else watch.on_idle
    return Watched(top, tuple(agents), watch, every, on_idle and bool(agents), repository)


def run_due(
    store: Store, now: float, *, until: Callable[[], bool] = lambda: False
) -> Iterator[Done]:
    """Make the checkpoints, and commits, that are due at ``now`` (epoch seconds), one by one.

    No more is begun once ``until`` says so. What fails is said and tried again later. Raises
    ``RefusedError`` if the settings cannot be read.
    """
    settings = load_settings()
    found = watched(store, settings)
    tops = {one.top for one in found}
    idle = _idle_since(store, found)
    for one in found:
        if until():
            return
        reason = _reason(one, now, idle)
        if reason:
            yield _checkpoint(store, one, reason, settings, tops)
        if _commit_is_due(one, now):
            yield _commit(store, one)


def next_look(store: Store, now: float) -> float:
    """Return in how many seconds the next look at what is due is worth it."""
    settings = load_settings()
    found = watched(store, settings)
    idle = any(one.on_idle for one in found)
    wait = INTERVALS.checkpoints_idle if idle else INTERVALS.checkpoints
    for one in found:
        due = [one.due()] if one.repository else []
        if one.watch.commit_every:
            due.append(one.watch.committed + one.watch.commit_every)
        wait = min([wait, *(at - now for at in due if at is not None)])
    return max(1.0, wait)


def _reason(one: Watched, now: float, idle: dict[str, float]) -> str:
    """Return why a checkpoint is due, '' if none is."""
    due = one.due()
    if due is not None and (due <= now or one.watch.attempted > now):  # the clock was put back
        return "interval"
    turned = max((idle.get(agent.name, 0.0) for agent in one.agents), default=0.0)
    return "idle" if one.on_idle and turned > one.watch.attempted else ""


def _idle_since(store: Store, found: list[Watched]) -> dict[str, float]:
    """Return since when the agents are idle whose going idle is waited for, by name."""
    agents = [agent for one in found if one.on_idle for agent in one.agents]
    if not agents:
        return {}
    from torch_cli.watch.listing import list_agents

    lines, resting = list_agents(store, agents), (State.IDLE, State.ERROR)
    return {x.agent.name: x.since for x in lines if x.state in resting and x.since is not None}


def _checkpoint(
    store: Store, one: Watched, reason: str, settings: Settings, tops: set[str]
) -> Done:
    outcome, failed, alert = None, False, ""
    # If this process is ended on the way, that is what is known of it.
    store.watches.attempted(one.top, time.time(), failed=True, said="was cut short", made="")
    try:
        _check_meant(one)
        worktree = locate(one.top)
        # What is watched by itself gets its own: no worktree is recorded for two agents.
        occasion = Occasion(reason, one.names)
        outcome = take(worktree, settings, occasion, skip=lambda top: top in tops)
        said = in_words(outcome)
        alert = "; ".join(filter(None, (_alert(each) for each in outcome.each())))
        if outcome.checkpoint:
            prune(worktree, settings, time.time(), size=_is_new_day(one.watch))
    except (NotARepositoryError, _NotMeantError) as error:
        said = f"{error.message}: it has no checkpoints"
    except HeldError as error:
        said, failed = error.message, True
    except TorchError as error:
        said, failed = error.message, True
        alert = f"no checkpoint of {one.top}: {said}"
    made = outcome.checkpoint.id if outcome and outcome.checkpoint else ""
    again = said == one.watch.said
    store.watches.attempted(one.top, time.time(), failed=failed, said=said, made=made)
    changed = outcome is None or any(each.checkpoint for each in outcome.each())
    worth = failed or bool(alert) or changed
    return Done(one, said, worth, failed, again, "" if again else alert, outcome)


class _NotMeantError(RefusedError):
    """Nobody has asked for checkpoints of so much."""


def _check_meant(one: Watched) -> None:
    """Refuse a home directory that is a repository: all of it would be looked through each time."""
    home = os.path.realpath(os.path.expanduser("~"))
    if one.top == home and not one.watch.wanted:
        raise _NotMeantError(
            f"{home} is your home directory: it is watched only after 'torch checkpoint watch'"
        )


def _is_new_day(watch: Watch) -> bool:
    """Say whether this is the first attempt of the day: the quota is looked at then."""
    days = (time.localtime(at)[:3] for at in (watch.attempted, time.time()))
    return len(set(days)) > 1


def _alert(outcome: CheckpointOutcome) -> str:
    made = outcome.checkpoint
    if made and made.alert:
        return f"{made.alert} in {outcome.top}; checkpoint {made.before or 'before it'} is kept"
    return f"no checkpoint of {outcome.top}: {outcome.error.message}" if outcome.error else ""


def in_words(outcome: CheckpointOutcome) -> str:
    """Return the outcome of a worktree, and of those in it."""
    made = outcome.checkpoint
    words = [f"{made.id}: {made.counts}" if made else "unchanged"]
    words += [made.alert] if made and made.alert else []
    words += [f"{len(outcome.left_out)} left out"] if outcome.left_out else []
    words += [f"{one.top}: {one.error.message}" for one in outcome.nested if one.error]
    return "; ".join(words)


def alert_people(done: Done) -> None:
    """Show an alert to those who are at the tmux servers of the agents there."""
    from torch_cli.tmux.status_line import show_at

    for path in sorted({agent.socket for agent in done.watched.agents}):
        with contextlib.suppress(TorchError):
            show_at(path, f"torch: {done.alert} (torch checkpoint status)")


def _commit_is_due(one: Watched, now: float) -> bool:
    watch = one.watch
    return bool(watch.commit_every) and (
        watch.committed + watch.commit_every <= now or watch.committed > now
    )


def _commit(store: Store, one: Watched) -> Done:
    from torch_cli.commit.commit import commit
    from torch_cli.commit.status import last_status

    made, failed = None, False
    try:
        worktree = locate(one.top)
        status = last_status(store, worktree, one.agents[0].name) if len(one.agents) == 1 else ""
        made = commit(worktree, load_settings(), said=status, agent=one.names)
        said = f"{made.commit[:10]} {made.subject}" if made else "nothing to commit"
    except TorchError as error:
        said, failed = error.message, True
    again = said == one.watch.commit_said
    store.watches.committed(one.top, time.time(), said)
    alert = f"no commit in {one.top}: {said}" if failed and not again else ""
    return Done(one, f"commit: {said}", failed or made is not None, failed, again, alert)
