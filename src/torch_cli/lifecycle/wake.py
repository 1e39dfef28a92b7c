"""Waking a hibernated agent: its program starts again in its pane and in its conversation."""

import select
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from torch_cli.delivery.send import check_permitted
from torch_cli.duration import words
from torch_cli.errors import HeldError
from torch_cli.lifecycle.alone import alone
from torch_cli.lifecycle.restart import PANE_DIES_SECONDS, join_team, plan_again
from torch_cli.lifecycle.spawn import await_ready, close_leftovers, spawn
from torch_cli.roster.asleep import is_without_program
from torch_cli.roster.registry import profile_named, registered
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.steps import Step
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.remains import noted_path
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import Rest, ServerPanes, rest_of

WAKE = "wake"
"""The verb of the event."""

OTHERS_SECONDS = 60.0
"""Seconds to wait for another process that wakes, ends or restarts the agent."""


class Woken(NamedTuple):
    """An agent that is awake. ``already``: it was so before."""

    agent: Agent
    already: bool


def wake(
    store: Store,
    name: str,
    seconds: float | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Woken:
    """Start the program of the hibernated agent ``name`` again; return once its input is ready.

    Waits for that for at most ``seconds``, by default the profile's value. Who may send it a
    message may wake it. Raises ``HeldError`` if it is frozen, or cannot continue its conversation:
    it sleeps on then; and as ``await_ready`` does if it runs and is not ready.
    """
    agent = registered(store, name, "nothing was woken")
    waits = (one.step == Step.ACCEPTED for one in store.messages.waiting(agent.identity))
    if not any(waits):
        check_permitted(store, agent, "nothing was woken")
    if agent.hibernated is None:
        return Woken(agent, True)
    refusal = f"restarts agent '{name}'"
    with alone("restart", agent.identity, refusal, "nothing was woken", OTHERS_SECONDS):
        on_step("starting its program")
        woken = _wake(store, store.agents.known_as(agent.identity) or agent)
    if not woken.already:
        profile = profile_named(agent.profile)
        limit = profile.launch.ready_timeout if seconds is None else seconds
        on_step(f"waiting up to {limit:g} s until its input is ready")
        with ControlClient(Socket(path=woken.agent.socket), woken.agent.session) as client:
            await_ready(client, store, woken.agent, profile, limit)
    return woken


def _wake(store: Store, agent: Agent) -> Woken:
    """Start its program, unless somebody else has. The agent's lock is held."""
    nothing = f"agent '{agent.name}' was not woken"
    if agent.stopped is not None:
        raise HeldError(f"{nothing}: it was stopped meanwhile", code="changed")
    if agent.hibernated is None:
        return Woken(agent, True)
    if not is_without_program(agent):
        return Woken(agent, True)
    if agent.frozen is not None:
        hint = f"'torch thaw {agent.name}' lets it go on."
        raise HeldError(f"{nothing}: it is frozen", hint=hint, code="frozen")
    close_leftovers(store, agent)
    if rest_of(store, agent) is Rest.NONE:
        hint = f"'torch restart {agent.name}' starts it in a new window."
        raise HeldError(f"{nothing}: its window was closed", hint=hint, code="closed")
    pane, socket = await_dead(agent), Socket(path=agent.socket)
    path = noted_path(socket, pane) if pane is not None else ""
    plan = plan_again(store, agent, path=path)
    if plan.why_new:
        hint = f"A new conversation: torch restart {agent.name} --fresh"
        raise HeldError(f"{nothing}: {plan.why_new}", hint=hint, code="no-conversation")
    now, _ = spawn(store, socket, replace(plan.order, into=pane))
    join_team(store, now)
    detail = {"conversation": now.conversation, "slept": words(time.time() - agent.hibernated)}
    store.events.add(WAKE, now.name, detail, agent=now.identity)
    return Woken(now, False)


def await_dead(agent: Agent) -> Pane | None:
    """Return the dead pane that was kept for ``agent``, ``None`` if it is gone.

    tmux may see a moment later than Torch that a program has ended. What a start has left in it
    that was killed must have been ended before. Raises ``HeldError`` if somebody has started
    something else there.
    """
    deadline = time.monotonic() + PANE_DIES_SECONDS
    while True:
        server, panes = ServerPanes().at(agent.socket)
        kept = (one for one in panes if (server, one.id) == (agent.server, agent.pane))
        pane = next(kept, None)
        if pane is None or pane.dead:
            return pane
        if pane.pid != agent.pane_pid:
            raise HeldError(
                f"agent '{agent.name}' was not woken: its pane {pane.id} is used again: "
                f"'{pane.command}' (process {pane.pid}) runs there",
                hint="It can be woken once that has ended. "
                f"'torch restart {agent.name}' starts it in a new window.",
                code="pane-in-use",
            )
        if time.monotonic() > deadline:
            return None
        select.select([], [], [], 0.02)  # tmux does not tell
