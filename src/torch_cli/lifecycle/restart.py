"""Restarting an agent: its program is asked to end, and started again in the same conversation."""

import contextlib
import os
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from torch_cli import procs
from torch_cli.delivery.outbox import attempt
from torch_cli.delivery.receipt import Receipt
from torch_cli.errors import HeldError, NotFoundError, RefusedError
from torch_cli.lifecycle.alone import alone
from torch_cli.lifecycle.notice import asked_by, restart_notice, take_out_earlier
from torch_cli.lifecycle.resume import (
    agent_in,
    arguments_for,
    check_alone,
    check_free,
    earlier,
    without_said,
)
from torch_cli.lifecycle.spawn import SpawnOrder, await_ready, command_of, going_on, spawn
from torch_cli.lifecycle.stalled import objection
from torch_cli.lifecycle.stop import close_ours, end_asked
from torch_cli.lifecycle.survivors import Survivor, survivors
from torch_cli.programs.conversation import held_by
from torch_cli.programs.state import State
from torch_cli.roster.anew import spawn_hint
from torch_cli.roster.authority import check_outside, check_over
from torch_cli.roster.conversation import follow
from torch_cli.roster.registry import Found, find, profile_named, registered
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.database import storable
from torch_cli.store.messages import Message
from torch_cli.store.restarts import Restart
from torch_cli.store.steps import Step
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, pane_at
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import OpenedWindow, check_directory
from torch_cli.watch.state import states_of

PANE_DIES_SECONDS = 5.0
"""Seconds that tmux may take to see that the program of a pane has ended."""

NOTICE_SECONDS = 5.0
"""Seconds to wait for obstacles to the notice of a restart. It waits on in the outbox."""

_OWN = "TORCH_"
"""How the names of variables begin that Torch sets itself at each start."""


class RestartPlan(NamedTuple):
    """What a restart of ``agent`` would do.

    ``order`` starts it again. Its ``conversation`` is '' for a new one, and ``why_new`` says why.
    ``losses`` are what an immediate restart would cost, in words for a person. ``stalled`` says
    that it is done because the agent makes no progress.
    """

    agent: Agent
    order: SpawnOrder
    why_new: str = ""
    losses: tuple[str, ...] = ()
    stalled: bool = False


class BegunAgain(NamedTuple):
    """An agent whose program was started again, and has not been told of it yet.

    ``notice`` tells it so. ``unknown`` are messages that were typed into its earlier program, and
    not proven. ``left`` is what that has left running.
    """

    agent: Agent
    window: OpenedWindow
    why_new: str
    notice: Message
    unknown: tuple[Message, ...]
    left: tuple[Survivor, ...] = ()


class Restarted(NamedTuple):
    """An agent that was restarted, its window, and the receipt of the notice that tells it so.

    ``unknown`` are the messages of which nobody knows whether the earlier program has got them,
    ``left`` is what that has left running.
    """

    agent: Agent
    window: OpenedWindow
    why_new: str
    receipt: Receipt
    unknown: tuple[str, ...] = ()
    left: tuple[Survivor, ...] = ()


def plan_restart(
    store: Store,
    name: str,
    *,
    fresh: bool = False,
    ended: bool = False,
    stalled: bool = False,
) -> RestartPlan:
    """Return what a restart of the agent ``name`` would do; ``fresh``: in a new conversation.

    Raises ``NotFoundError`` or ``RefusedError`` if it cannot be started again as it was, or if the
    caller may not do that, ``HeldError`` with ``ended`` if its program runs, and with ``stalled``
    if that would cost more than a turn that makes no progress.
    """
    agent = follow(store, registered(store, name, "nothing was restarted"))
    check_over(store, agent, "restart")
    check_outside(agent, "restarted")
    return plan_again(store, agent, fresh=fresh, ended=ended, stalled=stalled)


def plan_again(
    store: Store,
    agent: Agent,
    *,
    fresh: bool = False,
    ended: bool = False,
    stalled: bool = False,
    path: str = "",
) -> RestartPlan:
    """As ``plan_restart``, for an agent that the caller has the right to start again.

    ``path`` is the ``PATH`` of its program, '' for that of the caller.
    """
    name = agent.name
    if agent.origin != "spawned":
        raise RefusedError(
            f"agent '{name}' was adopted, so Torch does not know how its program was started; it "
            "was not restarted",
            hint=spawn_hint(agent),
            code="adopted",
        )
    profile = profile_named(agent.profile)
    program = procs.Process(agent.program_pid, agent.program_started)
    if ended and procs.alive(program):
        raise HeldError(f"agent '{name}' runs; it was not restarted", code="runs")
    if stalled and (why_not := objection(store, agent)):
        raise HeldError(f"agent '{name}' was not restarted: {why_not}", code="not-stalled")
    known = (procs.environment(program.pid) if procs.alive(program) else None) or dict(os.environ)
    variables = _variables(agent, known)
    before = earlier(profile, agent.conversation, known)
    if before.conversation and not fresh:
        own = set[int]()
        if procs.alive(program):  # else another process may have its number
            own = {program.pid, *(one.pid for one in procs.descendants(program.pid))}
        check_free(profile, before.conversation, known, but=own)
        check_alone(store, name, before.conversation)
    given = arguments_for(profile, "", agent.arguments)
    order = SpawnOrder(
        name=name,
        profile=agent.profile,
        directory=agent.directory,
        session=agent.session,
        environment=variables,
        arguments=without_said(profile, agent.conversation, given, known),
        conversation="" if fresh else before.conversation,
        again=True,
        path=path,
    )
    command_of(profile, order)  # it is still installed
    check_directory(order.directory)
    why_new = "you asked for it" if fresh else before.why
    if stalled and why_new and profile.launch.resume:
        raise HeldError(
            f"agent '{name}' was not restarted: it would begin a new conversation: {why_new}",
            code="no-conversation",
        )
    losses = tuple(_losses(store, agent, "" if fresh else why_new))
    return RestartPlan(agent, order, why_new, losses, stalled)


def _variables(agent: Agent, known: dict[str, str]) -> dict[str, str]:
    """Return the variables that were set for the agent, from its program or from the caller."""
    names = [name for name in agent.variables if not name.startswith(_OWN)]
    missing = [name for name in names if name not in known]
    if missing:
        raise RefusedError(
            f"agent '{agent.name}' was started with {', '.join(missing)}, and Torch keeps only the "
            "names of variables; nothing was restarted",
            hint="Its program has ended, so set them for this command.",
            code="no-variable",
        )
    return {name: known[name] for name in names}


def _losses(store: Store, agent: Agent, why_new: str) -> Iterator[str]:
    """Yield what a restart would cost now."""
    (seen,) = states_of(store, Socket(path=agent.socket), [agent.name])
    if seen.error is None and seen.state.state is State.WORKING:
        yield "it is working: its turn ends, and messages that its program has queued may be lost"
    if seen.error is None and seen.state.state is State.WAITING:
        yield "it asks a question, which is declined"
    if seen.error is None and seen.state.box is not None and not seen.state.box.empty:
        yield "its input box holds a text that was not submitted"
    if why_new:
        yield f"it begins a new conversation: {why_new}"


def check_losses(plan: RestartPlan, hint: str) -> None:
    """Raise ``RefusedError`` with ``hint`` if the restart would lose something now."""
    if plan.losses:
        raise RefusedError(
            f"agent '{plan.agent.name}' was not restarted: {'; '.join(plan.losses)}",
            hint=hint,
            code="no-consent",
        )


def restart(
    store: Store,
    plan: RestartPlan,
    *,
    why: str = "",
    by_policy: bool = False,
    seconds: float | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Restarted:
    """Restart the agent as planned, and tell it so; return once its input is ready.

    ``why`` is told to the agent, by default who asked for it. Unless ``by_policy``, the restarts
    that its policy has made until now are forgotten, and whether it was given up. Raises
    ``HeldError`` with the agent as it was if its program does not end, and as ``await_ready`` does
    if it runs and is not ready.
    """
    again = begin_again(store, plan, why or asked_by(store), on_step)
    if not by_policy:
        _look_after_again(store, again.agent)
    with going_on(again.agent, "restarted"):
        await_again(store, again, seconds, on_step)
    return tell_again(store, again)


def begin_again(
    store: Store,
    plan: RestartPlan,
    why: str,
    on_step: Callable[[str], None] = lambda step: None,
) -> BegunAgain:
    """Start the agent as planned, put the notice that says ``why`` into its outbox, and return.

    Its program is not awaited: see ``await_again``. Raises ``HeldError`` with the agent as it was
    if its earlier program does not end.
    """
    nothing, refusal = "nothing was restarted", f"restarts agent '{plan.agent.name}'"
    with (
        alone("restart", plan.agent.identity, refusal, nothing),
        _not_restarted_by_its_team(store, plan.agent),
    ):
        _check_same(store, plan.agent, nothing)
        on_step("asking its program to end")
        old = _end(store, plan.agent)
        order = replace(plan.order, session=old.session) if old is not None else plan.order
        on_step("starting it again")
        agent, window = spawn(store, Socket(path=plan.agent.socket), order)
        _close(store, old)
        join_team(store, agent)
    detail = {"why": why, "conversation": agent.conversation, "why_new": plan.why_new}
    store.events.add("restart", agent.name, detail, agent=agent.identity)
    if plan.stalled:
        _count(store, agent)
    take_out_earlier(store, agent)
    left = survivors(agent)  # what was about to end has ended by now
    notice, _ = store.messages.accept(restart_notice(store, agent, why, left))
    unknown = [one for one in store.messages.waiting(agent.identity) if one.step != Step.ACCEPTED]
    return BegunAgain(agent, window, plan.why_new, notice, tuple(unknown), left)


def _count(store: Store, agent: Agent) -> None:
    """Count a restart of a stalled agent, now that it has come about."""
    store.stalls.restarted(agent.identity)
    store.restarts.add(Restart("", agent.identity, agent.created, agent.created, agent.created))


def _check_same(store: Store, planned: Agent, nothing: str) -> None:
    """Raise ``HeldError`` if the agent was stopped or started since its restart was planned."""
    now = store.agents.known_as(planned.identity)
    if now is None or now.stopped is not None or now.created != planned.created:
        raise HeldError(
            f"agent '{planned.name}' was stopped, or started again, meanwhile; {nothing}",
            hint="'torch ps' shows it as it is now.",
            code="changed",
        )


def await_again(
    store: Store,
    again: BegunAgain,
    seconds: float | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> None:
    """Wait until the input of a restarted agent is ready; raises as ``await_ready`` does."""
    agent = again.agent
    profile = profile_named(agent.profile)
    limit = profile.launch.ready_timeout if seconds is None else seconds
    on_step(f"waiting up to {limit:g} s until its input is ready")
    with ControlClient(Socket(path=agent.socket), again.window.pane.session_id) as client:
        await_ready(client, store, agent, profile, limit)


def tell_again(store: Store, again: BegunAgain) -> Restarted:
    """Account for what was on its way, and deliver the notice to the agent, which is ready."""
    for one in again.unknown:  # typed into a pane that is gone: never typed again
        attempt(store, one)
    receipt = attempt(store, again.notice, NOTICE_SECONDS)
    now = store.agents.get(again.agent.name) or again.agent
    unknown = tuple(one.id for one in again.unknown)
    return Restarted(now, again.window, again.why_new, receipt, unknown, again.left)


def in_its_conversation(store: Store, order: SpawnOrder, *, stopped: bool) -> SpawnOrder:
    """Return ``order`` in the conversation of the agent that it replaces, if that was lost.

    It is unchanged if the agent ran elsewhere or has no transcript, or if it was stopped, unless
    ``stopped``.
    """
    lost = store.agents.get(order.name)
    where = storable(os.path.realpath(order.directory))
    if lost is None or (lost.stopped is not None and not stopped) or lost.profile != order.profile:
        return order
    if storable(os.path.realpath(lost.directory)) != where:
        return order
    profile, known = profile_named(order.profile), {**os.environ, **order.environment}
    found = earlier(profile, follow(store, lost).conversation, known).conversation
    held = bool(found) and held_by(profile.answer.transcript, found, known)
    if not found or held or agent_in(store, order.name, found):
        return order
    given = arguments_for(profile, "", order.arguments)
    return replace(order, conversation=found, arguments=without_said(profile, found, given, known))


def _end(store: Store, agent: Agent) -> Pane | None:
    """Ask the program to end; return the pane that it leaves, ``None`` if that is gone."""
    program = procs.Process(agent.program_pid, agent.program_started)
    try:
        found: Found = find(store, Socket(path=agent.socket), agent.name)
    except NotFoundError as missing:
        if missing.code != "vanished":
            raise
        if procs.alive(program):
            raise HeldError(
                f"the pane of agent '{agent.name}' is gone, and its program {program.pid} still "
                "runs; it was not restarted",
                hint=f"'torch stop {agent.name}' ends it.",
                code="still-running",
            ) from missing
        return None
    end_asked(store, found, agent)
    deadline = time.monotonic() + PANE_DIES_SECONDS
    while True:
        pane = pane_at(agent.socket, agent.server, agent.pane, agent.pane_pid)
        if pane is None or pane.dead or time.monotonic() > deadline:
            return pane or found.pane
        select.select([], [], [], 0.02)  # tmux does not tell


def _close(store: Store, old: Pane | None) -> None:
    """Close the pane that the program has left, if Torch opened it and it is still there."""
    left = pane_at(old.socket_path, old.server, old.id, old.pid) if old is not None else None
    if left is not None and left.dead:
        close_ours(store, left)


@contextlib.contextmanager
def _not_restarted_by_its_team(store: Store, agent: Agent) -> Iterator[None]:
    """Keep the restart policy of its team away meanwhile: a member without a pane is starting."""
    row = store.teams.member_of(agent.identity)
    if row is None:
        yield
        return
    store.teams.add(row._replace(pane=""))
    try:
        yield
    except BaseException:
        store.teams.add(row)
        raise


def _look_after_again(store: Store, agent: Agent) -> None:
    store.restarts.forget("", agent.identity)
    row = store.teams.member_of(agent.identity)
    if row is not None:
        store.restarts.forget(row.team, row.name)


def join_team(store: Store, agent: Agent) -> None:
    """Record the new pane of a member of a team."""
    row = store.teams.member_of(agent.identity)
    if row is not None:
        now = row._replace(pane=agent.pane, pane_pid=agent.pane_pid)
        store.teams.add(now._replace(socket=agent.socket, server=agent.server))
