"""Torch from Python: one object whose methods do what the commands do.

What exists in tmux comes back as libtmux's objects, all else as the plain values that the rooms
below use. Errors are those of ``torch_cli.errors``. Each method loads what it needs when it is
called, as the commands do: ``import torch_cli`` costs nothing, and a message sent from here does
not pay for libtmux or APScheduler.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torch_cli import paths
from torch_cli.tmux.socket import Socket

if TYPE_CHECKING:
    import libtmux

    from torch_cli.checkpoint.record import Outcome
    from torch_cli.delivery.ask import Answer
    from torch_cli.delivery.receipt import Receipt
    from torch_cli.lifecycle.stop import Stopped
    from torch_cli.programs.state import AgentState
    from torch_cli.store.agents import Agent
    from torch_cli.store.checkins import Checkin
    from torch_cli.tmux.server import Server
    from torch_cli.watch.listing import Line
    from torch_cli.watch.state import StateOf


class Spawned(NamedTuple):
    """An agent that was started.

    ``pane`` is libtmux's. ``state`` is ``None`` if readiness was not waited for, ``briefing`` the
    receipt of its briefing, ``None`` if it was given none.
    """

    agent: "Agent"
    pane: "libtmux.Pane"
    state: "AgentState | None"
    briefing: "Receipt | None"


class Torch:
    """Torch, with the state in one directory and the agents of one tmux server.

    ``home`` is the directory of all that Torch keeps (default: ``TORCH_HOME``, else the platform's
    own). ``socket`` is a tmux server, a path if it holds a slash, else a name (default: the one
    that ``torch`` itself would take). ``actor`` is the name that messages are signed with, as by
    ``torch send --from``; what it may do is decided by the pane that this process runs in. Nothing
    is opened or started yet. It may be used in several threads.
    """

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        socket: str | None = None,
        actor: str | None = None,
    ) -> None:
        self._home = str(Path(home).absolute()) if home is not None else ""
        name, path = (None, socket) if socket and "/" in socket else (socket, None)
        self._socket = Socket.choose(name, path)
        self._actor = actor

    @property
    def server(self) -> "Server":
        """The tmux server as a ``libtmux.Server``, over a connection of its own.

        Use it in a ``with`` statement, or ``close()`` it: that lets go of the connection, and
        leaves the server alone.
        """
        from torch_cli.tmux.server import Server

        return Server(self._socket)

    # -- agents ------------------------------------------------------------------------------------

    def agents(self) -> "list[Line]":
        """Return the agents, each with its state now, as ``torch ps`` does."""
        from torch_cli.store import Store
        from torch_cli.watch.listing import agents_on, list_agents

        with self._at_home(), Store() as store:
            return list_agents(store, agents_on(store, self._socket))

    def spawn(
        self,
        name: str,
        *,
        profile: str = "claude",
        directory: str | os.PathLike[str] = ".",
        session: str | None = None,
        role: str = "",
        parent: str = "",
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        brief: str = "",
        timeout: float | None = None,
    ) -> Spawned:
        """Start an agent program in a window; return once its input is ready.

        It is given ``timeout`` seconds for that (default: the profile's); 0 does not wait.
        ``brief`` is the name of a briefing, or the path of a file that holds one. Raises
        ``RefusedError`` or ``NotFoundError`` with nothing started, ``HeldError`` if the program
        asks something first, ``TimedOutError`` if it is not ready in time.
        """
        from torch_cli.lifecycle.begin import begin, send_briefing
        from torch_cli.lifecycle.spawn import Order

        order = Order(
            name=name,
            profile=profile,
            directory=os.fspath(directory),
            session=session,
            role=role,
            parent=parent,
            environment=dict(environment or {}),
            arguments=tuple(arguments),
        )
        with self._at_home():
            begun, text = begin(self._socket, order, brief=brief, seconds=timeout)
            told = send_briefing(self._socket, begun, text, brief) if brief else None
        return Spawned(begun.agent, self._pane(begun.agent), begun.state, told)

    def adopt(self, target: str, name: str, *, profile: str | None = None) -> "Agent":
        """Register the program in a pane as the agent ``name``; it is not touched.

        Raises ``RefusedError`` if the name is taken or the program is not recognised.
        """
        from torch_cli.lifecycle.kept import check_start
        from torch_cli.lifecycle.spawn import adopt
        from torch_cli.roster.actor import actor
        from torch_cli.store import Store

        with self._at_home(), Store() as store:
            check_start(store, name, actor(store).agent, "nothing was registered")
            return adopt(store, self._socket, target, name, profile)

    def stop(self, name: str) -> "Stopped":
        """Ask an agent to end, wait, and then end what Torch started and nothing else.

        Raises ``HeldError`` if an adopted program does not end: it is left alone.
        """
        from torch_cli.lifecycle.stop import stop
        from torch_cli.roster.authority import check_outside, check_over
        from torch_cli.roster.registry import registered
        from torch_cli.store import Store

        with self._at_home(), Store() as store:
            agent = registered(store, name, "nothing was stopped")
            check_over(store, agent, "stop")
            check_outside(agent, "stopped")
            return stop(store, name)

    def pane(self, name: str) -> "libtmux.Pane":
        """Return the pane of an agent, on whichever server it is.

        Raises ``NotFoundError`` if there is no such agent, or its pane is gone.
        """
        from torch_cli.roster.registry import registered
        from torch_cli.store import Store

        with self._at_home(), Store() as store:
            agent = registered(store, name)
        return self._pane(agent)

    # -- messages ----------------------------------------------------------------------------------

    def send(
        self,
        target: str,
        message: str,
        *,
        when: str = "ready",
        timeout: float = 30.0,
        wait: float = 0.0,
        key: str | None = None,
        envelope: bool = True,
        clean: bool = False,
    ) -> "Receipt":
        """Deliver a message to an agent or a tmux target; return its receipt.

        ``when`` is ``ready``, ``idle`` or ``now``. The agent has ``timeout`` seconds to take it;
        what is held is tried again for ``wait`` seconds, and by the daemon after that. The same
        ``key`` is delivered once. Raises ``RefusedError`` or ``NotFoundError``: nothing was typed.
        """
        from torch_cli.delivery.send import Request, send

        request = Request(
            *(target, message.encode("utf-8", "surrogateescape"), when, timeout),
            envelope=envelope,
            clean=clean,
            key=key,
            sender=self._actor,
            wait=wait,
        )
        with self._at_home():
            return send(self._socket, request)

    def ask(self, target: str, message: str, *, timeout: float = 600.0) -> "Answer":
        """Send a message once the agent is idle, wait for the end of its turn, return its answer.

        All of it may take ``timeout`` seconds. The answer's ``text`` is ``None`` if the message was
        not delivered; its ``source`` says whether the program reported it or it was read off the
        screen. Raises ``HeldError`` if the program asks something, ``TimedOutError``.
        """
        from torch_cli.delivery.ask import ask
        from torch_cli.delivery.send import Request

        body = message.encode("utf-8", "surrogateescape")
        request = Request(target, body, timeout=timeout, sender=self._actor)
        with self._at_home():
            return ask(self._socket, request)

    # -- states ------------------------------------------------------------------------------------

    def state(self, target: str) -> "StateOf":
        """Return the state of an agent or pane now, since when, and on what evidence.

        Raises ``NotFoundError`` if there is no such target.
        """
        from torch_cli.store import Store
        from torch_cli.watch.state import states_of

        with self._at_home(), Store() as store:
            (found,) = states_of(store, self._socket, [target])
        if found.error is not None:
            raise found.error
        return found

    def wait(self, target: str, *states: str, timeout: float = 600.0) -> "StateOf":
        """Wait until an agent or pane is in one of ``states`` (``idle``, ``waiting``, …).

        Raises ``RefusedError`` for what is not a state, ``TimedOutError`` after ``timeout`` seconds
        with the state it is in.
        """
        from torch_cli.store import Store
        from torch_cli.watch.wait import wait_until

        with self._at_home(), Store() as store:
            return wait_until(store, self._socket, target, states, timeout)

    # -- time and files ----------------------------------------------------------------------------

    def checkin(
        self,
        target: str,
        note: str,
        when: str,
        *,
        name: str = "",
        timezone: str | None = None,
        only_idle: bool = False,
    ) -> "Checkin":
        """Make a check-in: ``note`` goes to an agent at the time, or the times, that ``when`` says.

        ``when`` is a word and what belongs to it: ``in 30m``, ``at 2026-12-01 09:00``, ``every
        20m``, ``cron 0 9 * * 1-5``. The daemon, or ``torch tick``, fires it. Raises
        ``RefusedError`` or ``NotFoundError``; nothing was made then.
        """
        from torch_cli.schedule import trigger
        from torch_cli.schedule.checkin import Order, add
        from torch_cli.store import Store

        kind, _, text = when.partition(" ")
        now = time.time()
        order = Order(
            *(target, note.encode("utf-8", "surrogateescape")),
            trigger=trigger.make(kind, text, timezone, now),
            name=name,
            condition="idle" if only_idle else "always",
        )
        with self._at_home(), Store() as store:
            return add(store, self._socket, order, now)[0]

    def checkpoint(self, directory: str | os.PathLike[str] = ".", *, note: str = "") -> "Outcome":
        """Keep what the worktree of ``directory`` holds, off every branch, if it has changed.

        Raises ``TorchError``, and nothing is kept, if that cannot be done.
        """
        from torch_cli.checkpoint.author import author_in
        from torch_cli.checkpoint.record import Occasion, take
        from torch_cli.checkpoint.settings import load_settings
        from torch_cli.git.worktree import locate

        with self._at_home():
            worktree = locate(os.fspath(directory))
            occasion = Occasion("manual", author_in(worktree), note)
            return take(worktree, load_settings(), occasion)

    # -- within ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _at_home(self) -> Iterator[None]:
        """Have what is called in here keep its things in ``home``."""
        token = paths.HOME.set(self._home or paths.HOME.get())
        try:
            yield
        finally:
            paths.HOME.reset(token)

    def _pane(self, agent: "Agent") -> "libtmux.Pane":
        from torch_cli.errors import NotFoundError
        from torch_cli.tmux.server import Server

        pane = Server(Socket(path=agent.socket)).pane(agent.pane)
        if pane is None or pane.pane_pid != str(agent.pane_pid):
            raise NotFoundError(f"the pane of agent '{agent.name}' is gone", code="vanished")
        return pane
