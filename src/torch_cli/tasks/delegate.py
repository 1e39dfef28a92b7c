"""Delegating a task: starting an agent for it, below the agent that delegates."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from torch_cli.delivery.receipt import Receipt
from torch_cli.delivery.send import Request, send
from torch_cli.errors import HeldError, TorchError
from torch_cli.git.worktree import locate
from torch_cli.lifecycle.kept import check_start, is_kept
from torch_cli.lifecycle.limits import check_spawn
from torch_cli.lifecycle.spawn import SpawnOrder, await_ready, check, spawn
from torch_cli.lifecycle.worktrees import make_worktree
from torch_cli.roster.actor import Actor
from torch_cli.roster.membership import enlist, team_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import PRIORITIES
from torch_cli.store.tasks import Task, TaskState
from torch_cli.tasks.life import pass_on
from torch_cli.tasks.text import order
from torch_cli.teamfile import briefing
from torch_cli.teamfile.directories import worktree_path
from torch_cli.teamfile.facts import facts_of
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.socket import Socket


class NewAgent(NamedTuple):
    """The agent to start for a task. ``branch`` is '' for no worktree of its own."""

    name: str
    role: str
    profile: str
    directory: str
    branch: str = ""
    session: str | None = None
    arguments: tuple[str, ...] = ()


class Delegated(NamedTuple):
    """The task, its new agent, that agent's directory, and the receipts of its messages."""

    task: Task
    directory: str
    branch: str
    briefing: Receipt | None
    order: Receipt


def free_name(store: Store, base: str, own: Agent | None) -> str:
    """Return the first of BASE-1, BASE-2 … that no agent has and that is not reserved."""
    taken = {one.name for one in store.agents.all()}
    names = (f"{base}-{n}" for n in count(1))
    return next(one for one in names if one not in taken and not is_kept(store, one, own))


def delegate(
    store: Store,
    socket: Socket,
    who: Actor,
    task: Task,
    wanted: NewAgent,
    tell: Callable[[str], None] = lambda words: None,
) -> Delegated:
    """Start the agent, wait until it is ready, brief it, and give it the task.

    The task must be in the pool, or belong to the delegating agent. If it does not, or a limit
    forbids one more agent, raises before anything is touched. If the agent does not become ready,
    the task stays where it is.
    """
    own = who.agent
    _check_task(store, task, own)
    if own is not None:
        check_spawn(store, own)
        socket = socket if socket.demanded else Socket(path=own.socket)
    parent = own.name if own else ""
    wish = SpawnOrder(
        name=wanted.name,
        profile=wanted.profile,
        directory=wanted.directory,
        session=wanted.session,
        role=wanted.role,
        parent=parent,
        arguments=wanted.arguments,
    )
    profile, _ = check(store, wish)
    check_start(store, wanted.name, own)
    directory = _place(wanted, tell)
    agent, window = spawn(store, socket, replace(wish, directory=directory))
    directory = agent.directory
    detail = {"task": task.id, "parent": parent, "branch": wanted.branch, "dir": directory}
    store.events.add("delegate", agent.name, detail, actor=parent)
    if own is not None:
        enlist(store, team_of(store, own), agent, window.pane, branch=wanted.branch)
    tell(f"waiting for {agent.name} in {directory}")
    try:
        home = Socket(path=agent.socket)
        with ControlClient(home, window.pane.session_id) as client:
            await_ready(client, store, agent, profile, profile.launch.ready_timeout)
    except TorchError as error:
        error.message += f"\ntask {task.id} was not given to it"
        raise
    told = _brief(store, agent.name, wanted.role)
    given = pass_on(store, task, agent, who)
    text = order(given).encode()
    request = Request(target=agent.name, body=text, timeout=5.0, kind="task", free=True)
    return Delegated(given, directory, wanted.branch, told, send(home, request))


def _check_task(store: Store, task: Task, own: Agent | None) -> None:
    if task.state != TaskState.OPEN and (own is None or task.agent != own.identity):
        whose = f"is {task.holder}'s ({task.state})" if task.holder else f"has ended ({task.state})"
        raise HeldError(f"task {task.id} {whose}; nothing was started", code="taken")
    if unmet := store.tasks.unmet(task):
        names = ", ".join(f"{one.id} ({one.state})" for one in unmet)
        raise HeldError(f"task {task.id} waits for {names}; nothing was started", code="depends")


def _place(wanted: NewAgent, tell: Callable[[str], None]) -> str:
    """Return the agent's directory. Makes its worktree if that does not exist."""
    if not wanted.branch:
        return wanted.directory
    root = locate(wanted.directory).top
    make_worktree(root, wanted.branch, wanted.name, tell)
    return worktree_path(root, wanted.branch)


def _brief(store: Store, name: str, role: str) -> Receipt | None:
    """Send the agent the briefing of its role, if there is one."""
    agent = store.agents.get(name)
    assert agent is not None
    facts = facts_of(store, agent)
    if role not in briefing.names(facts.root):
        return None
    text = briefing.render(role, facts)
    request = Request(*(name, text.encode()), priority=PRIORITIES["high"], free=True, briefing=role)
    return send(Socket(path=agent.socket), request)
