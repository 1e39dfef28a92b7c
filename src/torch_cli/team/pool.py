"""Pools: more agents of a role while tasks wait, fewer when there is nothing to do."""

from collections.abc import Sequence
from typing import NamedTuple

from torch_cli import capacity, procs
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import HELD, OPEN, Task, skills_fit
from torch_cli.team.described import MIB, Pool, Team
from torch_cli.team.project import belongs
from torch_cli.watch.listing import Line, list_agents


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
    there = [line for line in lines if line.agent.name in pool.names]
    free = [line for line in there if _is_free(store, line)]
    late = [task for task in fit if now - task.changed > pool.wait]
    if late and not free:
        starting = [line.agent.name for line in there if line.agent.ready is None]
        if starting:
            return Change(pool, "stay", "", f"{late[0].id} waits, and {starting[0]} is not ready")
        return _grow(store, team, pool, there, late[0], now)
    for line in reversed(free) if not fit else ():
        since = now - line.since if line.since else 0.0
        if line.agent.name in pool.names[pool.least :] and since > pool.idle:
            return Change(pool, "shrink", line.agent.name, "it is idle, and no task waits")
    return None


def _is_free(store: Store, line: Line) -> bool:
    held = any(t.agent == line.agent.identity and t.state in HELD for t in store.tasks.all())
    return line.state == "idle" and not held


def _grow(
    store: Store, team: Team, pool: Pool, there: Sequence[Line], task: Task, now: float
) -> Change:
    taken = {line.agent.name for line in there}
    name = next((one for one in pool.names if one not in taken), "")
    agents = store.agents.all()
    if not name:
        why = f"{task.id} waits, and all {len(pool.names)} are there: max"
    elif len(agents) >= team.limits.max_agents:
        why = f"{task.id} waits, and there are {len(agents)} agents: max_agents"
        name = ""
    elif short := memory_short(pool, [line.agent for line in there]):
        why, name = f"{task.id} waits, and {short}", ""
    else:
        why = f"{task.id} has waited for {now - task.changed:.0f} s"
    return Change(pool, "grow" if name else "stay", name, why)


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
