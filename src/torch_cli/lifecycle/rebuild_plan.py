"""What rebuilding the sessions of agents would do: which windows, with which panes, in which order.

Nothing is changed here. Nothing is ever done to a session of that name that lives.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from torch_cli.errors import HeldError, NotFoundError, TorchError
from torch_cli.lifecycle.prospect import SESSION_LIVES, Prospect
from torch_cli.lifecycle.site import session_lives
from torch_cli.store import Store
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.place import check_session_name
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import check_directory
from torch_cli.watch.kept import KeptPane, KeptSession, KeptWindow, read


class PanePlan(NamedTuple):
    """A pane to be made: of ``agent``, else a shell in ``directory``. ``why`` it cannot be made.

    ``absent`` is the name of an agent that is not to come back, and leaves no pane. It is '?' if
    the name is not known any more. The shell holds the place of ``process`` if one ran there.
    """

    directory: str
    agent: Prospect | None = None
    why: str = ""
    absent: str = ""
    process: "LostProcess | None" = None


class LostProcess(NamedTuple):
    """The process ``name`` of the team file ``team``, which ran in ``session`` of a tmux server at
    ``socket`` that is gone. It had the number ``pid``, and began before ``recorded`` (epoch
    seconds).
    """

    team: str
    name: str
    socket: str
    session: str
    pid: int
    recorded: float


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
        """The shells that do not hold another's place, also those that cannot be made."""
        return [
            one for one in self.panes if not (one.agent is not None or one.absent or one.process)
        ]

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.session}:{self.kept.name}"

    @property
    def is_noteworthy(self) -> bool:
        """Whether there is more to say of it than of its one agent."""
        more = bool(self.shells or self.unset) or len(self.panes) > 1
        return self.error is not None or more


Step = Prospect | WindowPlan


def steps_of(store: Store, found: Sequence[Prospect]) -> list[Step]:
    """Return what is to be done for ``found``, in order: kept windows first, then other agents.

    A session is rebuilt if the tmux server of its agents is gone, and one of them is to come back.
    """
    planned: list[Step] = []
    others = frozenset(one.agent.name for one in found)
    taken: set[str] = set()
    lost = frozenset(lost_processes(store, found))
    for path, session, gone in _lost_sessions(store, found):
        windows = _planned(path, session, {one.agent.identity: one for one in gone}, lost)
        windows = [one._replace(others=others) for one in windows]
        planned += windows
        inside = [pane.agent for one in windows for pane in one.panes if pane.agent]
        taken |= {one.agent.identity for one in inside}
    return [*planned, *(one for one in found if one.agent.identity not in taken)]


def lost_processes(store: Store, found: Sequence[Prospect]) -> list[LostProcess]:
    """Return the processes of teams that ran in the sessions whose agents come back.

    They ran when Torch last looked, so no person had closed their windows, and they are the team's
    still, so none has stopped them since.
    """
    rows = {(one.team, one.name): one for one in store.teams.processes()}
    lost = []
    for path, session, gone in _lost_sessions(store, found):
        theirs = any(one.error and one.error.code == SESSION_LIVES for one in gone)
        if theirs or all(one.closed for one in gone):
            continue
        for pane in (pane for window in session.windows for pane in window.panes):
            row = rows.get((pane.team, pane.process))
            if row is not None and (row.socket, row.server) == (path, session.server):
                place = (path, session.name, row.pane_pid, row.started)
                lost.append(LostProcess(pane.team, pane.process, *place))
    return lost


def held_name(process: str) -> str:
    """Return the name of a window in which a shell holds the place of a process: its own is free
    for that.
    """
    return f"{process}-shells"


def _lost_sessions(
    store: Store, found: Sequence[Prospect]
) -> Iterator[tuple[str, KeptSession, list[Prospect]]]:
    """Yield each kept session with something to bring back: its socket, and its agents."""
    for path in sorted({one.agent.socket for one in found if one.server_gone}):
        here = {one.agent.identity: one for one in found if one.agent.socket == path}
        lost = {one.agent.server for one in here.values() if one.server_gone}
        for session in read(store.arrangements.get(path)):
            gone = [
                here[one] for one in session.agents if one in here and _is_of(here[one], session)
            ]
            links = session.server in lost and any(one.linked for one in session.windows)
            if links or not all(one.closed for one in gone):
                yield path, session, gone


def _is_of(one: Prospect, session: KeptSession) -> bool:
    return one.server_gone and one.agent.server == session.server


def _planned(
    path: str,
    session: KeptSession,
    agents: dict[str, Prospect],
    lost: Collection[LostProcess],
) -> list[WindowPlan]:
    """Return the windows of a session as they are to be made."""
    error = _obstacle(path, session.name)
    if error is not None:  # agents come back as they do without an arrangement
        shown = [
            one
            for one in session.windows
            if any(not (pane.agent or pane.process) for pane in one.panes)
        ]
        return [WindowPlan(path, session.name, one, error=error) for one in shown]
    plans = [
        WindowPlan(
            *(path, session.name, window),
            panes=tuple(_pane_plans(path, session.name, window.panes, agents, lost)),
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
    path: str,
    session: str,
    panes: Sequence[KeptPane],
    agents: dict[str, Prospect],
    lost: Collection[LostProcess],
) -> Iterator[PanePlan]:
    for pane in panes:
        if not pane.agent:
            ran = (one for one in lost if (one.socket, one.session) == (path, session))
            process = next((one for one in ran if one[:2] == (pane.team, pane.process)), None)
            yield PanePlan(pane.directory, why=_why_not(pane.directory), process=process)
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
