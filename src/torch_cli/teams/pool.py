"""Pools: more agents of a role while tasks wait, fewer when there is nothing to do."""

from collections.abc import Sequence
from typing import NamedTuple

from torch_cli import capacity, procs
from torch_cli.errors import HeldError
from torch_cli.programs.state import AT_REST, ENDED
from torch_cli.roster.project import belongs, project_of_team
from torch_cli.roster.started import agent_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import TASK_HELD, Task, TaskState, skills_fit
from torch_cli.teamfile.described import MIB, Pool, Team
from torch_cli.teams.act import TeamAct
from torch_cli.watch.draft import check_no_draft
from torch_cli.watch.listing import Line, list_agents

SETTLE_SECONDS = 300.0
"""An agent that ends within this many seconds of its start is not started again before then."""

MOST_FAILED = 2
"""If this many agents ended so soon, no other is started either, because it would end too."""


class PoolChange(NamedTuple):
    """A change of a pool: the agent ``name`` is started (``GROW``) or retired (``SHRINK``).

    Without a name the pool stays as it is (``STAY``) although a task waits. ``why`` is a sentence.
    """

    pool: Pool
    what: TeamAct
    name: str
    why: str


def waiting(store: Store, team: Team) -> list[Task]:
    """Return the waiting tasks that an agent of the team could take, apart from skills."""
    project = project_of_team(team.path)
    return [
        task
        for task in store.tasks.all()
        if task.state == TaskState.OPEN and belongs(task, project) and not store.tasks.unmet(task)
    ]


def decide(store: Store, team: Team, now: float) -> list[PoolChange]:
    """Return what is to become of the team's pools at ``now`` (epoch seconds)."""
    if not team.pools:
        return []
    look = _PoolAgents(store, team, now)
    found = [look.decide(pool) for pool in team.pools]
    return [change for change in found if change is not None]


class _PoolAgents:
    """The agents of a team's pools at one moment, by their names in the file.

    An agent belongs to the team by its identity: it may have another name now, and an agent of
    another team may have its name. ``ended`` are agents whose program has ended or never came up,
    ``stopped`` are those that a person has stopped, ``frozen`` those that a person has frozen:
    nobody is started in their place.
    """

    def __init__(self, store: Store, team: Team, now: float) -> None:
        self.store, self.team, self.now = store, team, now
        self.tasks = waiting(store, team)
        self.rows = store.teams.members(team.path)
        names = [name for pool in team.pools for name in pool.names if name in self.rows]
        known = {name: agent_of(store, self.rows[name]) for name in names}
        agents = [agent for agent in known.values() if agent is not None]
        seen = {line.agent.identity: line for line in list_agents(store, agents)}
        lines = {name: seen[agent.identity] for name, agent in known.items() if agent is not None}
        self.there = {name: line for name, line in lines.items() if line.state not in ENDED}
        self.stopped = {name for name in names if known[name] is None and self.rows[name].agent}
        self.ended = set(names) - self.there.keys() - self.stopped
        self.frozen = {name for name, line in lines.items() if line.agent.frozen is not None}

    def decide(self, pool: Pool) -> PoolChange | None:
        """Return the change of a pool; ``None`` if it may stay as it is."""
        fit = [task for task in self.tasks if skills_fit(task.skills, pool.skills)]
        there = {name: self.there[name] for name in pool.names if name in self.there}
        free = {name: line for name, line in there.items() if self._is_free(line)}
        late = [task for task in fit if self.now - task.changed > pool.wait]
        frozen = [name for name in pool.names if name in self.frozen]
        if late and frozen:
            why = f"{late[0].id} waits, and {frozen[0]} is frozen"
            return PoolChange(pool, TeamAct.STAY, "", why)
        if late and not free:
            starting = [name for name, line in there.items() if line.agent.ready is None]
            if starting:
                why = f"{late[0].id} waits, and {starting[0]} is not ready"
                return PoolChange(pool, TeamAct.STAY, "", why)
            return self._grow(pool, f"{late[0].id} waits")
        stay = self.stopped | (self.frozen & self.ended)
        least = pool.least - len(stay.intersection(pool.names))
        is_up = there or self.ended.intersection(pool.names)
        if is_up and len(there) < least:
            return self._grow(pool, f"{len(there)} of {least} are running")
        for name, line in reversed(free.items()) if not fit and len(there) > least else ():
            since = self.now - line.since if line.since else 0.0
            # The first agents stay, because 'torch up' would start them again.
            spare = name in pool.names[pool.least :] and line.agent.frozen is None
            if spare and since > pool.idle and not self._has_draft(line):
                why = "it is idle, and no task waits"
                return PoolChange(pool, TeamAct.SHRINK, line.agent.name, why)
        return None

    def _has_draft(self, line: Line) -> bool:
        try:
            check_no_draft(self.store, line.agent)
        except HeldError:
            return True
        return False

    def _is_free(self, line: Line) -> bool:
        own = line.agent.identity
        held = any(t.agent == own and t.state in TASK_HELD for t in self.store.tasks.all())
        return line.state in AT_REST and not held

    def _grow(self, pool: Pool, why: str) -> PoolChange:
        """Return which agent to start because of ``why``, or what prevents that."""
        there = [self.there[name].agent for name in pool.names if name in self.there]
        fresh = [name for name in pool.names if name in self.ended and self._is_fresh(name)]
        names = [name for name in pool.names if name not in fresh and self._is_to_be_had(name)]
        agents = self.store.agents.all()
        if len(fresh) >= MOST_FAILED or (fresh and not names):
            stays = f"{', '.join(fresh)} ended soon after the start"
        elif len(there) == len(pool.names):
            stays = f"all {len(pool.names)} are running: max"
        elif not names:
            stays = "the others were stopped, or their names are taken"
        elif len(agents) >= self.team.limits.max_agents:
            stays = f"{len(agents)} agents are running: max_agents"
        else:
            stays = memory_short(pool, there)
        if stays:
            return PoolChange(pool, TeamAct.STAY, "", f"{why}, and {stays}")
        return PoolChange(pool, TeamAct.GROW, names[0], why)

    def _is_fresh(self, name: str) -> bool:
        return self.now - self.rows[name].started < SETTLE_SECONDS

    def _is_to_be_had(self, name: str) -> bool:
        """Say whether a member of that name can be started."""
        if name in self.there or name in self.stopped:
            return False
        holder = self.store.agents.get(name)
        if holder is None or holder.stopped is not None:
            return True
        if holder.frozen is not None:
            return False
        return name in self.rows and self.rows[name].agent == holder.identity


def memory_short(pool: Pool, agents: Sequence[Agent]) -> str:
    """Say why the machine has no memory for one more agent; '' if it has.

    One more agent takes as much as the largest running one, and ``headroom`` must stay free.
    """
    seen = [
        capacity.used_by(one.program_pid)
        for one in agents
        if procs.alive(procs.Process(one.program_pid, one.program_started))
    ]
    needs = max([pool.memory, *seen]) + pool.headroom
    free = capacity.available()
    if free >= needs:
        return ""
    return f"{free // MIB} MiB of memory are free, {needs // MIB} are needed"
