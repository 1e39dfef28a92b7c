"""Rebuilding the sessions of agents: windows in order, with names, layouts, and shells.

What is to be done is planned first. Nothing is ever done to a session of that name that lives.
"""

import contextlib
import os
import secrets
import select
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import HeldError, NotFoundError, TorchError
from torch_cli.lifecycle.arrangement import forget
from torch_cli.lifecycle.prospect import Course, Prospect
from torch_cli.lifecycle.site import Site, session_lives
from torch_cli.lifecycle.window import create_window
from torch_cli.store import Store
from torch_cli.tmux.arrange import bring_forward, call, give, join, lay_out, split
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.place import check_session_name
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import DIRECTORY_LAG_SECONDS, check_directory
from torch_cli.watch.kept import KeptPane, KeptSession, KeptWindow, read


class PanePlan(NamedTuple):
    """A pane to be made: of ``agent``, else a shell in ``directory``. ``why`` it cannot be made.

    ``absent`` is the name of an agent that is not to come back, and leaves no pane. It is '?' if
    the name is not known any more.
    """

    directory: str
    agent: Prospect | None = None
    why: str = ""
    absent: str = ""


class WindowPlan(NamedTuple):
    """A window to be made in ``session`` of the tmux server at ``socket``, as it was kept.

    ``error`` says why it is not made. ``variables`` are the names of those of its session;
    ``begins`` and ``ends`` say that it is the first and the last of it. ``others`` are the names of
    all agents that may come back.
    """

    socket: str
    session: str
    kept: KeptWindow
    panes: tuple[PanePlan, ...] = ()
    error: TorchError | None = None
    begins: bool = False
    ends: bool = False
    variables: tuple[str, ...] = ()
    others: frozenset[str] = frozenset()

    @property
    def unset(self) -> list[str]:
        """The variables of a session that begins which this process has not, so nobody has."""
        return [one for one in self.variables if one not in os.environ] if self.begins else []

    @property
    def shells(self) -> list[PanePlan]:
        """The panes without agents, also those that cannot be made."""
        return [one for one in self.panes if one.agent is None and not one.absent]

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.session}:{self.kept.name}"

    @property
    def is_noteworthy(self) -> bool:
        """Whether there is more to say of it than of its one agent."""
        more = bool(self.shells or self.unset) or len(self.panes) > 1
        return self.error is not None or more


class Rebuilt(NamedTuple):
    """What became of a window: its ``shells``, what is missing, and why, in words.

    ``error`` says that nothing of it was made, and why.
    """

    plan: WindowPlan
    shells: int = 0
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: TorchError | None = None

    @property
    def lacks(self) -> str:
        """What is missing, in words, '' if nothing is but an agent, which is told by itself."""
        if not self.plan.is_noteworthy:
            return ""
        return self.error.message if self.error is not None else "; ".join(self.missing)


Step = Prospect | WindowPlan


def steps_of(store: Store, found: Sequence[Prospect]) -> list[Step]:
    """Return what is to be done for ``found``, in order: kept windows first, then other agents.

    A session is rebuilt if the tmux server of its agents is gone, and one of them is to come back.
    """
    planned: list[Step] = []
    others = frozenset(one.agent.name for one in found)
    taken: set[str] = set()
    for path in sorted({one.agent.socket for one in found if one.server_gone}):
        here = {one.agent.identity: one for one in found if one.agent.socket == path}
        lost = {one.agent.server for one in here.values() if one.server_gone}
        for session in read(store.arrangements.get(path)):
            gone = [
                here[one] for one in session.agents if one in here and _is_of(here[one], session)
            ]
            links = session.server in lost and any(one.linked for one in session.windows)
            if not links and all(one.closed for one in gone):
                continue
            windows = _planned(path, session, {one.agent.identity: one for one in gone})
            windows = [one._replace(others=others) for one in windows]
            planned += windows
            inside = [pane.agent for one in windows for pane in one.panes if pane.agent]
            taken |= {one.agent.identity for one in inside}
    return [*planned, *(one for one in found if one.agent.identity not in taken)]


def _is_of(one: Prospect, session: KeptSession) -> bool:
    return one.server_gone and one.agent.server == session.server


def _planned(path: str, session: KeptSession, agents: dict[str, Prospect]) -> list[WindowPlan]:
    """Return the windows of a session as they are to be made."""
    error = _obstacle(path, session.name)
    if error is not None:  # agents come back as they do without an arrangement
        shown = [one for one in session.windows if any(not pane.agent for pane in one.panes)]
        return [WindowPlan(path, session.name, one, error=error) for one in shown]
    plans = [
        WindowPlan(
            *(path, session.name, window),
            panes=tuple(_pane_plans(session.name, window.panes, agents)),
            error=_linked(window),
            variables=session.variables,
        )
        for window in session.windows
    ]
    plans = [
        one for one in plans if one.error is not None or not all(pane.absent for pane in one.panes)
    ]
    last = len(plans) - 1
    return [one._replace(begins=at == 0, ends=at == last) for at, one in enumerate(plans)]


def _pane_plans(
    session: str, panes: Sequence[KeptPane], agents: dict[str, Prospect]
) -> Iterator[PanePlan]:
    for pane in panes:
        if not pane.agent:
            yield PanePlan(pane.directory, why=_why_not(pane.directory))
        elif pane.agent in agents and not agents[pane.agent].closed:
            one = agents[pane.agent]
            if one.plan is not None:  # a person may have moved it with tmux
                order = replace(one.plan.order, session=session)
                one = one._replace(plan=one.plan._replace(order=order))
            yield PanePlan(pane.directory, one)
        else:
            known = agents.get(pane.agent)
            yield PanePlan(pane.directory, absent=known.agent.name if known else "?")


def _why_not(directory: str) -> str:
    try:
        if not directory:
            return "the directory of its process could not be read"
        check_directory(directory)
    except TorchError as error:
        return error.message
    return ""


def _obstacle(path: str, session: str) -> TorchError | None:
    """Return why a session of that name cannot be made."""
    try:
        check_session_name(session)
        if any(pane.session == session for pane in list_panes(Socket(path=path))):
            return session_lives(session)
    except NotFoundError as missing:
        return None if missing.code == "no-server" else missing
    except TorchError as error:
        return error
    return None


def _linked(window: KeptWindow) -> TorchError | None:
    if not window.linked:
        return None
    return HeldError(
        f"it is a window of session '{window.linked}', and was not linked into this one again",
        hint="'tmux link-window' does it.",
        code="linked",
    )


def _nobody() -> dict[str, str]:
    """Return the variables of a shell that is no agent, even if one has asked for it."""
    return {"TORCH_AGENT": ""} if "TORCH_AGENT" in os.environ else {}


class Builder:
    """Makes one window, in the session of ``site``.

    ``begin`` starts an agent and returns its pane, ``None`` if it cannot.
    """

    def __init__(
        self,
        store: Store,
        plan: WindowPlan,
        site: Site,
        begin: Callable[[Prospect], Pane | None],
    ) -> None:
        self._store, self._plan, self._begin = store, plan, begin
        self._site, self._session = site, ""
        self._socket = Socket(path=plan.socket)
        self._made: dict[int, str] = {}
        self._missing: list[str] = []
        self._notes: list[str] = []

    def build(self) -> Rebuilt:
        """Make the window; return what became of it."""
        try:
            return self._build()
        except BaseException:  # an interrupt: what is there gets its name
            with contextlib.suppress(TorchError):
                if self._made:
                    self._finish()
            raise
        finally:
            if self._plan.ends:
                self._site.close()
                forget(self._store, self._plan.socket, self._plan.session)

    def _build(self) -> Rebuilt:
        plan = self._plan
        if plan.error is not None:
            return Rebuilt(plan, error=plan.error)
        if plan.unset:
            self._notes.append(f"variables that are not set here: {', '.join(plan.unset)}")
        try:
            self._session = self._site.session(self._home())
        except TorchError as obstacle:
            return self._not_made(obstacle)
        for place, pane in enumerate(plan.panes):
            if pane.absent:
                continue
            made = self._agent(pane.agent) if pane.agent else self._shell(pane)
            if made:
                self._made[place] = made
        try:
            if self._made:
                self._finish()
        except TorchError as failed:
            self._notes.append(failed.message)
        shells = sum(plan.panes[place].agent is None for place in self._made)
        missing = tuple(self._missing)
        error = None
        if not self._made:
            error = TorchError("; ".join(missing) or "its agents did not come back", code="no-pane")
        return Rebuilt(plan, shells, missing, tuple(self._notes), error)

    def _home(self) -> str:
        """Return the directory of a session that begins with this window."""
        there = (
            one.agent.agent.directory if one.agent else one.directory for one in self._plan.panes
        )
        return next((one for one in there if os.path.isdir(one)), "/")

    def _not_made(self, error: TorchError) -> Rebuilt:
        """Say of each agent, too, that nothing was opened."""
        for pane in self._plan.panes:
            if pane.agent is not None:
                why = error if pane.agent.error is None else pane.agent.error
                self._begin(
                    pane.agent._replace(course=Course.CANNOT, why=why.message, plan=None, error=why)
                )
        return Rebuilt(self._plan, error=error)

    @property
    def _variables(self) -> dict[str, str]:
        """The variables of its session, as this process has them."""
        return {one: os.environ[one] for one in self._plan.variables if one in os.environ}

    @property
    def _last(self) -> str:
        return list(self._made.values())[-1]

    def _agent(self, one: Prospect) -> str:
        if one.plan is not None:
            order = replace(one.plan.order, session=self._session)
            one = one._replace(plan=one.plan._replace(order=order))
        pane = self._begin(one)
        if pane is None:
            return ""
        if self._made:
            try:
                join(self._socket, pane.id, self._last)
            except TorchError as error:
                self._notes.append(f"agent '{one.agent.name}' has a window of its own: {error}")
                return ""
        return pane.id

    def _shell(self, pane: PanePlan) -> str:
        try:
            if pane.why:
                raise TorchError(pane.why)
            directory = check_directory(pane.directory)
            if self._made:
                made = split(self._socket, self._last, directory, self._variables | _nobody())
                self._prove(made, directory)
                return made
            # Its own name may be that of an agent whose window is opened next.
            opened = create_window(
                *(self._store, self._socket),
                name=f"torch-{secrets.token_hex(6)}",
                session=self._session,
                directory=directory,
                environment=self._variables | _nobody(),
            )
            self._notes += opened.notes
            return opened.pane.id
        except TorchError as error:
            self._missing.append(f"a shell: {error.message}")
            return ""

    def _prove(self, pane_id: str, directory: str) -> None:
        """Check that a new pane is where it should be: tmux starts it elsewhere without a word."""
        panes = list_panes(self._socket)
        pane = next((one for one in panes if one.id == pane_id), None)
        deadline = time.monotonic() + DIRECTORY_LAG_SECONDS
        while True:
            found = procs.directory(pane.pid) if pane is not None else None
            if found in (None, directory) or time.monotonic() >= deadline:
                break
            select.select([], [], [], 0.01)  # a new process takes a moment to get there
        if found not in (None, directory):
            self._notes.append(f"a shell is in {found!r}, not in {directory!r}")

    def _name(self) -> str:
        """Return the name of the window: not that of an agent that may come back elsewhere.

        An agent whose start was interrupted is in a window of its name, and was kept as a shell.
        """
        kept, plan = self._plan.kept, self._plan
        inside = [plan.panes[place].agent for place in self._made]
        agents = plan.others - {one.agent.name for one in inside if one is not None}
        agents |= {one.absent for one in plan.panes}
        if kept.name not in agents:
            return kept.name
        self._notes.append(f"it is called '{kept.name}-shells': agent '{kept.name}' is not in it")
        return f"{kept.name}-shells"

    def _finish(self) -> None:
        kept, first = self._plan.kept, next(iter(self._made.values()))
        self._site.give_place(first)
        has_agent = any(self._plan.panes[place].agent for place in self._made)
        call(self._socket, first, self._name(), automatic=kept.automatic and not has_agent)
        if len(self._made) == len(kept.panes):
            try:
                lay_out(self._socket, first, kept.layout)
            except TorchError as error:
                self._notes.append(f"its layout was not made again: {error.message}")
        elif len(kept.panes) > 1:
            there = f"{len(self._made)} of {len(kept.panes)} panes are there"
            self._notes.append(f"its layout was not made again: {there}")
        give(self._socket, first, self._variables)
        front = self._made.get(kept.front, first)
        bring_forward(self._socket, front, window=kept.active)
        for pane in list_panes(self._socket):
            if pane.id in self._made.values():
                self._store.agents.placed(pane)
