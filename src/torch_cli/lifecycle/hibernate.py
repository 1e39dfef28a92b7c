"""Hibernating an agent: its program is asked to end, and started again when it is needed.

That its program is asked is recorded before, and that it sleeps once its end was seen, both under
the lock of its pane, so that no message is on its way. Whoever is killed in between leaves an agent
that is awake, or whose program has ended as any other: it does not sleep then.
"""

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import HeldError, RefusedError, TorchError
from torch_cli.lifecycle.alone import alone
from torch_cli.lifecycle.resume import earlier
from torch_cli.lifecycle.stop import end_idle
from torch_cli.programs.beside import beside_of, words_of
from torch_cli.programs.record import has_shell_behind
from torch_cli.programs.state import State
from torch_cli.roster.asleep import is_without_program, stay_awake
from torch_cli.roster.authority import check_outside, check_over
from torch_cli.roster.conversation import follow
from torch_cli.roster.registry import find, profile_named, registered
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import TASK_HELD, TaskState
from torch_cli.tmux.ended import with_end
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.remains import keeps_dead, note_path, say_when_dead
from torch_cli.tmux.socket import Socket
from torch_cli.watch.state import states_of

HIBERNATE = "hibernate"
"""The verb of the event."""


class Hibernated(NamedTuple):
    """An agent that sleeps now. ``already``: it did before."""

    agent: Agent
    already: bool


def hibernate(
    store: Store, name: str, *, unless: Callable[[Agent, Pane], str] = lambda agent, pane: ""
) -> Hibernated:
    """End the program of the idle agent ``name`` until it is needed.

    ``unless`` returns why that is not to be done after all, and is asked last. Raises
    ``RefusedError`` if this agent is never hibernated, or the caller may not, ``HeldError`` if it
    cannot be now; it is as it was then. A program that was asked and has not ended continues.
    """
    nothing = f"agent '{name}' was not hibernated"
    agent = follow(store, registered(store, name, "nothing was hibernated"))
    check_over(store, agent, HIBERNATE)
    if is_without_program(agent):
        return Hibernated(agent, True)
    check_outside(agent, "hibernated")
    if why := never(agent):
        raise RefusedError(f"{nothing}: {why}", hint=_instead(agent), code="never")
    if why := not_now(store, agent):
        raise HeldError(f"{nothing}: {why}", code="not-idle")
    refusal = f"restarts agent '{name}'"
    with alone("restart", agent.identity, refusal, "nothing was hibernated"):
        found = find(store, Socket(path=agent.socket), name)
        try:
            asked, ended = end_idle(
                *(store, found, agent),
                lambda: _begin(store, agent, found.pane, unless),
                lambda: store.agents.hibernated(agent, time.time()),
            )
        finally:  # a later end is not ours: a person ends it, or it crashes
            stay_awake(store, agent)
        if not ended:
            happened = "was asked to end and has not" if asked else "cannot be asked to end now"
            raise HeldError(f"agent '{name}' {happened}; it continues", code="still-running")
        with_end(found.pane)  # tmux may have missed the end, and then does not show how to wake it
    detail = {"conversation": agent.conversation}
    store.events.add(HIBERNATE, name, detail, agent=agent.identity)
    return Hibernated(store.agents.known_as(agent.identity) or agent, False)


def _begin(store: Store, agent: Agent, pane: Pane, unless: Callable[[Agent, Pane], str]) -> None:
    """Record that ``agent`` is to sleep; raise ``HeldError`` if it must not. Its pane is locked."""
    nothing, socket = f"agent '{agent.name}' was not hibernated", Socket(path=agent.socket)
    if not keeps_dead(socket, pane):
        why = "its window would not stay without its program (tmux 3.2 keeps none)"
        raise HeldError(f"{nothing}: {why}", code="no-window")
    if why := not_now(store, agent) or unless(agent, pane):
        raise HeldError(f"{nothing}: {why}", code="not-idle")
    if not store.agents.hibernating(agent, time.time()):
        why = "a message is on its way to it, or it was stopped or started meanwhile"
        raise HeldError(f"{nothing}: {why}", code="not-idle")
    say_when_dead(
        socket, pane, f"Hibernated by Torch. A message or 'torch wake {agent.name}' wakes it"
    )
    if path := (procs.environment(agent.program_pid) or {}).get("PATH", ""):
        note_path(socket, pane, path)


def never(agent: Agent) -> str:
    """Return why ``agent`` cannot be hibernated as it was started, '' if it can be."""
    if why := unfit(agent):
        return why
    profile = profile_named(agent.profile)
    program = procs.Process(agent.program_pid, agent.program_started)
    for environ in (procs.environment(program.pid) or {}, dict(os.environ)):
        if why := earlier(profile, agent.conversation, environ).why:
            return f"it could not be woken in its conversation: {why}"
    return ""


def unfit(agent: Agent) -> str:
    """Return why ``agent`` can never be hibernated, whatever it has said, '' if it can be."""
    if agent.origin != "spawned":
        return "it was adopted, so Torch does not know how its program was started"
    try:
        profile = profile_named(agent.profile)
    except TorchError as error:
        return error.message
    if profile.process.shells:
        return "it is a shell"
    if own := _own(agent):
        return (
            f"it was started with {', '.join(own)}, and whoever wakes it would not know the value, "
            "because Torch keeps only the names of variables"
        )
    return ""


def _own(agent: Agent) -> list[str]:
    return [name for name in agent.variables if not name.startswith("TORCH_")]


def _instead(agent: Agent) -> str:
    """Return how an agent that was started with variables can be hibernated, '' for others."""
    if agent.origin != "spawned" or not (own := _own(agent)):
        return ""
    return (
        f"Give {', '.join(own)} to its tmux server instead, with 'tmux set-environment -g', and "
        f"start it again without: torch stop {agent.name}, then torch spawn."
    )


def not_now(store: Store, agent: Agent) -> str:
    """Return why ``agent`` must not be hibernated at this moment, '' if it may be."""
    now = store.agents.known_as(agent.identity)
    if now is None or now.stopped is not None or now.created != agent.created:
        return "it was stopped, or started again, meanwhile"
    if now.frozen is not None:
        return "it is frozen"
    if store.messages.waiting(agent.identity):
        return "messages wait for it"
    held = [one for one in store.tasks.all() if one.agent == agent.identity]
    held = [one for one in held if one.state in TASK_HELD and one.state != TaskState.BLOCKED]
    if held:
        return f"it has the task {held[0].id}"
    return _at_work(store, agent)


def _at_work(store: Store, agent: Agent) -> str:
    (seen,) = states_of(store, Socket(path=agent.socket), [agent.name])
    state = seen.state
    if seen.error is not None or state.shown is not State.IDLE:
        return f"it is {state.shown} ({state.evidence})"
    if state.box is None or not state.box.empty:
        return "its input box holds a text, or is out of sight"
    if state.queued:
        return "its program has messages in its own queue"
    program = procs.Process(agent.program_pid, agent.program_started)
    profile = profile_named(agent.profile)
    if has_shell_behind(profile.answer.transcript, program):
        return "its program runs a command in the background"
    if beside := beside_of(store, profile, agent):
        return f"its program has at work: {words_of(beside)}"
    if agent.ready is None:
        return "it was never seen ready"
    for child in procs.descendants(program.pid):
        begun = procs.begun(child)
        # Its servers of tools are started before it is ready, a task that runs is later.
        if begun is not None and begun > agent.ready:
            return f"its program has started process {child.pid}, which runs"
    return ""
