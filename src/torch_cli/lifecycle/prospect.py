"""Which agents have fallen, and what bringing back each of them would do. Nothing is changed here.

An agent has fallen if its tmux server is gone, or its program has crashed. What a person or Torch
has ended stays as it is.
"""

import contextlib
import enum
import select
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import HeldError, NotFoundError, TorchError
from torch_cli.lifecycle.restart import RestartPlan, plan_restart
from torch_cli.roster.conversation import follow
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.opening import check_owner
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import Rest, rest_of, why_asleep
from torch_cli.watch.end import (
    Cause,
    End,
    before_this_start,
    end_of,
    recorded,
    recorded_before,
    server_process,
)
from torch_cli.watch.kept import read, was_alone

SERVER_ENDS_SECONDS = 2.0
"""Seconds that a tmux server may take to end after it has closed its socket."""


PERHAPS_CLOSED = "perhaps-closed"
"""The code of the error of an agent whose window somebody may have closed."""


SESSION_LIVES = "session-lives"
"""The code of the error of an agent whose session somebody has begun since."""


class Course(enum.StrEnum):
    """What is to be done with an agent."""

    RUNS = "runs"
    STAYS = "stays"
    """It was ended, given up, frozen or hibernated."""
    RAISE = "raise"
    CANNOT = "cannot"


class Prospect(NamedTuple):
    """What is to be done with ``agent``, and ``why``, in words for a person.

    ``plan`` brings it back, ``error`` says why that is not possible. ``orphan`` is its program if
    that has outlived its tmux server. ``server_gone`` says that its tmux server is gone.
    """

    agent: Agent
    course: Course
    why: str = ""
    plan: RestartPlan | None = None
    error: TorchError | None = None
    orphan: procs.Process | None = None
    server_gone: bool = False

    @property
    def closed(self) -> bool:
        """Whether its window was closed, for all that is known, and is not to be made again."""
        perhaps = self.error is not None and self.error.code == PERHAPS_CLOSED
        return self.course is Course.STAYS or perhaps


def prospects(store: Store, agents: Sequence[Agent]) -> Iterator[Prospect]:
    """Yield what is to be done with each of ``agents``, in the order in which they were started."""
    open_in: dict[str, str] = {}
    raised: list[Prospect] = []
    for agent in sorted(agents, key=lambda one: (one.socket, one.created)):
        one = _prospect(store, agent)
        if one.course is Course.RUNS:
            one = one._replace(agent=follow(store, one.agent))
            if one.agent.conversation:
                open_in.setdefault(one.agent.conversation, agent.name)
        raised.append(one)
    for one in raised:
        yield _unless_open(one, open_in) if one.plan is not None else one


def _unless_open(one: Prospect, open_in: dict[str, str]) -> Prospect:
    """Return it as it is, unless another agent has its conversation, or will have it."""
    conversation = one.plan.order.conversation if one.plan else ""
    other = open_in.setdefault(conversation, one.agent.name) if conversation else ""
    if not other or other == one.agent.name:
        return one
    error = HeldError(
        f"agent '{other}' has the conversation {conversation}; agent '{one.agent.name}' was not "
        "started, because two programs in one conversation would write over each other",
        hint=f"Begin another conversation: torch restart {one.agent.name} --fresh",
        code="in-use",
    )
    return one._replace(course=Course.CANNOT, plan=None, error=error)


def of_gone_servers(store: Store, found: Sequence[Prospect]) -> list[Prospect]:
    """Return those of ``found`` whose tmux server is gone, as a daemon may bring them back.

    None goes into a session that somebody has begun since: one in which Torch has opened nothing.
    None comes back whose window was the last of its server, if somebody may have closed it.
    """
    gone = [_unless_closed(store, one) for one in found if one.server_gone]
    return [_unless_begun(store, one) for one in gone]


def _unless_closed(store: Store, one: Prospect) -> Prospect:
    agent = one.agent
    if one.plan is None or not _perhaps_closed(store, agent):
        return one
    error = HeldError(
        f"agent '{agent.name}' may have been closed, because its window was the last of its tmux "
        "server, as far as is known; it was not started",
        hint=f"'torch resurrect' starts it, 'torch stop {agent.name}' lets it rest.",
        code=PERHAPS_CLOSED,
    )
    return one._replace(course=Course.CANNOT, plan=None, why=error.message, error=error)


def _perhaps_closed(store: Store, agent: Agent) -> bool:
    """Return whether somebody may have closed the window, by which its tmux server has ended."""
    end = recorded(store, agent) or end_of(store, agent)
    if end is not None and end.not_closed:
        return False
    kept = read(store.arrangements.get(agent.socket))
    return was_alone(kept, agent.server, agent.identity)


def _unless_begun(store: Store, one: Prospect) -> Prospect:
    if one.plan is None:
        return one
    with contextlib.suppress(NotFoundError):  # there is no server yet
        panes = list_panes(Socket(path=one.agent.socket))
        living = [pane for pane in panes if pane.session == one.plan.order.session]
        if living and not any(store.windows.opened(pane) for pane in living):
            error = HeldError(
                f"a session '{one.agent.session}' was begun since; agent '{one.agent.name}' was "
                "not started in it",
                hint="'torch resurrect' starts it there.",
                code=SESSION_LIVES,
            )
            return one._replace(course=Course.CANNOT, plan=None, why=error.message, error=error)
    return one


def _prospect(store: Store, agent: Agent) -> Prospect:
    gone = False
    try:
        end = end_of(store, agent)
        if end is None:
            return Prospect(agent, Course.RUNS)
        gone = end.cause is Cause.SERVER_GONE
        if (rest := rest_of(store, agent)) is not Rest.NONE:
            why = f"it is hibernated: {why_asleep(agent, rest)}"
            return Prospect(agent, Course.STAYS, why, server_gone=gone)
        left = _left_before(store, agent) if gone else _left(end)
        if left:
            return Prospect(agent, Course.STAYS, left, server_gone=gone)
        if agent.frozen is not None:
            why = f"it is frozen: 'torch thaw {agent.name}' lets it go on"
            return Prospect(agent, Course.STAYS, why, server_gone=gone)
        if _is_given_up(store, agent):
            given_up = "Torch gave up restarting it"
            return Prospect(agent, Course.STAYS, given_up, server_gone=gone)
        if gone:
            check_owner(Socket(path=agent.socket))
        orphan = _orphan(agent) if gone else None
        plan = plan_restart(store, agent.name)
    except TorchError as error:
        return Prospect(agent, Course.CANNOT, error.message, error=error, server_gone=gone)
    return Prospect(plan.agent, Course.RAISE, end.words, plan, orphan=orphan, server_gone=gone)


def _left(end: End) -> str:
    """Return why an agent that has ended so stays as it is, '' if it does not."""
    if end.cause is Cause.PANE_GONE:
        return "its window was closed"
    if end.asked:
        return f"its program was asked to end: {end.words}"
    ended = end.cause in (Cause.EXITED, Cause.SHELL_LEFT) and not end.crashed
    return "its program had ended by itself" if ended else ""


def _left_before(store: Store, agent: Agent) -> str:
    """Return ``_left`` for how its program ended before its tmux server did, if that is known."""
    end = recorded_before(store, agent)
    left = _left(end) if end is not None else ""
    return f"{left} before" if left else ""


def _is_given_up(store: Store, agent: Agent) -> bool:
    member = store.teams.member_of(agent.identity)
    of_team = member is not None and store.restarts.is_given_up(member.team, member.name)
    return of_team or store.restarts.is_given_up("", agent.identity)


def _orphan(agent: Agent) -> procs.Process | None:
    """Return its program if that lives without its tmux server; raises if the server lives, too."""
    program = procs.Process(agent.program_pid, agent.program_started)
    # After a start of the machine another process can have the number and the same age.
    if before_this_start(agent.created) or not procs.alive(program):
        return None
    server, deadline = server_process(agent), time.monotonic() + SERVER_ENDS_SECONDS
    while server in procs.ancestors(program.pid):
        if time.monotonic() < deadline:
            select.select([], [], [], 0.02)  # it may be ending now
            continue
        raise HeldError(
            f"the tmux server {server} of agent '{agent.name}' runs, and its socket {agent.socket} "
            "is gone; it was not started again",
            hint=f"'kill -USR1 {server}' has the server make its socket again.",
            code="no-socket",
        )
    return program
