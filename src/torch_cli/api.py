"""Torch from Python: one object whose methods do what the commands do.

Things in tmux come back as libtmux's objects, and everything else as the plain values of the rooms
below. Errors are those of ``torch_cli.errors``. Each method loads what it needs when it is called,
as the commands do. So ``import torch_cli`` costs nothing, and sending a message does not load
libtmux or APScheduler.
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

    from torch_cli.attention.given import AnswerGiven, Waiting
    from torch_cli.checkpoint.record import CheckpointOutcome
    from torch_cli.delivery.ask import Answer
    from torch_cli.delivery.receipt import Receipt
    from torch_cli.lifecycle.restart import Restarted
    from torch_cli.lifecycle.stop import Stopped
    from torch_cli.programs.state import AgentState
    from torch_cli.store.agents import Agent
    from torch_cli.store.checkin import Checkin
    from torch_cli.tmux.server import Server
    from torch_cli.watch.listing import Line
    from torch_cli.watch.state import StateOf


class Spawned(NamedTuple):
    """An agent that was started.

    ``pane`` is an object of libtmux. ``state`` is ``None`` if ``spawn`` did not wait. ``briefing``
    is the receipt of its briefing, ``None`` if it got none.
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

        Use it in a ``with`` statement, or ``close()`` it. Both close the connection and leave the
        server running.
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
        restart: str = "",
        stalled: str = "",
        brief: str = "",
        timeout: float | None = None,
    ) -> Spawned:
        """Start an agent program in a window; return once its input is ready.

        Waits for at most ``timeout`` seconds (default: the profile's value); 0 does not wait.
        ``brief`` is the name of a briefing, or the path of a file that holds one. ``restart`` is
        its restart policy: ``never``, ``on-failure`` or ``always``; ``stalled`` is what is done if
        it makes no progress: ``tell``, ``nudge`` or ``restart``. Raises
        ``RefusedError`` or ``NotFoundError`` (then nothing was started), ``HeldError`` if the
        program asks something first, ``TimedOutError`` if it is not ready in time.
        """
        from torch_cli.lifecycle.begin import begin, send_briefing
        from torch_cli.lifecycle.spawn import SpawnOrder

        order = SpawnOrder(
            name=name,
            profile=profile,
            directory=os.fspath(directory),
            session=session,
            role=role,
            parent=parent,
            environment=dict(environment or {}),
            arguments=tuple(arguments),
            restart=restart,
            stalled=stalled,
        )
        with self._at_home():
            begun, text = begin(self._socket, order, brief=brief, seconds=timeout)
            told = send_briefing(self._socket, begun, text, brief) if brief else None
        return Spawned(begun.agent, self._pane(begun.agent), begun.state, told)

    def adopt(self, target: str, name: str, *, profile: str | None = None) -> "Agent":
        """Register the program in a pane as the agent ``name``. Nothing is typed.

        Raises ``RefusedError`` if the name is taken or the program is not recognised.
        """
        from torch_cli.lifecycle.adopting import adopt
        from torch_cli.store import Store

        with self._at_home(), Store() as store:
            return adopt(store, self._socket, target, name, profile)

    def stop(self, name: str) -> "Stopped":
        """Ask an agent to end, and wait. If it does not end, kill it, but only if Torch started it.

        Raises ``HeldError`` if an adopted program does not end. It continues to run.
        """
        from torch_cli.lifecycle.stop import stop
        from torch_cli.store import Store

        with self._at_home(), Store() as store:
            return stop(store, name)

    def restart(
        self, name: str, *, fresh: bool = False, yes: bool = False, timeout: float | None = None
    ) -> "Restarted":
        """Restart an agent in its conversation, or with ``fresh`` in a new one; also one that fell.

        Waits for its input as ``spawn`` does. Raises ``RefusedError`` if a turn, a question, a
        draft or the conversation would be lost, unless ``yes``; ``HeldError`` if its program does
        not end. The agent continues as it was then.
        """
        from torch_cli.lifecycle.restart import check_losses, plan_restart, restart
        from torch_cli.store import Store

        with self._at_home(), Store() as store:
            plan = plan_restart(store, name, fresh=fresh)
            if not yes:
                check_losses(plan, "With yes=True it is restarted nevertheless.")
            return restart(store, plan, seconds=timeout)

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

        ``when`` is ``ready``, ``idle`` or ``now``. The agent has ``timeout`` seconds to take the
        message. A held message is tried again for ``wait`` seconds, and after that by the daemon.
        Messages with the same ``key`` are delivered once. Raises ``RefusedError`` or
        ``NotFoundError``; nothing was typed then.
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

        All of this may take ``timeout`` seconds. The answer's ``text`` is ``None`` if the message
        was not delivered. Its ``source`` says whether the program reported the answer, or Torch
        read it from the screen. Raises ``HeldError`` if the program asks something, and
        ``TimedOutError``.
        """
        from torch_cli.delivery.ask import ask
        from torch_cli.delivery.send import Request

        body = message.encode("utf-8", "surrogateescape")
        request = Request(target, body, timeout=timeout, sender=self._actor)
        with self._at_home():
            return ask(self._socket, request)

    # -- states ------------------------------------------------------------------------------------

    def state(self, target: str) -> "StateOf":
        """Return the state of an agent or pane, since when it is in it, and the evidence.

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

        Raises ``RefusedError`` for an unknown state, and ``TimedOutError`` after ``timeout``
        seconds. That error names the present state.
        """
        from torch_cli.store import Store
        from torch_cli.watch.wait import wait_until

        with self._at_home(), Store() as store:
            return wait_until(store, self._socket, target, states, timeout)

    # -- questions ---------------------------------------------------------------------------------

    def waiting(self, target: str) -> "Waiting":
        """Return the dialog that an agent or pane shows now: its question, options and hash.

        Raises ``HeldError`` if it shows none, ``NotFoundError`` if there is no such target.
        """
        from torch_cli.attention.answer import waiting
        from torch_cli.store import Store

        with self._at_home(), Store() as store:
            return waiting(store, self._socket, target)

    def answer(
        self, target: str, option: str, *, dialog: str, text: str | None = None
    ) -> "AnswerGiven":
        """Answer the dialog with the hash ``dialog`` that an agent or pane shows, by an option.

        ``option`` is the option's key, its letter, its words, or how only its words begin. ``text``
        is typed for an option that takes one. Waits up to 10 seconds until the dialog has gone; the
        ``outcome`` of the answer says whether the program took this one. Raises ``HeldError`` if
        another dialog shows, or none, or the pane cannot be typed into, and ``RefusedError`` if the
        dialog has no such option, or nobody knows which key chooses it. Nothing was chosen then.
        """
        from torch_cli.attention.answer import answer
        from torch_cli.store import Store

        with self._at_home(), Store() as store:
            return answer(store, self._socket, target, option, dialog, text)

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
        """Make a check-in: it sends ``note`` to an agent at the time, or the times, of ``when``.

        Examples of ``when``: ``in 30m``, ``at 2026-12-01 09:00``, ``every 20m``, ``cron 0 9 * *
        1-5``. The daemon, or ``torch tick``, fires it. Raises ``RefusedError`` or
        ``NotFoundError``; nothing was made then.
        """
        from torch_cli.schedule import trigger
        from torch_cli.schedule.checkin import CheckinOrder, add
        from torch_cli.store import Store

        kind, _, text = when.partition(" ")
        now = time.time()
        order = CheckinOrder(
            *(target, note.encode("utf-8", "surrogateescape")),
            trigger=trigger.make(kind, text, timezone, now),
            name=name,
            condition="idle" if only_idle else "always",
        )
        with self._at_home(), Store() as store:
            return add(store, self._socket, order, now)[0]

    def checkpoint(
        self, directory: str | os.PathLike[str] = ".", *, note: str = ""
    ) -> "CheckpointOutcome":
        """Keep the files of the worktree of ``directory``, off every branch, if any has changed.

        Raises ``TorchError`` if that fails; nothing is kept then.
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
        """Use ``home`` as Torch's directory inside the block."""
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
