"""Starting an agent for a caller: permission, window, readiness, briefing."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from torch_cli.delivery.receipt import Receipt
from torch_cli.delivery.send import Request, send
from torch_cli.errors import TorchError
from torch_cli.lifecycle.kept import check_start
from torch_cli.lifecycle.limits import check_spawn
from torch_cli.lifecycle.resume import check_alone, check_not_unknown, chosen
from torch_cli.lifecycle.spawn import SpawnOrder, await_ready, going_on, spawn
from torch_cli.programs.observe import Sight
from torch_cli.programs.state import AgentState
from torch_cli.roster.actor import actor
from torch_cli.roster.membership import enlist, team_of
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import PRIORITIES
from torch_cli.teamfile import briefing
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import OpenedWindow


class Begun(NamedTuple):
    """An agent that was started, and its window.

    ``state`` is ``None`` if ``begin`` did not wait. ``kept`` is when it is restarted if that was
    set before the agent was lost and came back now, '' if not.
    """

    agent: Agent
    window: OpenedWindow
    state: AgentState | None = None
    kept: str = ""


def begin(
    socket: Socket,
    order: SpawnOrder,
    *,
    brief: str = "",
    seconds: float | None = None,
    on_open: Callable[[OpenedWindow], None] = lambda window: None,
    on_step: Callable[[str], None] = lambda step: None,
) -> tuple[Begun, str]:
    """Start the agent of ``order``; return it once its input is ready, and its briefing's text.

    Waits for at most ``seconds``, by default the profile's value; 0 does not wait. ``brief`` names
    the briefing, as ``torch spawn --brief`` does. An agent that calls this becomes the parent.
    ``order.conversation`` may also be ``last``. ``on_open`` gets the window, ``on_step`` what Torch
    waits for.

    Raises ``RefusedError`` or ``NotFoundError`` if the caller may not start it or the order is
    wrong; nothing was started then. Raises ``HeldError`` if the program asks something first, and
    ``TimedOutError`` if it is not ready in time; the program continues then, and has no briefing.
    """
    with Store() as store:
        spawner = actor(store).agent
        if spawner is not None:
            check_spawn(store, spawner)
            order = replace(order, parent=order.parent or spawner.name)
        check_start(store, order.name, spawner)
        if order.conversation:
            known = {**os.environ, **order.environment}
            profile = profile_named(order.profile)
            found = chosen(profile, order.conversation, order.directory, known)
            check_alone(store, order.name, found)
            check_not_unknown(store, profile, found, order.directory, known)
            order = replace(order, conversation=found)
        text = _read(store, brief, order) if brief else ""
        agent, window = spawn(store, socket, order)
        store.restarts.forget("", agent.identity)  # what was given up is looked after again
        before = None if order.restart else store.health.policy(agent.identity)
        kept = before.restart if before is not None and before.restart != "never" else ""
        if spawner is not None:
            enlist(store, team_of(store, spawner), agent, window.pane)
        left = "the briefing was not sent" if brief else ""
        with going_on(agent, "started", left):
            on_open(window)
            limit = (
                profile_named(order.profile).launch.ready_timeout if seconds is None else seconds
            )
            if limit <= 0:
                return Begun(agent, window, kept=kept), text
            on_step(f"waiting up to {limit:g} s until its input is ready")
            sight = _ready(store, agent, window, limit, left)
            on_step(f"it is ready: {sight.state.evidence}")
            now = store.agents.get(agent.name) or agent  # with the version from its screen
            return Begun(now, window, sight.state, kept), text


def _ready(store: Store, agent: Agent, window: OpenedWindow, seconds: float, left: str) -> Sight:
    """Wait until its input is ready; ``left`` is what was not done if it is not."""
    try:
        with ControlClient(Socket(path=agent.socket), window.pane.session_id) as client:
            return await_ready(client, store, agent, profile_named(agent.profile), seconds)
    except TorchError as error:
        if left:
            error.message += f"; {left}"
        raise


def send_briefing(socket: Socket, begun: Begun, text: str, brief: str) -> Receipt:
    """Deliver the briefing before all messages that wait for the agent; return its receipt.

    If ``begin`` did not wait and the agent is not ready, the briefing goes into the outbox.
    """
    request = Request(
        *(begun.agent.name, text.encode()), priority=PRIORITIES["high"], free=True, briefing=brief
    )
    return send(socket, request if begun.state is not None else request._replace(timeout=0.0))


def _read(store: Store, brief: str, order: SpawnOrder) -> str:
    known = store.agents.all()
    return briefing.read(
        brief, briefing.facts_for(order.name, order.role, order.parent, order.directory, known)
    )
