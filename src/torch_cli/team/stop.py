"""Ending an agent: the program is asked first; only what Torch started is made to end."""

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass

from torch_cli import procs
from torch_cli.agents.observe import observe
from torch_cli.agents.profile import Profile, Step
from torch_cli.agents.registry import Found, find, profile_named
from torch_cli.agents.state import State
from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.recipient import recipient
from torch_cli.errors import HeldError, NotFoundError
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux import gate
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.socket import Socket

LOCK_PATIENCE = 30.0
"""Seconds that a delivery to the same pane may take before the agent is asked to end."""

TERM_GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL for what Torch started."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """How an agent ended: ``asked``, ``terminated``, ``killed`` or ``gone`` (it had ended before).

    ``leftovers`` are the processes that outlived the program and were ended too.
    """

    name: str
    how: str
    leftovers: int


def stop(store: Store, name: str) -> Stopped:
    """End the agent ``name`` and forget it.

    Raises ``NotFoundError`` if there is no such agent, ``HeldError`` if an adopted program does
    not end when asked: it was not Torch that started it.
    """
    agent = store.agents.get(name)
    if agent is None or agent.stopped is not None:
        raise NotFoundError(
            f"there is no agent '{name}'", hint="'torch ps' lists them.", code="no-agent"
        )
    try:
        found = find(store, Socket(path=agent.socket), name)
    except NotFoundError as missing:
        if missing.code != "vanished":
            raise
        return _forget(store, agent, "gone", _end(_still_alive(agent)))
    program = procs.Process(agent.program_pid, agent.program_started)
    family = [program, *procs.descendants(agent.program_pid)]
    how = "gone"
    if procs.alive(program) and not found.pane.dead:
        how = _ask(store, found, profile_named(agent.profile), program)
    if how == "" and agent.origin != "spawned":
        raise HeldError(
            f"agent '{name}' (pane {agent.pane}) was asked to end and has not; it was adopted, so "
            "Torch does not end it",
            hint="End it yourself, then 'torch stop' forgets it.",
            code="still-running",
        )
    leftovers = 0
    if agent.origin == "spawned":
        # A program can have had more children by now; a child of its own group is not missed.
        family += procs.descendants(agent.program_pid)
        ended = _end(family)
        how = how or ("killed" if ended < 0 else "terminated")
        leftovers = max(0, abs(ended) - (how in ("terminated", "killed")))
        _close_pane(store, found)
    return _forget(store, agent, how, leftovers)


def _still_alive(agent: Agent) -> list[procs.Process]:
    """Return the program of an agent whose pane is gone, if Torch started it and it lives on."""
    program = procs.Process(agent.program_pid, agent.program_started)
    if agent.origin != "spawned" or not procs.alive(program):
        return []
    return [program, *procs.descendants(program.pid)]


def _forget(store: Store, agent: Agent, how: str, leftovers: int) -> Stopped:
    store.agents.stopped(agent.name)
    store.events.add("stop", agent.name, {"how": how, "leftovers": abs(leftovers)})
    return Stopped(agent.name, how, abs(leftovers))


def _ask(store: Store, found: Found, profile: Profile, program: procs.Process) -> str:
    """Take the profile's steps in turn; return ``asked`` once the program has ended, else ''."""
    pane = found.pane
    with (
        pane_lock(pane.server, pane.id, f"stop {found.name}", LOCK_PATIENCE),
        ControlClient(found.socket, pane.session_id) as client,
    ):
        for step in profile.launch.stop:
            if _take(client, store, found, profile, step) and _gone_within(
                program, profile.launch.stop_grace
            ):
                return "asked"
    return ""


def _take(client: ControlClient, store: Store, found: Found, profile: Profile, step: Step) -> bool:
    """Press a step's keys, or type its command if an empty box stands ready for it.

    Returns whether that was done.
    """
    if step.keys:
        return all(gate.press(client, found.pane, [key]).done for key in step.keys)
    sight = observe(client, store, found.pane, profile)
    box = sight.state.box
    if sight.state.state is not State.IDLE or box is None or not box.empty:
        return False
    prompt = profile.box.prompt
    pasted = gate.paste(
        client,
        found.pane,
        step.text.encode(),
        framed=True,
        conditions=gate.rows_stand([box.rows[0]], prompt=prompt),
        buffer=f"torch-stop-{os.getpid()}",
    )
    deadline = time.monotonic() + 2.0
    while pasted.done and time.monotonic() < deadline:
        heard = client.output.get(found.pane.id, 0)
        box = observe(client, store, found.pane, profile).state.box
        if box is not None and box.text.strip() == step.text:
            keys = recipient(store, found, client).submit.keys
            standing = gate.rows_stand([box.rows[0]], prompt=prompt)
            return gate.press(client, found.pane, keys, standing).done
        client.wait_output(found.pane.id, heard, 0.1)
    return False


def _gone_within(program: procs.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while procs.alive(program):
        if time.monotonic() >= deadline:
            return False
        select.select([], [], [], 0.02)  # it is no child of ours: there is nothing to wait on
    return True


def _end(family: list[procs.Process]) -> int:
    """End processes; return how many were still alive, negative if one had to be killed."""
    alive = [process for process in dict.fromkeys(family) if procs.alive(process)]
    for process in reversed(alive):
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + TERM_GRACE
    stubborn = [p for p in alive if not _gone_within(p, max(0.0, deadline - time.monotonic()))]
    for process in stubborn:
        _signal(process, signal.SIGKILL)
        _gone_within(process, 1.0)
    return -len(alive) if stubborn else len(alive)


def _signal(process: procs.Process, number: signal.Signals) -> None:
    # Looked at again just before: the number may have passed to another process.
    if procs.alive(process):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


def _close_pane(store: Store, found: Found) -> None:
    """Close the pane that was kept for its last screen, if Torch made its window."""
    pane = found.pane
    if not store.windows.created(pane.server, pane.window_id):
        return
    with contextlib.suppress(NotFoundError), ControlClient(found.socket, pane.session_id) as client:
        client.ask(f"kill-pane -t {pane.id}".encode())
