"""Processes of teams that a tmux server took with it: starting them again, beside the agents.

Each is started as its team's file says, if a person has accepted that file as it is.
"""

import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import NotFoundError, TorchError
from torch_cli.lifecycle.processes import end_all
from torch_cli.lifecycle.rebuild_plan import LostProcess, held_name
from torch_cli.lifecycle.resurrect import ORPHAN_SECONDS, Raised, RaisedProcess
from torch_cli.lifecycle.site import is_idle
from torch_cli.roster.started import pane_of
from torch_cli.store import Store
from torch_cli.store.teams import MemberKind
from torch_cli.teamfile.described import Team
from torch_cli.teamfile.load import load_team
from torch_cli.teams import half_made
from torch_cli.teams.plan import Action, PlanStep, plan
from torch_cli.teams.trust import TrustState, trust_of, untrusted
from torch_cli.teams.up import UpState, team_lock, up
from torch_cli.tmux.arrange import is_shown, swap
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import close_window, rename_window

OTHER_UP_SECONDS = 60.0
"""Seconds to wait for a ``torch up`` of the daemon, which starts agents of pools after a crash."""


CLOCK_SET_SECONDS = 1.0
"""A clock that was set forward by so much since, as NTP does, makes a process no other one."""


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
    for path, there in _by_team(lost):
        yield from _prospects(store, path, there)


def raise_processes(
    store: Store,
    lost: Sequence[LostProcess],
    tell: Callable[[str], None],
    places: Mapping[LostProcess, str],
) -> Iterator[RaisedProcess]:
    """Start each of ``lost`` again in its team's session; yield what became of it.

    It takes the pane of ``places`` that holds its place, unless somebody may use that shell by now.
    Each is awaited as by ``torch up``. ``tell`` is told each step. A process that has outlived its
    tmux server is ended first.
    """
    for path, there in _by_team(lost):
        left = list(there)
        try:
            for one in there:
                _end_orphan(one)
            with team_lock(path, OTHER_UP_SECONDS):
                # What to do is asked under the lock: another 'torch up' may have started it.
                for found in _prospects(store, path, there):
                    yield _raise(store, found, tell, places.get(found.process, ""))
                    left.remove(found.process)
        except TorchError as error:
            yield from (RaisedProcess(one, Raised.FAILED, error.message, error) for one in left)


def _by_team(lost: Sequence[LostProcess]) -> Iterator[tuple[str, list[LostProcess]]]:
    for path in dict.fromkeys(one.team for one in lost):
        yield path, [one for one in lost if one.team == path]


def _prospects(store: Store, path: str, there: Sequence[LostProcess]) -> Iterator[ProcessProspect]:
    try:
        team = _accepted(store, path)
        known = {one.name for one in team.members if one.kind == MemberKind.PROCESS}
        names = [one.name for one in there if one.name in known]
        steps = {one.member.name: one for one in plan(store, team, names)} if names else {}
    except TorchError as error:
        yield from (ProcessProspect(one, error=error) for one in there)
        return
    for one in there:
        if one.name in known:
            yield ProcessProspect(one, team, steps[one.name])
        else:
            missing = NotFoundError(f"{path} has no process '{one.name}' any more")
            yield ProcessProspect(one, error=missing)


def _accepted(store: Store, path: str) -> Team:
    team = load_team(path)
    trust = trust_of(store, team)
    if trust.state is not TrustState.SAME:
        raise untrusted(team, trust)
    return team


def _end_orphan(one: LostProcess) -> None:
    """End the process that ran before, if it has outlived its tmux server, once it had time to."""
    process = procs.identify(one.pid)
    if process is None or not _is_of(one, process):
        return
    deadline = time.monotonic() + ORPHAN_SECONDS
    while procs.alive(process) and time.monotonic() < deadline:
        select.select([], [], [], 0.02)  # it is not our child, so there is nothing to wait on
    end_all([process, *procs.descendants(process.pid)])


def _is_of(one: LostProcess, process: procs.Process) -> bool:
    """Return whether it is that process: ``torch up`` has marked it, and it began before that was
    recorded.
    """
    marked = half_made.START_VARIABLE in (procs.environment(process.pid) or {})
    begun = procs.begun(process)
    return marked and begun is not None and begun <= one.recorded + CLOCK_SET_SECONDS


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
    (result,) = up(store, socket, team, [alone], as_accepted=True, tell=tell)
    started = store.teams.members(team.path).get(process.name)
    pane = pane_of(store, started) if started is not None else None
    if pane is not None and holder:
        _take_place(store, pane, holder)
    if result.state is UpState.STARTED:
        return RaisedProcess(process, Raised.BACK, pane=pane)
    return RaisedProcess(process, Raised.FAILED, result.words, result.error, pane)


def _take_place(store: Store, pane: Pane, holder: str) -> None:
    """Put ``pane`` where the shell ``holder`` is, with its name, and close that.

    Nothing is done if something runs in that shell, or if a terminal shows its session: somebody
    may be typing there.
    """
    socket = Socket(path=pane.socket_path)
    found = next((one for one in list_panes(socket) if one.id == holder), None)
    if found is None or found.server != pane.server or not is_idle(found):
        return
    if is_shown(socket, holder):
        return
    swap(socket, pane.id, holder)
    close_window(socket, found)
    if found.window == held_name(pane.window):
        rename_window(socket, found.window_id, pane.window)
    store.windows.parted(pane._replace(window_id=found.window_id))
