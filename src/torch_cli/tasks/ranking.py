"""Which agent gets which task, and why. Pure decisions on values.

A waiting task becomes more urgent with time, so that no task waits forever.
"""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch_cli.programs.state import AT_WORK, State
from torch_cli.store.tasks import Task, skills_fit

AGING_SECONDS = 3600.0
"""Seconds of waiting that count as much as one step of priority."""

TURNS = (State.STARTING, State.WAITING, *AT_WORK)
"""The states of an agent that is idle after its present turn, if all goes well."""


class Candidate(NamedTuple):
    """An agent that could get a task.

    ``load`` is how many tasks it has. ``rates`` is how well it has ended tasks that asked for a
    skill, by the skill's name in small letters. ``last`` is when it last got a task (epoch seconds,
    0 for never). ``leads``: it has others below it and gives out tasks itself. ``place`` is its
    ``directory`` in the main worktree of its ``project``. ``foreign`` are the ids of tasks of other
    projects. ``serves``: its role gets tasks. ``frozen``: it gets nothing now. ``unreachable`` says
    why Torch types no message into its program, '' if it does.
    """

    name: str
    identity: str
    state: State
    skills: tuple[str, ...] = ()
    load: int = 0
    directory: str = ""
    rates: tuple[tuple[str, float], ...] = ()
    last: float = 0.0
    leads: bool = False
    place: str = ""
    project: str = ""
    foreign: frozenset[str] = frozenset()
    role: str = ""
    serves: bool = True
    frozen: bool = False
    unreachable: str = ""


class Choice(NamedTuple):
    """The decision for a task. ``agent`` is ``None`` if no agent can take it now.

    ``why`` says why this agent was chosen, ``others`` why each other agent was not. ``soon`` are
    the agents that could take it at the end of their turns.
    """

    task: Task
    agent: Candidate | None
    why: str
    others: tuple[tuple[str, str], ...] = ()
    soon: tuple[str, ...] = ()


def route(
    tasks: Sequence[Task], candidates: Sequence[Candidate], strategy: str, now: float
) -> list[Choice]:
    """Decide for each of ``tasks``, which wait for nothing, at ``now`` (epoch seconds).

    An agent gets at most one. Raises ``KeyError`` for a strategy that is not in ``RANKINGS``.
    """
    rank = RANKINGS[strategy]
    free = list(candidates)
    choices: list[Choice] = []
    for task in sorted(tasks, key=lambda one: (-urgency(one, now), one.created, one.id)):
        refused = [(one.name, why) for one in free if (why := objection(task, one))]
        refused += [
            (c.agent.name, objection(task, c.agent) or f"it gets {c.task.id}")
            for c in choices
            if c.agent
        ]
        fit = [one for one in free if not objection(task, one)]
        if not fit:
            soon = tuple(one.name for one in free if _is_free_soon(task, one))
            why = "no agent can take it now"
            if soon:
                why += f"; after the present turn: {', '.join(soon)}"
            choices.append(Choice(task, None, why, tuple(refused), soon))
            continue
        best = min(fit, key=lambda one: (*rank(task, one), one.name))
        others = [(one.name, _why(task, one, strategy)) for one in fit if one is not best]
        choices.append(Choice(task, best, _why(task, best, strategy), (*others, *refused)))
        free.remove(best)
    return choices


def _is_free_soon(task: Task, one: Candidate) -> bool:
    """Return whether only its present turn keeps an agent from a task."""
    return one.state in TURNS and not objection(task, one._replace(state=State.IDLE))


def urgency(task: Task, now: float) -> float:
    """Return how urgent a task is: its priority, plus more the longer it waits."""
    return task.priority + max(0.0, now - task.created) / AGING_SECONDS


def objection(task: Task, one: Candidate) -> str:
    """Return why an agent cannot take a task, '' if it can."""
    if one.unreachable:
        return one.unreachable
    if one.frozen:
        return "it is frozen"
    if one.state == State.ERROR:
        return "its last turn ended with an error"
    if one.state != State.IDLE:
        return f"it is {one.state}"
    if task.id in one.foreign:
        return f"it works in {one.project or 'no project'}"
    if not one.serves:
        return f"its role is '{one.role}'" if one.role else "it has no role"
    if one.leads:
        return "it leads other agents"
    if one.load:
        return f"it has {one.load} task{'' if one.load == 1 else 's'}"
    if not skills_fit(task.skills, one.skills):
        has = {skill.casefold() for skill in one.skills}
        return f"it lacks {', '.join(s for s in task.skills if s.casefold() not in has)}"
    return ""


def rate(task: Task, one: Candidate) -> float:
    """Return how well the agent has ended tasks that asked for the same skills, 0.5 if unknown."""
    known = dict(one.rates)
    found = [known[s.casefold()] for s in task.skills if s.casefold() in known]
    found = found or [known[""]] if "" in known and not found else found
    return sum(found) / len(found) if found else 0.5


def near(task: Task, one: Candidate) -> bool:
    """Return whether the agent works in the directory of the task."""
    if not task.directory:
        return False
    places = (place for place in (one.directory, one.place) if place)
    return any(os.path.commonpath([task.directory, place]) == task.directory for place in places)


def _least_loaded(task: Task, one: Candidate) -> tuple[float, ...]:
    return (one.load, one.last)


def _best_skilled(task: Task, one: Candidate) -> tuple[float, ...]:
    # Of two equal agents the one with fewer skills, so that the other stays free.
    return (-rate(task, one), len(one.skills), one.last)


def _round_robin(task: Task, one: Candidate) -> tuple[float, ...]:
    return (one.last,)


def _sticky(task: Task, one: Candidate) -> tuple[float, ...]:
    return (not near(task, one), one.last)


RANKINGS: dict[str, Callable[[Task, Candidate], tuple[float, ...]]] = {
    "least-loaded": _least_loaded,
    "best-skilled": _best_skilled,
    "round-robin": _round_robin,
    "sticky-to-directory": _sticky,
}
"""How the agents that can take a task are ranked. The smallest value goes first."""


def _why(task: Task, one: Candidate, strategy: str) -> str:
    since = "has had no task yet" if not one.last else "has waited longest since its last task"
    reasons = {
        "least-loaded": f"idle, {since}",
        "best-skilled": f"{rate(task, one):.0%} of such tasks done, {len(one.skills)} skills",
        "round-robin": since,
        "sticky-to-directory": "works in the task's directory"
        if near(task, one)
        else f"works elsewhere, {since}",
    }
    return reasons[strategy]
