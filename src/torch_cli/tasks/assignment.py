"""Giving out the tasks of the pool: the candidates, what they have done, and the decision."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from torch_cli.errors import HeldError, NotFoundError, TorchError
from torch_cli.intervals import INTERVALS
from torch_cli.programs.state import State
from torch_cli.roster.account import refused_login
from torch_cli.roster.actor import Actor
from torch_cli.roster.edges import may_write
from torch_cli.roster.project import belongs, place_of, project_of
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import TAKEN, TASK_HELD, Task, TaskEvent, TaskState
from torch_cli.tasks.life import claim, reap, skills_of
from torch_cli.tasks.ranking import Candidate, Choice, route
from torch_cli.teamfile.described import Team
from torch_cli.teamfile.load import find_file, load_team
from torch_cli.teamfile.schema import STRATEGIES
from torch_cli.tmux.socket import Socket
from torch_cli.watch.listing import agents_on, list_agents


class Rules(NamedTuple):
    """How tasks are given out: by which strategy, and to which roles (to all if none is named).

    ``leaders`` are the agents that have others below them in the team file, running or not.
    """

    strategy: str = STRATEGIES[0]
    roles: tuple[str, ...] = ()
    leaders: frozenset[str] = frozenset()

    @classmethod
    def of(cls, team: Team) -> "Rules":
        """Return the rules that a team file holds."""
        leaders = frozenset(one.parent for one in team.members if one.parent)
        return cls(team.strategy, team.roles, leaders)


def candidates(store: Store, agents: Sequence[Agent], rules: Rules) -> list[Candidate]:
    """Return the agents as candidates, by their present states."""
    tasks = {task.id: task for task in store.tasks.all(ended=True)}
    history = store.tasks.history()
    parents = {one.parent for one in store.agents.all()} | rules.leaders
    open_ = [task for task in tasks.values() if task.state == TaskState.OPEN]
    homes = {task.id: place_of(task.directory).project for task in open_ if task.directory}
    found = []
    for line in list_agents(store, agents):
        agent = line.agent
        given = [e for e in history if e.agent == agent.identity and e.verb in TAKEN]
        held = [t for t in tasks.values() if t.agent == agent.identity and t.state in TASK_HELD]
        found.append(
            Candidate(
                name=agent.name,
                identity=agent.identity,
                state=State.IDLE if line.state is State.HIBERNATED else line.state,
                skills=skills_of(store, agent),
                load=len(held),
                directory=os.path.realpath(agent.directory) if agent.directory else "",
                rates=_rates(agent.identity, history, tasks),
                last=given[-1].at if given else 0.0,
                leads=agent.name in parents,
                place=place_of(agent.directory).path if agent.directory else "",
                project=(project := project_of(store, agent)),
                role=agent.role,
                frozen=agent.frozen is not None,
                unreachable=_unreachable(store, agent),
                serves=not rules.roles or agent.role in rules.roles,
                foreign=frozenset(one for one, home in homes.items() if home != project),
            )
        )
    return found


def _unreachable(store: Store, agent: Agent) -> str:
    """Return why a message with the task would not reach the agent, '' if it would."""
    try:
        profile = profile_named(agent.profile)
    except TorchError as error:
        return str(error)
    if profile.process.shells:
        return "it is a shell, which gets no messages"
    if profile.box.kind == "none":
        return f"messages to it are held: nothing is known of the screen of '{profile.name}'"
    if name := refused_login(store, agent.identity):
        return f"the login of its account was refused ({name})"
    return ""


def _rates(
    identity: str, history: Sequence[TaskEvent], tasks: dict[str, Task]
) -> tuple[tuple[str, float], ...]:
    """Return how well the agent has ended tasks, by skill; '' is for all tasks."""
    ended: dict[str, list[bool]] = {}
    for entry in history:
        task = tasks.get(entry.task)
        if entry.agent != identity or entry.verb not in ("done", "fail") or task is None:
            continue
        for skill in ("", *(skill.casefold() for skill in task.skills)):
            ended.setdefault(skill, []).append(entry.verb == "done")
    return tuple((skill, sum(all_) / len(all_)) for skill, all_ in sorted(ended.items()))


def rules_in(directory: str) -> Rules:
    """Return the rules in the team file of the project around ``directory``.

    Without a file they are the defaults. Raises ``RefusedError`` if the file cannot be read.
    """
    try:
        path = find_file(directory)
    except NotFoundError:
        return Rules()
    return Rules.of(load_team(path))


def decide(store: Store, agents: Sequence[Agent], rules: Rules, project: str = "") -> list[Choice]:
    """Return which agent would get which task of the pool now; with ``project`` only its tasks."""
    now = time.time()
    reap(store, now)
    free = [task for task in store.tasks.all() if task.state == TaskState.OPEN]
    here = [task for task in free if not project or belongs(task, project)]
    waiting = [task for task in here if not store.tasks.unmet(task)]
    if not waiting:
        return []
    return route(waiting, candidates(store, agents, rules), rules.strategy, now)


def decide_as(
    store: Store, socket: Socket, who: Actor, rules: Rules, project: str = ""
) -> list[Choice]:
    """Return what ``decide`` does for the agents that ``who`` may write to.

    With ``project`` only for those that work in it, and on a demanded ``socket`` only for those of
    that tmux server.
    """
    agents = agents_on(store, socket)
    if who.agent is not None:
        agents = [one for one in agents if may_write(store, who.agent, one)]
    agents = [one for one in agents if not project or project_of(store, one) == project]
    return decide(store, agents, rules, project)


def give_out(
    store: Store, choices: Sequence[Choice], who: Actor
) -> Iterator[tuple[Choice, Task | None]]:
    """Give each agent its chosen task; ``None`` for a task that another agent took first."""
    for choice in choices:
        if choice.agent is None:
            continue
        agent = store.agents.known_as(choice.agent.identity)
        try:
            taken = claim(store, agent, who, choice.task, ()) if agent else None
        except HeldError:
            taken = None
        yield choice, taken


def give_in_time(
    store: Store,
    decided: Callable[[], list[Choice]],
    who: Actor,
    seconds: float,
    on_wait: Callable[[Sequence[Choice]], None] = lambda _: None,
) -> Iterator[tuple[Choice, Task | None]]:
    """Give out what ``decided`` returns now, and for ``seconds`` what can only be given later.

    An agent that reports a finished task is still in its turn, so a task that becomes free by it
    can be given only at the end of that turn. Yields each task once: with ``None`` at the end, for
    one that nobody took. ``on_wait`` is called once, with the tasks that are waited for. What no
    agent can take at the end of its turn is not waited for. A task that another took meanwhile
    comes as it is now.
    """
    deadline = time.monotonic() + seconds
    told = False
    while True:
        choices = decided()
        given = set()
        for choice, task in give_out(store, choices, who):
            if task is not None:
                given.add(task.id)
                yield choice, task
        left = [one for one in choices if one.task.id not in given]
        taken = any(one.agent for one in left)  # by another at the same moment: decide again
        if not (taken or any(one.soon for one in left)) or time.monotonic() >= deadline:
            yield from ((_missed(store, one), None) for one in left)
            return
        if not told:
            told = True
            on_wait(left)
        time.sleep(min(INTERVALS.tasks_soon, max(0.0, deadline - time.monotonic())))


def _missed(store: Store, choice: Choice) -> Choice:
    """Return ``choice``, which was not carried out, with what has come in between."""
    if choice.agent is None:
        return choice
    task = store.tasks.get(choice.task.id) or choice.task
    why = f"{choice.agent.name} could not take it any more"
    if task.state != TaskState.OPEN:
        why = "it was taken by another" + (f": {task.holder}" if task.holder else "")
    return choice._replace(task=task, agent=None, why=why)
