"""Processes of teams that a tmux server took with it: starting them again, beside the agents.

Each is started as its team's file says, if a person has accepted that file as it is.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from torch_cli.errors import NotFoundError, TorchError
from torch_cli.lifecycle.rebuild_plan import LostProcess
from torch_cli.lifecycle.resurrect import Raised, RaisedProcess
from torch_cli.lifecycle.site import is_idle
from torch_cli.roster.started import pane_of
from torch_cli.store import Store
from torch_cli.teamfile.described import Team
from torch_cli.teamfile.load import load_team
from torch_cli.teams.plan import Action, PlanStep, plan
from torch_cli.teams.trust import TrustState, trust_of, untrusted
from torch_cli.teams.up import UpState, team_lock, up
from torch_cli.tmux.arrange import swap
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import close_window, rename_window

OTHER_UP_SECONDS = 60.0
"""Seconds to wait for a ``torch up`` of the daemon, which starts agents of pools after a crash."""


class ProcessProspect(NamedTuple):
    """What is to be done with a process: ``step`` of its ``team``, or ``error`` says why nothing
    can be done.
    """

    process: LostProcess
    team: Team | None = None
    step: PlanStep | None = None
    error: TorchError | None = None

    @property
    def command(self) -> tuple[str, ...]:
        """The command that would be run, empty if none."""
        raised = self.step is not None and self.step.what is Action.START
        return self.step.member.command if self.step is not None and raised else ()


def process_prospects(store: Store, lost: Sequence[LostProcess]) -> Iterator[ProcessProspect]:
    """Yield what is to be done with each of ``lost``."""
    for path, group in itertools.groupby(lost, key=lambda one: one.team):
        there = list(group)
        try:
            team = _accepted(store, path)
            names = [one.name for one in team.members]
            steps = {
                one.member.name: one
                for one in plan(store, team, [one.name for one in there if one.name in names])
            }
        except TorchError as error:
            yield from (ProcessProspect(one, error=error) for one in there)
            continue
        for one in there:
            step = steps.get(one.name)
            missing = NotFoundError(f"{path} has no process '{one.name}' any more")
            yield ProcessProspect(one, team, step, None if step is not None else missing)


def raise_processes(
    store: Store,
    lost: Sequence[LostProcess],
    tell: Callable[[str], None],
    places: Mapping[LostProcess, str],
) -> Iterator[RaisedProcess]:
    """Start each of ``lost`` again in its team's session; yield what became of it.

    It takes the pane of ``places`` that holds its place, unless somebody uses that shell by now.
    Each is awaited as by ``torch up``. ``tell`` is told each step.
    """
    for one in process_prospects(store, lost):
        try:
            yield _raise(store, one, tell, places.get(one.process, ""))
        except TorchError as error:
            yield RaisedProcess(one.process, Raised.FAILED, error.message, error)


def _accepted(store: Store, path: str) -> Team:
    team = load_team(path)
    trust = trust_of(store, team)
    if trust.state is not TrustState.SAME:
        raise untrusted(team, trust)
    return team


def _raise(
    store: Store, one: ProcessProspect, tell: Callable[[str], None], holder: str
) -> RaisedProcess:
    process, team, step = one.process, one.team, one.step
    if team is None or step is None:
        why = one.error.message if one.error is not None else ""
        return RaisedProcess(process, Raised.FAILED, why, one.error)
    if step.what is not Action.START:
        what = Raised.RUNS if step.what is Action.RUNNING else Raised.STAYS
        return RaisedProcess(process, what, step.words, pane=step.pane)
    # What it waits for comes back beside it.
    alone = step._replace(member=step.member._replace(after=()))
    socket = Socket(path=process.socket)
    with team_lock(team.path, OTHER_UP_SECONDS), _Place(store, socket, holder) as place:
        (result,) = up(store, socket, team, [alone], as_accepted=True, tell=tell)
        started = store.teams.members(team.path).get(process.name)
        pane = pane_of(store, started) if started is not None else None
        if pane is not None:
            place.take(pane)
    if result.state is UpState.STARTED:
        return RaisedProcess(process, Raised.BACK, pane=pane)
    return RaisedProcess(process, Raised.FAILED, result.words, result.error, pane)


class _Place:
    """The pane of the shell ``holder``, whose window has another name meanwhile: a session has one
    window of a name.
    """

    def __init__(self, store: Store, socket: Socket, holder: str) -> None:
        self._store, self._socket = store, socket
        self._holder = self._found(holder) if holder else None
        self._kept = False

    def __enter__(self) -> "_Place":
        if self._holder is not None:
            rename_window(self._socket, self._holder.window_id, f"{self._holder.window}-shells")
        return self

    def __exit__(self, *error: object) -> None:
        if self._holder is not None and not self._kept:
            rename_window(self._socket, self._holder.window_id, self._holder.window)

    def take(self, pane: Pane) -> None:
        """Put ``pane`` there, and close the shell; do nothing if it is used by now."""
        holder = self._found(self._holder.id) if self._holder is not None else None
        if holder is None or holder.server != pane.server or not is_idle(holder):
            self._kept = True  # the name is that of the new window
            return
        swap(self._socket, pane.id, holder.id)
        self._store.windows.parted(pane._replace(window_id=holder.window_id, window=pane.window))
        close_window(self._socket, holder)

    def _found(self, holder: str) -> Pane | None:
        return next((one for one in list_panes(self._socket) if one.id == holder), None)
