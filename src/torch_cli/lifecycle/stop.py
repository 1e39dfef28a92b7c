"""Ending an agent: Torch first asks the program, and forces only programs that Torch started."""

import contextlib
import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch_cli import procs
from torch_cli.delivery.outbox import abandon
from torch_cli.delivery.receipt import Outcome
from torch_cli.errors import HeldError, NotFoundError
from torch_cli.lifecycle.alone import alone
from torch_cli.lifecycle.asking import ask, program_of
from torch_cli.lifecycle.processes import end_all, end_tree
from torch_cli.roster.actor import actor
from torch_cli.roster.authority import check_outside, check_over
from torch_cli.roster.registry import Found, find, registered
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.checkin import AgentRef
from torch_cli.store.database import after
from torch_cli.store.messages import Message
from torch_cli.store.teams import Started
from torch_cli.tmux.panes import Pane, pane_at
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import close_window

STARTED_SECONDS = 60.0
"""Seconds to wait for another process that starts the agent again just now."""


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
    family = [program_of(agent), *procs.descendants(agent.program_pid)]
    how: Ending | None = Ending.GONE
    asked, leftovers = False, 0
    if procs.alive(program_of(agent)) and not found.pane.dead:
        asked, ended = ask(store, found, agent)
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
    program = program_of(agent)
    family = procs.descendants(program.pid) if procs.alive(program) else []
    if procs.alive(program) and not found.pane.dead:
        asked, ended = ask(store, found, agent)
        if asked and not ended:  # the keys that end an idle program only interrupt a working one
            _, ended = ask(store, found, agent)
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
    asked, ended = ask(store, found, agent, begin, done)
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
    program = program_of(agent)
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


def end_pane(store: Store, pane: Pane) -> None:
    """End the process in ``pane`` with all that it started; close the pane if Torch opened it."""
    end_tree(pane)
    close_ours(store, pane)


def close_ours(store: Store, pane: Pane) -> None:
    """Close a pane that was kept for its last screen, if Torch opened it."""
    if store.windows.opened(pane):
        close_window(Socket(path=pane.socket_path), pane)


def close_ended(store: Store, known: Started) -> None:
    """Close the pane that was kept for the last screen of a process that has ended."""
    pane = pane_at(known.socket, known.server, known.pane, known.pane_pid) if known.pane else None
    if pane is not None and pane.dead:
        close_ours(store, pane)
