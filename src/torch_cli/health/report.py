"""The health of an agent in one value: its policy, its starts, its last end, what comes next."""

from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.health.hibernation import rest_seconds, why_awake
from torch_cli.health.limits import LimitProspect, limit_known
from torch_cli.health.policy import Governed, governed
from torch_cli.health.settings import load_health_settings
from torch_cli.health.stalls import Stall, stall_of
from torch_cli.lifecycle.backoff import MOST, WITHIN
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.health import AgentPolicy
from torch_cli.store.restarts import GIVEN_UP, Restart
from torch_cli.watch.asleep import Rest, rest_of, why_asleep
from torch_cli.watch.end import End, end_of, read, recorded


class HealthOf(NamedTuple):
    """The health of an agent.

    ``starts`` is how often it was started, as far as events are kept, and ``restarts`` how often by
    its policy lately. ``end`` is how its program ended last, at ``ended``; if it ``runs``, that was
    an earlier one. ``due`` is when it is restarted, ``given_up`` since when it is not any more.
    ``failed`` is why its last restart did not succeed. ``limit`` is its usage limit, and what is
    done when that is over, ``stall`` says that it makes no progress. ``asleep``: it is hibernated.
    ``rest`` is after how many seconds that is done, ``None`` for never, and ``why_awake`` why not
    now. Times are seconds since the epoch.
    """

    agent: Agent
    governed: Governed
    runs: bool
    starts: int
    restarts: int
    end: End | None
    ended: float | None
    due: float | None
    given_up: float | None
    failed: str
    limit: LimitProspect | None = None
    stall: Stall | None = None
    asleep: Rest = Rest.NONE
    rest: float | None = None
    why_awake: str = ""

    @property
    def next(self) -> str:
        """What happens next, and why, in words."""
        policy = self.governed.policy.restart
        if self.runs and self.limit is not None and self.limit.over is None:
            return f"limited: {self.limit.limit.said or 'until when is not known'}"
        if self.runs and self.stall is not None:
            return "stalled, nudged" if self.stall.step is not None else "stalled"
        if self.runs:
            return "runs"
        return self._next_of_ended(policy)

    def _next_of_ended(self, policy: str) -> str:
        if self.asleep is not Rest.NONE:
            return f"hibernated: {why_asleep(self.agent, self.asleep)}"
        if self.given_up is not None:
            return f"given up after {MOST} restarts in {WITHIN / 60:.0f} min"
        if self.end is None:
            return "its end is not clear yet"
        if self.agent.frozen is not None:
            return f"frozen: 'torch thaw {self.agent.name}' lets it go on"
        if self.due is not None:
            return "restarts"
        if self.agent.origin != "spawned":
            return "stays: it was adopted, so Torch cannot restart it"
        if not self.end.is_against(policy):
            return f"stays: restart = {policy}, and {self.end.words}"
        return "restarts when the daemon looks"


def health_of(store: Store, agent: Agent, now: float) -> HealthOf:
    """Return the health of ``agent`` at ``now`` (epoch seconds)."""
    rules = governed(store, agent)
    runs = procs.alive(procs.Process(agent.program_pid, agent.program_started))
    end, ended = _last_end(store, agent, runs=runs)
    team = (rules.member.team, rules.member.name) if rules.member else ("", agent.identity)
    history = store.restarts.of(*team)
    pending = next((one for one in history if one.at is None), None)
    up = pending is not None and pending.due == GIVEN_UP
    rest = _rest(rules.policy)
    return HealthOf(
        agent,
        rules,
        runs,
        max(1, store.events.starts(agent.identity)),
        len([one for one in history if one.at is not None and now - one.at < WITHIN]),
        end,
        ended,
        _due(pending),
        pending.noticed if pending is not None and up else None,
        _failed(store, agent),
        limit_known(store, agent, now) if runs else None,
        stall_of(store, agent, rules.policy) if runs else None,
        rest_of(store, agent),
        rest,
        why_awake(store, agent, rest) if runs and rest is not None else "",
    )


def _rest(policy: AgentPolicy) -> float | None:
    try:
        return rest_seconds(policy, load_health_settings().hibernate)
    except TorchError:  # the scheduler says why
        return rest_seconds(policy, None)


def _due(pending: Restart | None) -> float | None:
    return None if pending is None or pending.due == GIVEN_UP else pending.due


def _last_end(store: Store, agent: Agent, *, runs: bool) -> tuple[End | None, float | None]:
    event = store.events.last_end(agent.identity)
    if runs or agent.hibernated is not None or recorded(store, agent) is not None:
        return (read(event), event.at) if event is not None else (None, None)
    try:
        return end_of(store, agent), None  # no scheduler has seen it
    except TorchError:
        return None, None


def _failed(store: Store, agent: Agent) -> str:
    verbs = ("not-restarted", "restart")
    found = store.events.read(
        name=agent.name, agent=agent.identity, verbs=verbs, limit=1, newest=True
    )
    return str(found[0].detail.get("why", "")) if found and found[0].verb == verbs[0] else ""
