"""The life of tasks: taking, starting, ending and giving them back.

A task belongs to an agent or is in the pool. An agent keeps it as long as there is activity; it
returns to the pool when its agent is gone, or silent for longer than the lease.
"""

import contextlib
import time
from collections.abc import Sequence

from torch_cli import procs
from torch_cli.duration import words as in_words
from torch_cli.errors import HeldError, NotFoundError, RefusedError, TorchError
from torch_cli.roster.actor import TORCH, Actor
from torch_cli.roster.asleep import is_without_program
from torch_cli.roster.edges import check_edge
from torch_cli.roster.membership import chain, superior
from torch_cli.roster.project import belongs, project_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import (
    TASK_ENDED,
    TASK_HELD,
    Task,
    TaskState,
    skills_fit,
)
from torch_cli.tasks.check import CHECK_SECONDS, prove

CHECK_FAILED = "check-failed"
"""In a task's history: its check ran and failed."""


def find_task(store: Store, name: str) -> Task:
    """Return the task with that id, or the only one whose id begins with it."""
    found = store.tasks.beginning(name) if name.startswith("t-") else []
    exact = [task for task in found if task.id == name]
    if exact or len(found) == 1:
        return (exact or found)[0]
    if found:
        ids = ", ".join(task.id for task in found)
        raise NotFoundError(f"task '{name}' is ambiguous: {ids}", code="no-task")
    raise NotFoundError(f"no task '{name}'", hint="'torch task list' shows them.", code="no-task")


def by(who: Actor, task: Task) -> Task:
    """Return the task with ``who`` as its maker."""
    identity = who.agent.identity if who.agent else ""
    return task._replace(creator=who.name, creator_agent=identity)


def add(store: Store, task: Task) -> Task:
    """Add a task; raises ``NotFoundError`` for a dependency that is not a task."""
    depends = tuple(dict.fromkeys(find_task(store, name).id for name in task.depends))
    return store.tasks.add(task._replace(depends=depends))


# -- the pool --------------------------------------------------------------------------------------


def reap(store: Store, now: float) -> list[Task]:
    """Return to the pool the tasks of agents that are gone, or were silent for too long.

    ``now`` is epoch seconds. Returns those tasks.
    """
    returned = []
    for task in store.tasks.all():
        if task.state not in TASK_HELD:
            continue
        why = _lost(store, task, now)
        if not why:
            continue
        with store.database.transaction():
            fresh = store.tasks.get(task.id)
            if fresh is not None and fresh.agent == task.agent and fresh.state in TASK_HELD:
                free = fresh._replace(state=TaskState.OPEN, agent="", holder="", reason=why)
                returned.append(
                    store.tasks.save(free, TORCH.name, "return", f"{task.holder}: {why}")
                )
    return returned


def _lost(store: Store, task: Task, now: float) -> str:
    """Return why a task's agent loses it, '' if the agent keeps it."""
    agent = store.agents.known_as(task.agent)
    if agent is None or agent.stopped is not None:
        return "its agent was stopped"
    if agent.frozen is not None:
        return ""  # it keeps what it has until it is thawed
    if is_without_program(agent):
        return ""  # it is hibernated, and woken when it is needed
    if not procs.alive(procs.Process(agent.program_pid, agent.program_started)):
        return "its agent's program has ended"
    if task.state == TaskState.BLOCKED:
        return ""  # it waits for somebody else
    heard = store.hooks.latest(agent.server, agent.pane, since=agent.created)
    silent = now - max(task.active_at, heard.at if heard else 0.0)
    return f"its agent was silent for {in_words(silent)}" if silent > task.lease else ""


def available(store: Store, agent: Agent, skills: Sequence[str]) -> list[Task]:
    """Return the tasks that ``agent`` could take in its project, the most urgent first."""
    project = project_of(store, agent)
    return [
        task
        for task in store.tasks.all()
        if task.state == TaskState.OPEN
        and skills_fit(task.skills, skills)
        and belongs(task, project)
        and not store.tasks.unmet(task)
    ]


def claim(
    store: Store, agent: Agent, who: Actor, task: Task | None, skills: Sequence[str]
) -> Task | None:
    """Give ``agent`` a task of the pool: ``task``, else the first that it could take.

    Returns ``None`` if there is none. Raises ``HeldError`` if ``task`` belongs to an agent, or a
    task that it depends on is not done, ``RefusedError`` if ``who`` gives it to an agent that it
    may not write to.
    """
    if who.agent is not None and who.agent.identity != agent.identity:
        check_edge(store, who.agent, agent, "nothing was done")
    reap(store, time.time())
    while True:
        chosen = task or next(iter(available(store, agent, skills)), None)
        if chosen is None:
            return None
        with store.database.transaction():
            fresh = store.tasks.get(chosen.id)
            assert fresh is not None
            if fresh.state == TaskState.OPEN:
                _check_depends(store, fresh)
                taken = _taken(fresh, agent)
                verb = "claim" if who.agent and who.agent.identity == agent.identity else "assign"
                return store.tasks.save(taken, who.name, verb)
        if task is not None:
            raise _not_free(fresh)


def pass_on(store: Store, task: Task, to: Agent, who: Actor) -> Task:
    """Give a task to ``to`` in one step, from the pool or from the agent that had it when read.

    Raises ``HeldError`` if another agent has it by now, or it has ended.
    """
    with store.database.transaction():
        fresh = store.tasks.get(task.id)
        assert fresh is not None
        if fresh.state in TASK_ENDED or fresh.agent != task.agent:
            raise _not_free(fresh)
        return store.tasks.save(_taken(fresh, to), who.name, "assign")


def _taken(task: Task, agent: Agent) -> Task:
    return task._replace(
        state=TaskState.CLAIMED,
        agent=agent.identity,
        holder=agent.name,
        attempts=task.attempts + 1,
        active_at=time.time(),
        reason="",
    )


def _check_depends(store: Store, task: Task) -> None:
    unmet = store.tasks.unmet(task)
    if unmet:
        names = ", ".join(f"{one.id} ({one.state})" for one in unmet)
        raise HeldError(f"task {task.id} waits for {names}; it was not taken", code="depends")


def _not_free(task: Task) -> HeldError:
    state = f"is {task.holder}'s ({task.state})" if task.holder else f"has ended ({task.state})"
    return HeldError(f"task {task.id} {state}; it was not taken", code="taken")


# -- what its holder does --------------------------------------------------------------------------


def start(store: Store, task: Task, who: Actor) -> Task:
    """Record that work on a task has begun, or continues after it was blocked.

    A task in the pool is taken first. Raises as ``claim`` does.
    """
    if task.state == TaskState.OPEN and who.agent is not None:
        claimed = claim(store, who.agent, who, task, ())
        assert claimed is not None
        task = claimed
    return _change(
        store,
        task,
        who,
        "start",
        (TaskState.CLAIMED, TaskState.BLOCKED, TaskState.ACTIVE),
        state=TaskState.ACTIVE,
        reason="",
    )


def block(store: Store, task: Task, who: Actor, reason: str) -> Task:
    """Record that a task waits for somebody else. It stays with its agent."""
    return _change(store, task, who, "block", TASK_HELD, state=TaskState.BLOCKED, reason=reason)


def release(store: Store, task: Task, who: Actor, reason: str) -> Task:
    """Give a task back to the pool."""
    free = {"state": TaskState.OPEN, "agent": "", "holder": "", "reason": reason}
    return _change(store, task, who, "release", TASK_HELD, **free)


def fail(store: Store, task: Task, who: Actor, reason: str) -> Task:
    """End a task that will not be done."""
    return _change(
        store,
        task,
        who,
        "fail",
        (TaskState.OPEN, *TASK_HELD),
        state=TaskState.FAILED,
        reason=reason,
    )


def done(store: Store, task: Task, who: Actor, words: str, timeout: float = CHECK_SECONDS) -> Task:
    """End a task as done if its check passes.

    The check runs in the directory of the task's agent, without a shell. Raises ``TorchError`` with
    its last lines if it does not exit with 0, ``TimedOutError`` after ``timeout`` seconds. The task
    is not ended then.
    """
    if task.state not in TASK_HELD:
        raise _wrong_state(task, "done")
    _check_may(store, task, who)
    evidence: dict[str, object] = {"words": words} if words else {}
    if task.check:
        agent = store.agents.known_as(task.agent)
        if agent is None:
            raise HeldError(f"the agent of task {task.id} is gone", code="no-agent")
        try:
            evidence |= prove(task, agent.directory, timeout)
        except TorchError as failed:
            words = failed.message.partition("\n")[0]
            with store.database.transaction():
                store.tasks.log(task, who.name, CHECK_FAILED, words)
            raise
    return _change(
        store, task, who, "done", TASK_HELD, state=TaskState.DONE, evidence=evidence, reason=words
    )


def _change(
    store: Store, task: Task, who: Actor, verb: str, allowed: Sequence[str], **facts: object
) -> Task:
    """Change a task if it is still as it was read; raise ``HeldError`` if it is not."""
    if task.state not in allowed:
        raise _wrong_state(task, verb)
    _check_may(store, task, who)
    with store.database.transaction():
        fresh = store.tasks.get(task.id)
        assert fresh is not None
        if fresh.agent != task.agent or fresh.attempts != task.attempts:
            raise HeldError(
                f"task {task.id} is now "
                f"{f'with {fresh.holder}' if fresh.holder else 'in the pool'}; it was not "
                "changed",
                code="changed",
            )
        if fresh.state not in allowed:
            raise _wrong_state(fresh, verb)
        changed = fresh._replace(**{"active_at": time.time(), **facts})  # type: ignore[arg-type]
        return store.tasks.save(changed, who.name, verb, changed.reason)


def _wrong_state(task: Task, verb: str) -> HeldError:
    why = "has ended" if task.state in TASK_ENDED else "belongs to no agent: claim it first"
    words = f"is {task.state}" if task.state in TASK_HELD else why
    return HeldError(f"task {task.id} {words}; '{verb}' was not done", code="state")


def _check_may(store: Store, task: Task, who: Actor) -> None:
    """Refuse an agent that is not the task's agent or maker, nor above its agent."""
    if who.agent is None or who.agent.identity == task.agent or _made(store, task, who.agent):
        return
    holder = store.agents.known_as(task.agent) if task.agent else None
    if holder is not None and any(
        one.identity == who.agent.identity for one in chain(store, holder)
    ):
        return
    whose = f"{task.holder}'s: only it, its parent," if task.holder else "in the pool: only"
    raise RefusedError(
        f"task {task.id} is {whose} who made the task, or a person may change it; it was not "
        "changed",
        code="not-yours",
    )


def _made(store: Store, task: Task, agent: Agent) -> bool:
    """Return whether exactly this agent made the task, not another agent of its name."""
    if task.creator_agent:
        return agent.identity == task.creator_agent
    return agent.name == task.creator and belongs(task, project_of(store, agent))


def concerned(store: Store, task: Task) -> list[Agent]:
    """Return the agents that are told how a task ended: its maker, and its agent's parent."""
    maker = store.agents.get(task.creator) if task.creator else None
    maker = store.agents.known_as(task.creator_agent) if task.creator_agent else maker
    maker = maker if maker and maker.stopped is None and _made(store, task, maker) else None
    holder = store.agents.known_as(task.agent) if task.agent else None
    above = superior(store, holder) if holder else None
    return list({one.identity: one for one in (maker, above) if one is not None}.values())


def skills_of(store: Store, agent: Agent) -> tuple[str, ...]:
    """Return the skills that the agent's team file gives it."""
    with contextlib.suppress(TorchError):
        known = store.teams.member_of(agent.identity)
        if known is not None:
            return tuple(known.spec.get("skills", ()))
    return ()
