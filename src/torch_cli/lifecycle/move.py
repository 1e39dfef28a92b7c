"""Moving an agent to another session or window. What Torch knows about it stays right."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch_cli.delivery.lock import pane_lock
from torch_cli.errors import HeldError, NotFoundError, RefusedError, TimedOutError, TorchError
from torch_cli.roster.authority import check_over
from torch_cli.roster.registry import Found, find
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.database import after
from torch_cli.tmux.move import Act, Client, Goal, Placement, carry_out, placement_of
from torch_cli.tmux.opening import WindowPlace, new_session, remove
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.place import check_session_name
from torch_cli.tmux.socket import Socket

SMALLEST_SPLIT_CELLS = 3
"""The least rows or columns of a pane that tmux can split: ``layout_split_pane()`` in its layout.c
needs one for each half and one for the line between."""


class Destination(NamedTuple):
    """Where an agent is to move.

    It moves to a ``session`` (a name or an id; ``create`` makes it if it does not exist), or
    ``beside`` a target in another window (``horizontal``: to its right, not below). With neither,
    it moves into a window of its own in its session. ``follow`` takes along the people who are
    looking at it.
    """

    session: str | None = None
    create: bool = False
    beside: str | None = None
    horizontal: bool = False
    follow: bool = False


class Moved(NamedTuple):
    """An agent, its pane ``before`` and its pane ``now``. ``done`` is false if it was there
    already.

    ``ended`` are the sessions that lost their only window, ``notes`` what people should know.
    """

    agent: Agent
    before: Pane
    now: Pane
    done: bool
    created_session: bool = False
    ended: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def move(
    store: Store, socket: Socket, target: str, wanted: Destination, *, timeout: float = 30.0
) -> Moved:
    """Move the agent ``target`` to where it is ``wanted``; its program notices at most a resize.

    Pane and process stay the same. A message that is being typed into the pane delays the move for
    at most ``timeout`` seconds. Raises ``NotFoundError`` if there is no such agent, session or
    window, ``RefusedError`` if it cannot move there or the agent that runs this process may not
    move it, ``HeldError`` if a person is looking at it and ``follow`` is not given, or if the pane
    does not become free. Nothing was moved then. ``TimedOutError`` says so if that is not known.
    """
    deadline = time.monotonic() + timeout
    found = find(store, socket, target)
    agent = found.agent
    if agent is None:
        raise NotFoundError(
            f"pane {found.pane.id} ({found.pane.place}) is not a registered agent; nothing was "
            "moved",
            hint=f"Register it: torch adopt {found.pane.id} NAME. Or move it with tmux.",
            code="not-an-agent",
        )
    check_over(store, agent, "move")
    with _unhurried(found, timeout):
        while True:
            moved = _Move(store, found, agent, wanted).attempt()
            if moved is not None:
                break
            if time.monotonic() >= deadline:
                raise HeldError(
                    f"windows and clients around agent '{agent.name}' keep changing; nothing was "
                    "moved",
                    hint="Try again.",
                    code="changing",
                )
    with after(f"agent '{agent.name}' is in {moved.now.place}"):
        store.agents.placed(moved.now)
        if moved.done:
            if not wanted.beside:
                store.windows.parted(moved.now)
            detail = {"pane": agent.pane, "before": moved.before.place, "now": moved.now.place}
            store.events.add("move", agent.name, detail)
    return moved


class _Move:
    """One attempt. It ends without effect if anything changes meanwhile."""

    def __init__(self, store: Store, found: Found, agent: Agent, wanted: Destination) -> None:
        self.store, self.socket, self.agent, self.wanted = store, found.socket, agent, wanted
        self.name = agent.name
        self.panes: list[Pane] = list_panes(self.socket)
        self.pane = self._here(self.panes)

    def attempt(self) -> Moved | None:
        """Move, or find that it is there already; ``None`` if something changed meanwhile."""
        goal = self._goal()
        # Without a session, look from the present one. A new session is made last of all.
        placement = placement_of(self.socket, self.pane, goal or Goal(self.pane.session_id))
        if placement is None:
            return None
        self.panes = list_panes(self.socket)
        there = goal and self._is_there(placement)
        if there:
            return Moved(self.agent, there, there, done=False, notes=self._shared(placement))
        self._check(placement)
        if goal is not None:
            return self._carry_out(placement)
        place = self._new_session()
        if not place.created:
            return None
        try:
            placement = placement_of(self.socket, self.pane, Goal(place.session_id))
            if placement is not None:
                self._check(placement)  # a person may look at it by now
            moved = placement and self._carry_out(placement, place)
        except BaseException:
            with contextlib.suppress(TorchError):
                remove(self.socket, "", place)
            raise
        if moved is None:
            remove(self.socket, "", place)
        return moved

    def _goal(self) -> Goal | None:
        """Return where it goes, ``None`` if that is a session that does not exist yet."""
        if self.wanted.beside is not None:
            beside = self._neighbour(self.wanted.beside)
            return Goal(beside.session_id, beside.id, self.wanted.horizontal)
        if self.wanted.session is None:
            return Goal(self.pane.session_id)
        session = self.wanted.session
        for pane in self.panes:
            if session in (pane.session, pane.session_id):
                return Goal(pane.session_id)
        if not self.wanted.create:
            raise _no_session(session, self.panes, self.socket)
        check_session_name(session)
        return None

    def _neighbour(self, target: str) -> Pane:
        """Return the pane that ``target`` means on the agent's server."""
        try:
            return find(self.store, self.socket._replace(demanded=True), target).pane
        except NotFoundError as missing:
            if missing.code != "other-server":
                raise
            raise RefusedError(
                f"'{target}' and '{self.name}' are on different tmux servers, and a pane cannot "
                "leave its own; nothing was moved",
                code="other-server",
            ) from missing

    def _is_there(self, placement: Placement) -> Pane | None:
        """Return the pane if it is already where it is wanted."""
        goal = placement.goal
        rows = [p for p in self.panes if p.id == self.pane.id]
        if goal.beside:
            neighbour = next((p for p in self.panes if p.id == goal.beside), None)
            return next((p for p in rows if neighbour and p.window_id == neighbour.window_id), None)
        if self.wanted.session is None and not placement.alone:
            return None
        return next((p for p in rows if p.session_id == goal.session_id), None)

    def _shared(self, placement: Placement) -> tuple[str, ...]:
        if placement.alone or self.wanted.session is None or self.wanted.beside is not None:
            return ()
        return ("others share its window; --apart gives it one of its own",)

    def _check(self, placement: Placement) -> None:
        """Raise if the pane must not be moved now."""
        pane, goal = self.pane, placement.goal
        where = f"agent '{self.name}' ({pane.id}, {pane.place})"
        if (
            placement.linked
            and not goal.beside
            and (placement.alone or self.wanted.session is None)
        ):
            names = sorted({p.session for p in self.panes if p.window_id == pane.window_id})
            raise RefusedError(
                f"the window of {where} is linked into several sessions ({', '.join(names)}), "
                "and it is not said which of them the window should leave; nothing was moved",
                hint="'tmux unlink-window -t SESSION:WINDOW' takes it out of one."
                if placement.alone
                else "--session SESSION says where it goes.",
                code="linked",
            )
        beside = next((p for p in self.panes if p.id == goal.beside), None)
        if beside and (beside.width if goal.horizontal else beside.height) < SMALLEST_SPLIT_CELLS:
            raise RefusedError(
                f"pane {beside.id} ({beside.place}) is too small to be split; nothing was moved",
                hint="Choose the other direction, or another pane or window.",
                code="too-small",
            )
        if placement.deprived and not self.wanted.follow:
            raise _looked_at(where, placement, ends=bool(self._doomed(placement)))

    def _new_session(self) -> WindowPlace:
        known = os.path.isdir(self.agent.directory)
        directory = self.agent.directory if known else os.path.expanduser("~")
        assert self.wanted.session is not None
        return new_session(self.socket, self.wanted.session, directory, None)

    def _carry_out(self, placement: Placement, created: WindowPlace | None = None) -> Moved | None:
        goal = placement.goal
        name, notes = self._window_name(placement)
        along = placement.deprived
        # Torch's own client would end with its session. In a session that continues it can stay.
        doomed = self._doomed(placement)
        cut_off = [c for c in placement.shown if not c.person and c.session_id in doomed]
        others = [
            client
            for client in placement.clients
            if client.person and client.session_id == goal.session_id and client not in along
        ]
        select = bool(along) and not others
        held_by = created.held_by if created else ""
        act = Act(name, (*along, *cut_off), select, held_by)
        try:
            if not carry_out(self.socket, placement, act):
                return None
            after = list_panes(self.socket)
        except TimedOutError as error:
            raise TimedOutError(
                f"{error.message}; it is not known whether agent '{self.name}' was moved",
                hint="Repeat the command when the server answers: an agent that is there already "
                "stays.",
            ) from error
        now = self._here(after, goal.session_id)
        ended = self._ended(after)
        notes += [f"session '{session}' had no other window and has ended" for session in ended]
        notes += _followed(along, select, now)
        return Moved(
            self.agent, self.pane, now, True, created is not None, tuple(ended), tuple(notes)
        )

    def _window_name(self, placement: Placement) -> tuple[str, list[str]]:
        """Return the name that the window gets, '' to keep its own, and a note if it is new.

        A window of the agent's own keeps its name. Another window is named after the agent. No two
        windows of a session get the same name.
        """
        if placement.goal.beside:
            return "", []
        session = placement.goal.session_id
        taken = {
            p.window
            for p in self.panes
            if p.session_id == session
            and not (placement.alone and p.window_id == self.pane.window_id)
        }
        kept = self.pane.window if placement.alone else self.name
        if kept not in taken:
            return ("" if placement.alone else kept), []
        numbered = (f"{self.name}-{number}" for number in range(2, len(taken) + 3))
        free = next(name for name in (self.name, *numbered) if name not in taken)
        return free, [f"its window is called '{free}': there is a window '{kept}' in that session"]

    def _here(self, panes: Sequence[Pane], session_id: str = "") -> Pane:
        """Return the agent's pane, as it is in ``session_id`` if that session shows it."""
        agent = self.agent
        identity = (agent.server, agent.pane, agent.pane_pid)
        rows = [p for p in panes if (p.server, p.id, p.pid) == identity]
        if not rows:
            raise NotFoundError(
                f"pane {agent.pane} of agent '{self.name}' on {agent.socket} is gone",
                hint=f"'torch stop {self.name}' removes it.",
                code="vanished",
            )
        return next((p for p in rows if p.session_id == session_id), rows[0])

    def _doomed(self, placement: Placement) -> set[str]:
        """Return the ids of the sessions whose only window is the one that moves."""
        if not placement.alone:
            return set()
        here = self.pane.window_id
        others = {p.session_id for p in self.panes if p.window_id != here}
        return {p.session_id for p in self.panes if p.window_id == here} - others

    def _ended(self, after: Sequence[Pane]) -> list[str]:
        left = {pane.session_id for pane in after}
        rows = [p for p in self.panes if p.window_id == self.pane.window_id]
        return sorted({p.session for p in rows if p.session_id not in left})


@contextlib.contextmanager
def _unhurried(found: Found, timeout: float) -> Iterator[None]:
    """Hold the pane's lock, so that no delivery runs or begins."""
    pane = found.pane
    try:
        with pane_lock(pane.server, pane.id, f"torch move {found.name}", timeout):
            yield
    except HeldError as held:
        if held.code == "locked":
            held.message = held.message.removesuffix("typed") + "moved"
            held.hint = "Move it when that has finished, or wait longer with --timeout."
        raise


def _followed(along: Sequence[Client], select: bool, now: Pane) -> list[str]:
    names = ", ".join(client.name for client in along)
    if not names:
        return []
    if select:
        return [f"{names} went along"]
    return [f"{names} went along to session '{now.session}', where others choose the window"]


def _looked_at(where: str, placement: Placement, *, ends: bool) -> HeldError:
    names = ", ".join(client.name for client in placement.deprived)
    what = "input typed there would reach another program"
    if ends:
        what = "its session would end with its only window, and detach them"
    return HeldError(
        f"{where} is being looked at by {names}: {what}; nothing was moved",
        hint="--follow takes them along.",
        code="looked-at",
        details={"clients": [client.name for client in placement.deprived]},
    )


def _no_session(session: str, panes: Sequence[Pane], socket: Socket) -> NotFoundError:
    near = sorted({p.session for p in panes if session and p.session.startswith(session)})
    similar = f" Similar, but Torch matches no prefixes: {', '.join(near[:5])}" if near else ""
    return NotFoundError(
        f"no session '{session}' on tmux server {socket}; nothing was moved",
        hint=f"--create makes it.{similar}",
        code="no-session",
    )
