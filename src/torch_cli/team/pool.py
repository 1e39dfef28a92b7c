"""Pools: more agents of a role while tasks wait, fewer when there is nothing to do."""

from collections.abc import Sequence
from typing import NamedTuple

from torch_cli import capacity, procs
from torch_cli.agents.state import ENDED
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import HELD, OPEN, Task, skills_fit
from torch_cli.team.described import MIB, Pool, Team
from torch_cli.team.project import belongs
from torch_cli.watch.listing import Line, list_agents

GONE = (*ENDED, "vanished")
"""States of an agent that is of no use to a pool any more."""

SETTLE = 300.0
"""Seconds after its start in which one that has ended is not started again."""

FAILED = 2
"""So many that have ended so soon, and no other is started either: they would end, too."""


class Change(NamedTuple):
    """What is to become of a pool: ``name`` is started (``grow``) or retired (``shrink``).

    Without a name it stays as it is, though a task waits. ``why`` is in words.
    """

    pool: Pool
    what: str
    name: str
    why: str


def waiting(store: Store, team: Team) -> list[Task]:
    """Return the tasks of the pool that an agent of the team could take, but for its skills."""
    return [
        task
        for task in store.tasks.all()
        if task.state == OPEN and belongs(task, team.root) and not store.tasks.unmet(task)
    ]


def decide(store: Store, team: Team, now: float) -> list[Change]:
    """Return what is to become of the team's pools at ``now`` (epoch seconds)."""
    if not team.pools:
        return []
    tasks = waiting(store, team)
    names = {name for pool in team.pools for name in pool.names}
    lines = list_agents(store, [one for one in store.agents.all() if one.name in names])
    found = [_decide(store, team, pool, tasks, lines, now) for pool in team.pools]
    return [change for change in found if change is not None]


def _decide(
    store: Store,
    team: Team,
    pool: Pool,
    tasks: Sequence[Task],
    lines: Sequence[Line],
    now: float,
) -> Change | None:
    fit = [task for task in tasks if skills_fit(task.skills, pool.skills)]
    mine = (line for line in lines if line.agent.name in pool.names)
    there = [line for line in mine if line.state not in GONE]
    free = [line for line in there if _is_free(store, line)]
    late = [task for task in fit if now - task.changed > pool.wait]
    if late and not free:
        starting = [line.agent.name for line in there if line.agent.ready is None]
        if starting:
            return Change(pool, "stay", "", f"{late[0].id} waits, and {starting[0]} is not ready")
        return _grow(store, team, pool, there, f"{late[0].id} waits", now)
    started = store.teams.members(team.path)
    if len(there) < pool.least and any(name in started for name in pool.names):
        return _grow(store, team, pool, there, f"{len(there)} of {pool.least} are there", now)
    for line in reversed(free) if not fit and len(there) > pool.least else ():
        since = now - line.since if line.since else 0.0
        # The first ones stay: 'torch up' would start them again.
        if line.agent.name in pool.names[pool.least :] and since > pool.idle:
            return Change(pool, "shrink", line.agent.name, "it is idle, and no task waits")
    return None


def _is_free(store: Store, line: Line) -> bool:
    held = any(t.agent == line.agent.identity and t.state in HELD for t in store.tasks.all())
    return line.state == "idle" and not held


def _grow(
    store: Store, team: Team, pool: Pool, there: Sequence[Line], why: str, now: float
) -> Change:
    """Return which one is started because of ``why``, or what keeps it from that."""
    taken = {line.agent.name for line in there}
    absent = [name for name in pool.names if name not in taken]
    started = store.teams.members(team.path)
    fresh = [name for name in absent if name in started and now - started[name].started < SETTLE]
    names = [name for name in absent if name not in fresh]
    agents = store.agents.all()
    if not absent:
        stays = f"all {len(pool.names)} are there: max"
    elif not names or len(fresh) >= FAILED:
        stays = f"{', '.join(fresh)} ended soon after the start"
    elif len(agents) >= team.limits.max_agents:
        stays = f"there are {len(agents)} agents: max_agents"
    else:
        stays = memory_short(pool, [line.agent for line in there])
    if stays:
        return Change(pool, "stay", "", f"{why}, and {stays}")
    return Change(pool, "grow", names[0], why)


def memory_short(pool: Pool, agents: Sequence[Agent]) -> str:
    """Return in words why the machine has no memory for one more; '' if it has.

    One more takes what the greatest of those that run takes now, and ``headroom`` must stay free.
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
    return f"{free // MIB} MiB of memory are free, {needs // MIB} wanted"
