"""Ending an agent: Torch first asks the program, and forces only programs that Torch started."""

import contextlib
import enum
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch_cli import procs
from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.outbox import abandon
from torch_cli.delivery.receipt import Outcome
from torch_cli.delivery.typist import Typist
from torch_cli.errors import HeldError, NotFoundError, RefusedError
from torch_cli.lifecycle.alone import alone
from torch_cli.programs.observe import observe
from torch_cli.programs.profile import Profile, StopStep
from torch_cli.programs.standing import box_stands
from torch_cli.programs.state import State
from torch_cli.roster.actor import actor
from torch_cli.roster.authority import check_outside, check_over
from torch_cli.roster.registry import Found, find, profile_named, registered
from torch_cli.roster.safety import submit_key
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.checkin import AgentRef
from torch_cli.store.database import after
from torch_cli.store.messages import Message
from torch_cli.store.teams import Started
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.drawn import await_drawn
from torch_cli.tmux.panes import Pane, pane_at
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import close_window

PANE_LOCK_SECONDS = 30.0
"""Seconds to wait for a delivery to the same pane before the agent is asked to end."""

STARTED_SECONDS = 60.0
"""Seconds to wait for another process that starts the agent again just now."""

TERM_GRACE_SECONDS = 5.0
"""Seconds between SIGTERM and SIGKILL for processes that Torch started."""


class Ending(enum.StrEnum):
    """How an agent ended."""

    ASKED = "asked"
    TERMINATED = "terminated"
    KILLED = "killed"
    GONE = "gone"
    """It had ended before."""
    FORGOTTEN = "forgotten"
    """Only its record was removed."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """How an agent ended. ``leftovers`` are processes that outlived the program and were ended too.

    ``dropped`` are the messages that waited for it, which were not typed and fail. ``checkins`` are
    the check-ins for it, each with the name of the agent that gets it now, '' if none does.
    """

    name: str
    how: Ending
    leftovers: int
    dropped: tuple[Message, ...] = ()
    checkins: tuple[tuple[str, str], ...] = ()


def stop(store: Store, name: str, *, forget: bool = False) -> Stopped:
    """End the agent ``name`` as ``end_agent`` does, for the agent or person that asks for it.

    Raises ``RefusedError`` as well, with nothing stopped, if the agent that runs this process has
    no right over it, or would end with it half way.
    """
    agent = registered(store, name, "nothing was stopped")
    check_over(store, agent, "stop")
    if not forget:
        check_outside(agent, "stopped")
    stopped = end_agent(store, name, forget=forget)
    _told_of_own(store, stopped.dropped)
    return replace(stopped, checkins=_checkins(store, agent))


def _checkins(store: Store, agent: Agent) -> tuple[tuple[str, str], ...]:
    """Return the check-ins for ``agent``, each with who gets it now, '' if nobody does."""
    found = []
    for checkin in store.checkins.all():
        if checkin.to.agent != agent.identity:
            continue
        parent = checkin.parent if checkin.parent.name == agent.parent else AgentRef(agent.parent)
        others = [
            store.agents.known_as(ref.identity) if ref.identity else store.agents.get(ref.name)
            for ref in (checkin.fallback, parent)
        ]
        names = [one.name for one in others if one is not None and one.stopped is None]
        found.append((checkin.name, names[0] if names else ""))
    return tuple(found)


def _told_of_own(store: Store, dropped: Sequence[Message]) -> None:
    """Record that who stopped an agent knows which of their own messages were dropped by that."""
    own = actor(store).agent
    for message in dropped:
        if message.author == own.identity if own else not (message.author or message.sender):
            store.messages.told(message.id)


def end_agent(store: Store, name: str, *, forget: bool = False) -> Stopped:
    """End the agent ``name`` and remove its record; with ``forget`` only remove the record.

    Whether that is permitted is not asked: that is for those who call this on somebody's behalf.
    Raises ``NotFoundError`` if there is no such agent, ``HeldError`` if an adopted program does not
    end when asked, or cannot be asked: Torch did not start it; or if another process goes on
    restarting it.
    """
    agent, refusal = registered(store, name), f"restarts agent '{name}'"
    with alone("restart", agent.identity, refusal, "nothing was stopped", STARTED_SECONDS):
        return _end(store, name, forget=forget)


def _end(store: Store, name: str, *, forget: bool) -> Stopped:
    """End the agent, which nobody starts meanwhile."""
    agent = registered(store, name)
    if forget:
        return _forget(store, agent, Ending.FORGOTTEN, 0)
    try:
        found = find(store, Socket(path=agent.socket), name)
    except NotFoundError as missing:
        if missing.code != "vanished":
            raise
        return _forget(store, agent, Ending.GONE, end_all(_still_alive(agent)))
    family = [_program(agent), *procs.descendants(agent.program_pid)]
    how: Ending | None = Ending.GONE
    asked, leftovers = False, 0
    if procs.alive(_program(agent)) and not found.pane.dead:
        asked, ended = _ask(store, found, agent)
        how = Ending.ASKED if ended else None
    if agent.origin == "spawned":
        # The program can have more children by now.
        family += procs.descendants(agent.program_pid)
        forced = end_all(family)
        leftovers = abs(forced)
        if how is None:
            how = Ending.KILLED if forced < 0 else Ending.TERMINATED
            leftovers = max(0, leftovers - 1)  # the program itself
        close_ours(store, found.pane)
    elif how is None:
        raise _still_running(agent, asked=asked)
    return _forget(store, agent, how, leftovers)


def end_asked(store: Store, found: Found, agent: Agent) -> None:
    """Ask the program of ``agent`` to end, and end what it leaves behind.

    The agent keeps its record and its messages, and the pane its last screen. Raises ``HeldError``
    if the program does not end: it is not forced to.
    """
    program = _program(agent)
    family = procs.descendants(program.pid) if procs.alive(program) else []
    if procs.alive(program) and not found.pane.dead:
        asked, ended = _ask(store, found, agent)
        if asked and not ended:  # the keys that end an idle program only interrupt a working one
            _, ended = _ask(store, found, agent)
        if not ended:
            happened = "was asked to end and has not" if asked else "cannot be asked to end now"
            raise HeldError(
                f"agent '{agent.name}' (pane {agent.pane}) {happened}; it was not restarted, and "
                "continues",
                hint=f"Look: torch capture {agent.name}. 'torch stop {agent.name}' ends it, by "
                f"force if needed; 'torch spawn {agent.name} --resume ID' starts it again.",
                code="still-running",
            )
    end_all(family)


def end_idle(
    store: Store,
    found: Found,
    agent: Agent,
    begin: Callable[[], None],
    done: Callable[[], object],
) -> tuple[bool, bool]:
    """Ask the idle program of ``agent`` to end, and end what it leaves behind.

    ``begin`` is called under the lock of its pane before anything is pressed, and may raise. So is
    ``done`` once its end was seen. Torch presses nothing more once the program works or its box
    holds a text. Returns whether it was asked, and whether it has ended.
    """
    family = procs.descendants(agent.program_pid)
    asked, ended = _ask(store, found, agent, begin, done)
    if ended:
        end_all(family)
    return asked, ended


def _still_running(agent: Agent, *, asked: bool) -> HeldError:
    happened = (
        "was asked to end and has not" if asked else ("cannot be asked to end in its present state")
    )
    return HeldError(
        f"agent '{agent.name}' (pane {agent.pane}) {happened}; it was adopted, so Torch does not "
        "end it",
        hint=f"End it yourself, or remove only its record: torch stop {agent.name} --forget",
        code="still-running",
    )


def _still_alive(agent: Agent) -> list[procs.Process]:
    """Return the living program of an agent whose pane is gone, if Torch started it."""
    program = _program(agent)
    if agent.origin != "spawned" or not procs.alive(program):
        return []
    return [program, *procs.descendants(program.pid)]


def _forget(store: Store, agent: Agent, how: Ending, leftovers: int) -> Stopped:
    ended = how not in (Ending.GONE, Ending.FORGOTTEN)
    with after(f"agent '{agent.name}' was ended") if ended else contextlib.nullcontext():
        store.agents.stopped(agent.name)
        waiting = store.messages.waiting(agent.identity) if agent.identity else []
        abandon(store, agent)
        store.events.add("stop", agent.name, {"how": how, "leftovers": abs(leftovers)})
    now = [store.messages.get(message.id) for message in waiting]
    dropped = tuple(message for message in now if message.state == Outcome.FAILED)
    return Stopped(agent.name, how, abs(leftovers), dropped)


def _ask(
    store: Store,
    found: Found,
    agent: Agent,
    begin: Callable[[], None] | None = None,
    done: Callable[[], object] = lambda: None,
) -> tuple[bool, bool]:
    """Take the profile's steps in turn until the program has ended, and call ``done`` then.

    With ``begin``, which is called first, only those that an idle program with an empty box gets.
    Return whether any step could be taken, and whether the program has ended.
    """
    pane, launch = found.pane, _profile(agent).launch
    asked = False
    with (
        pane_lock(pane.server, pane.id, f"stop {found.name}", PANE_LOCK_SECONDS),
        ControlClient(found.socket, pane.session_id) as client,
    ):
        if begin is not None:
            begin()
        for step in launch.stop:
            stands: list[str] = []
            if begin is not None:
                rest = _rests(client, store, found, agent)
                if rest is None:
                    break
                stands = rest
            taken = _take(client, store, found, agent, step, stands)
            if taken and _gone_within(_program(agent), launch.stop_grace):
                done()
                return True, True
            asked = asked or taken
    return asked, False


def _rests(client: ControlClient, store: Store, found: Found, agent: Agent) -> list[str] | None:
    """Return the gate's conditions that its empty box is there, for the keys of the next step.

    ``None`` if a turn, a question or a draft shows, or no box: the step could cost something.
    """
    profile = _profile(agent)
    await_drawn(client, found.pane, profile.box.draws_within)  # a person's keys may be among that
    sight = observe(client, store, found.pane, profile, program=_program(agent))
    box = sight.state.box
    if sight.state.state is not State.IDLE or box is None or not box.empty:
        return None
    return box_stands(sight, profile)


def _profile(agent: Agent) -> Profile:
    """Return the agent's profile; a profile without steps if the user's file no longer exists."""
    try:
        return profile_named(agent.profile)
    except (NotFoundError, RefusedError):
        return Profile(agent.profile)


def _program(agent: Agent) -> procs.Process:
    return procs.Process(agent.program_pid, agent.program_started)


def _take(
    client: ControlClient,
    store: Store,
    found: Found,
    agent: Agent,
    step: StopStep,
    stands: Sequence[str] = (),
) -> bool:
    """Press a step's keys, or type its command if there is an empty box for it.

    Returns whether that was done. ``stands`` are conditions for the first of the keys, which then
    must not follow unread ones: the next may find another screen, which that has made. A program in
    the background gets no keys: they would reach what a person has started in its pane meanwhile.
    """
    if not step.keys:
        return _type(client, store, found, agent, step.text)
    typist = Typist(client, found.pane)
    first = typist.keys_wait if stands else None
    return all(
        _has_terminal(agent)
        and typist.press([key], () if at else stands, unless=None if at else first).done
        for at, key in enumerate(step.keys)
    )


def _has_terminal(agent: Agent) -> bool:
    return procs.foreground(agent.pane_pid) in (None, agent.program_pid)


def _type(client: ControlClient, store: Store, found: Found, agent: Agent, command: str) -> bool:
    """Type ``command`` and submit it as a message is; return whether that was done."""
    pane, profile = found.pane, _profile(agent)
    await_drawn(client, pane, profile.box.draws_within)
    sight = observe(client, store, pane, profile, program=_program(agent))
    box = sight.state.box
    if sight.state.state is not State.IDLE or box is None or not box.empty:
        return False
    typist = Typist(client, pane)
    given = (command.encode(), f"torch-stop-{os.getpid()}", box_stands(sight, profile))
    pasted = _has_terminal(agent) and typist.type(*given, unless=typist.keys_wait).done
    keys = submit_key(profile, chord=agent.chord, version=agent.version).keys
    deadline = time.monotonic() + 2.0
    while pasted and time.monotonic() < deadline:
        heard = client.output.get(pane.id, 0)
        sight = observe(client, store, pane, profile)
        box = sight.state.box
        if box is not None and box.text.strip() == command and _has_terminal(agent):
            await_drawn(client, pane, profile.box.draws_within)
            return typist.press(keys, box_stands(sight, profile), unless=typist.keys_wait).done
        client.wait_output(pane.id, heard, 0.1)
    return False


def _gone_within(program: procs.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while procs.alive(program):
        if time.monotonic() >= deadline:
            return False
        select.select([], [], [], 0.02)  # it is not our child, so there is nothing to wait on
    return True


def end_all(family: list[procs.Process]) -> int:
    """End processes; return how many were still alive, negative if one had to be killed."""
    alive = [process for process in dict.fromkeys(family) if procs.alive(process)]
    for process in reversed(alive):
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + TERM_GRACE_SECONDS
    stubborn = [p for p in alive if not _gone_within(p, max(0.0, deadline - time.monotonic()))]
    for process in stubborn:
        _signal(process, signal.SIGKILL)
        _gone_within(process, 1.0)
    return -len(alive) if stubborn else len(alive)


def _signal(process: procs.Process, number: signal.Signals) -> None:
    # Look again just before: another process may have the number now.
    if procs.alive(process):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


def end_pane(store: Store, pane: Pane) -> None:
    """End the process in ``pane`` with all that it started; close the pane if Torch opened it."""
    end_tree(pane)
    close_ours(store, pane)


def end_tree(pane: Pane) -> None:
    """End the process in ``pane`` with all that it started."""
    own = procs.identify(pane.pid)
    end_all([*([own] if own else []), *procs.descendants(pane.pid)])


def close_ours(store: Store, pane: Pane) -> None:
    """Close a pane that was kept for its last screen, if Torch opened it."""
    if store.windows.opened(pane):
        close_window(Socket(path=pane.socket_path), pane)


def close_ended(store: Store, known: Started) -> None:
    """Close the pane that was kept for the last screen of a process that has ended."""
    pane = pane_at(known.socket, known.server, known.pane, known.pane_pid) if known.pane else None
    if pane is not None and pane.dead:
        close_ours(store, pane)
