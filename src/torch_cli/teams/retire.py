"""Ending an agent without losing its work, or handing its work to another."""

import contextlib
import time
from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.checkpoint.record import Occasion, take
from torch_cli.checkpoint.settings import load_settings
from torch_cli.delivery.receipt import Receipt
from torch_cli.delivery.send import Request, check_permitted, send
from torch_cli.errors import HeldError, NotFoundError, RefusedError, TorchError
from torch_cli.git.command import NotARepositoryError
from torch_cli.git.worktree import locate
from torch_cli.lifecycle.stop import Stopped, end_agent
from torch_cli.lifecycle.worktrees import remove_worktree
from torch_cli.roster.actor import Actor
from torch_cli.roster.authority import check_outside, check_over
from torch_cli.roster.registry import registered
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import TASK_HELD, Task
from torch_cli.tasks.life import pass_on, release
from torch_cli.teams.handoff import HANDOFF_SECONDS, Note, Saved, ask_for_note, save
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import lives
from torch_cli.watch.draft import check_no_draft


class Retired(NamedTuple):
    """How an agent was retired: its note, where everything was saved, its returned tasks, the id of
    the checkpoint ('' if its directory is not in a repository), how it ended, and a sentence about
    its worktree.
    """

    note: Note
    saved: Saved
    tasks: tuple[Task, ...]
    checkpoint: str
    stopped: Stopped
    worktree: str


class HandedOver(NamedTuple):
    """What went from one agent to another, and the receipt of the message about it."""

    note: Note
    saved: Saved
    tasks: tuple[Task, ...]
    receipt: Receipt


def retire(
    store: Store, name: str, *, deadline: float = HANDOFF_SECONDS, force: bool = False
) -> Retired:
    """Have the agent write its note, save the note and its screen, end it, and return its tasks.

    It gets ``deadline`` seconds for the note; 0 asks for none. Raises ``TorchError`` if its note
    and screen cannot be saved, no checkpoint of its directory can be made, or the program cannot be
    ended. Raises ``HeldError`` if a person is typing there, unless ``force``, and ``RefusedError``
    if the agent that runs this process has no right over it, or is the agent itself. The agent then
    continues with all its tasks.
    """
    agent, at = registered(store, name, "nothing was done"), time.time()
    check_over(store, agent, "retire")
    check_outside(agent, "retired")
    if not force:
        check_no_draft(store, agent)
    note = ask_for_note(agent, deadline) if deadline else Note("", "no note was asked for")
    saved = save(store, agent, note, at)
    checkpoint = _checkpoint(agent)
    member = store.teams.member_of(agent.identity)
    try:
        stopped = end_agent(store, name)
    except TorchError as error:
        error.message += (
            f"; it continues and keeps its tasks (its note and screen are in {saved.folder})"
        )
        raise
    returned = []
    for task in tasks_of(store, agent):
        with contextlib.suppress(HeldError):  # the task has ended meanwhile
            returned.append(release(store, task, Actor(None), f"{name} was retired"))
    store.events.add("retire", name, {"note": bool(note.text), "saved": str(saved.folder)})
    worktree = ""
    if member is not None:
        store.teams.remove(member.team, member.name)
        worktree = remove_worktree(store, member)
    return Retired(note, saved, tuple(returned), checkpoint, stopped, worktree)


def _checkpoint(agent: Agent) -> str:
    try:
        outcome = take(locate(agent.directory), load_settings(), Occasion("retire", agent.name))
    except NotARepositoryError:
        return ""
    except NotFoundError:
        return ""  # its directory is gone: there is nothing to lose
    made = outcome.checkpoint or outcome.last
    return made.id if made else ""


def tasks_of(store: Store, agent: Agent) -> list[Task]:
    """Return the tasks that the agent has."""
    every = store.tasks.all()
    return [task for task in every if task.agent == agent.identity and task.state in TASK_HELD]


def hand_over(
    store: Store, socket: Socket, giver: str, taker: str, *, deadline: float = HANDOFF_SECONDS
) -> HandedOver:
    """Give the tasks of one agent to another, and send that one a message about them.

    Both continue. Raises ``RefusedError`` if they are the same agent, or if the agent that runs
    this process has no right over the first or may not write to the other; ``NotFoundError`` if the
    other agent has ended. Nothing was handed over then.
    """
    nothing = "nothing was handed over"
    one, other = registered(store, giver, nothing), registered(store, taker, nothing)
    check_over(store, one, "hand over the work of")
    check_permitted(store, other, nothing)
    if one.identity == other.identity:
        raise RefusedError(f"'{giver}' cannot hand over to itself; nothing was done", code="same")
    if not lives(store, other):
        raise NotFoundError(f"agent '{taker}' has ended; nothing was handed over", code="vanished")
    note = ask_for_note(one, deadline) if deadline else Note("", "no note was asked for")
    saved = save(store, one, note, time.time())
    moved = []
    for task in tasks_of(store, one):
        with contextlib.suppress(HeldError):  # it has ended meanwhile
            moved.append(pass_on(store, task, other, Actor(None)))
    store.events.add("handoff", giver, {"to": taker, "tasks": [task.id for task in moved]})
    text = _message(one, note, saved, moved)
    request = Request(taker, text.encode(), sender=giver, kind="handoff", free=True)
    return HandedOver(note, saved, tuple(moved), send(socket, request))


def _message(giver: Agent, note: Note, saved: Saved, tasks: Sequence[Task]) -> str:
    lines = [f"You take over from {giver.name}, who worked in {giver.directory}."]
    for task in tasks:
        lines.append(f"Its task {task.id} is now yours: {task.title}")
    lines += ["", note.text] if note.text else [f"It left no note: {note.why}."]
    words = f"Its screen ({saved.lacks})" if saved.lacks else "Its whole screen history"
    if saved.transcript:
        words = "What was said, from its transcript, and its last screen"
    lines += ["", f"{words}: {saved.folder / 'screen.txt'}"]
    return "\n".join(lines)
