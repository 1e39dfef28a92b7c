"""Starting a team. Members that already run continue."""

import contextlib
import enum
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch_cli.delivery.receipt import Receipt
from torch_cli.delivery.send import Request, send
from torch_cli.envfile import read_environment
from torch_cli.errors import HeldError, TorchError
from torch_cli.flock import hold, open_lock
from torch_cli.lifecycle.notice import restart_notice
from torch_cli.lifecycle.restart import in_its_conversation
from torch_cli.lifecycle.spawn import SpawnOrder, await_ready, spawn
from torch_cli.lifecycle.stop import close_ended, end_agent, end_pane
from torch_cli.lifecycle.survivors import survivors
from torch_cli.lifecycle.window import create_window
from torch_cli.lifecycle.worktrees import make_worktree, remove_worktree
from torch_cli.paths import state_dir
from torch_cli.roster.authority import check_outside, check_over
from torch_cli.roster.membership import check_parent
from torch_cli.roster.project import place_of, project_of_team
from torch_cli.roster.registry import find, profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import PRIORITIES
from torch_cli.store.teams import MemberKind, Started
from torch_cli.teamfile import briefing
from torch_cli.teamfile.described import Member, Team
from torch_cli.teamfile.directories import directory_of
from torch_cli.teams import half_made
from torch_cli.teams.plan import PREDECESSOR, Action, PlanStep, spec_of
from torch_cli.teams.policy import set_policies
from torch_cli.teams.ready import await_process
from torch_cli.teams.rebrief import with_tasks
from torch_cli.teams.trust import admit
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.socket import Socket
from torch_cli.watch.draft import check_no_draft


class UpState(enum.StrEnum):
    """What became of a member. Those that need nothing are called as in the plan."""

    STARTED = "started"
    RUNNING = "running"
    UPDATED = "updated"
    RESTARTED = "restarted"
    CHANGED = "changed"
    """It needs a restart."""
    OFF = "off"
    ELSEWHERE = "elsewhere"
    UNLISTED = "unlisted"
    BLOCKED = "blocked"
    """A member that it waits for is not ready."""
    ASKS = "asks"
    """It runs, and waits for an answer."""
    FAILED = "failed"


READY = frozenset(
    {
        *(UpState.STARTED, UpState.RUNNING, UpState.UPDATED, UpState.RESTARTED),
        *(UpState.CHANGED, UpState.ELSEWHERE),
    }
)
"""The states of a member in which those that wait for it may start."""


class Result(NamedTuple):
    """The outcome of a member, with an error if it asks or failed, and with the receipt of its
    briefing if one was sent.
    """

    member: Member
    state: UpState
    words: str = ""
    error: TorchError | None = None
    receipt: Receipt | None = None

    @property
    def ready(self) -> bool:
        """Whether members that wait for it may start."""
        return self.state in READY


@contextlib.contextmanager
def team_lock(path: str, seconds: float = 0.0) -> Iterator[None]:
    """Hold the right to bring the team of the file ``path`` up or down; wait ``seconds`` for it.

    Raises ``HeldError`` if another process has it.
    """
    key = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    file = open_lock(os.path.join(state_dir(), "locks", f"team-{key}"), "nothing was done")
    try:
        if not hold(file, time.monotonic() + seconds):
            raise HeldError(
                f"another 'torch up' or 'torch down' of {path} is running; nothing was done",
                code="locked",
            )
        yield
    finally:
        os.close(file)


def up(
    store: Store,
    socket: Socket,
    team: Team,
    steps: Sequence[PlanStep],
    *,
    as_accepted: bool = False,
    restart_changed: bool = False,
    resume: bool = False,
    tell: Callable[[str], None] = lambda words: None,
    warn: Callable[[str], None] = lambda words: None,
) -> Iterator[Result]:
    """Do the steps one by one. Members that wait for a failed one are ``blocked``.

    A person who calls this accepts the file, unless ``as_accepted``; ``warn`` is told about that.
    With ``resume`` those that start continue their last conversations, also if they were stopped.
    From now on ``may_message`` is enforced, if the file says so. Raises ``RefusedError``, with
    nothing started, if the file is not accepted and the caller may not accept it.
    """
    if said := admit(store, team, as_accepted=as_accepted):
        warn(f"{team.path}: {said}")
    return _bring_up(store, socket, team, steps, restart_changed, resume, tell)


def _bring_up(
    store: Store,
    socket: Socket,
    team: Team,
    steps: Sequence[PlanStep],
    restart_changed: bool,
    resume: bool,
    tell: Callable[[str], None],
) -> Iterator[Result]:
    rules = team.agreement
    store.teams.enforce(team.path, rules.may_message if rules.enforce else None)
    half_made.sweep(socket, team.session)
    ready: dict[str, bool] = {}
    for step in steps:
        waits = [name for name in step.member.after if not ready.get(name, False)]
        if waits and step.what in (Action.START, Action.RESTART):
            result = Result(step.member, UpState.BLOCKED, f"waits for {', '.join(waits)}")
        else:
            result = _Upward(store, socket, team, restart_changed, resume, tell).do(step)
        ready[step.member.name] = result.ready
        yield result


@dataclass(frozen=True)
class _Upward:
    """Brings up one member."""

    _store: Store
    _socket: Socket
    _team: Team
    _restart_changed: bool
    _resume: bool
    _tell: Callable[[str], None]

    def do(self, step: PlanStep) -> Result:
        """Do a step. An error is in the result."""
        member = step.member
        try:
            if step.what == Action.RESTART and not self._restart_changed:
                words = f"{step.words}; 'torch up --restart-changed' restarts it"
                return Result(member, UpState.CHANGED, words)
            if step.what in (Action.CHANGED, Action.OFF, Action.ELSEWHERE, Action.UNLISTED):
                return Result(member, UpState(step.what), step.words)
            if member.kind == MemberKind.PROCESS:
                return self._process(step)
            return self._agent(step)
        except TorchError as error:
            if error.code == "dialog":  # it runs, and will be ready once somebody has answered
                error.hint += " Then run 'torch up' again."
                return Result(member, UpState.ASKS, error.message.partition("\n")[0], error)
            return Result(member, UpState.FAILED, error.message.partition("\n")[0], error)

    def _process(self, step: PlanStep) -> Result:
        member = step.member
        if step.what == Action.RESTART and step.pane is not None:
            end_pane(self._store, step.pane)
        if step.what == Action.RUNNING and step.pane is not None:
            if not step.noted:
                self._note(member, step.pane)
            return Result(member, UpState.RUNNING, step.words)
        directory, variables = self._begin(member)
        opened = create_window(
            self._store,
            self._socket,
            name=member.name,
            session=self._team.session,
            directory=directory,
            environment=variables,
            command=member.command,
            keep_dead=True,
        )
        self._note(member, opened.pane)
        if member.port or member.ready:
            await_process(opened.pane, member)
        restarted = step.what == Action.RESTART
        return Result(member, UpState.RESTARTED if restarted else UpState.STARTED, directory)

    def _begin(self, member: Member) -> tuple[str, dict[str, str]]:
        """Record that the member is starting; return its directory and its variables.

        Leftovers of an earlier start are removed.
        """
        before = self._store.teams.members(self._team.path).get(member.name)
        if before is not None:
            close_ended(self._store, before)
            half_made.clear(self._socket, self._team.session, before)
        directory = directory_of(self._team, member)
        self._tell(f"starting {member.name} in {directory}")
        known, mark = self._known(member), half_made.new_mark()
        begun = {"mark": mark, PREDECESSOR: self._predecessor(member, directory)}
        self._store.teams.add(known._replace(spec={**known.spec, **begun}))
        given = {**read_environment((), member.env_files), **member.environment}
        return directory, {**given, half_made.START_VARIABLE: mark}

    def _known(self, member: Member, *, ours: bool = True) -> Started:
        spec, directory = spec_of(self._team, member), directory_of(self._team, member)
        team = self._team.path
        return Started(team, member.name, member.kind, spec, directory=directory, ours=ours)

    def _row(self, member: Member, pane: Pane, agent: Agent | None, *, ours: bool) -> Started:
        """Return the record of a member. Its time of start stays: members end in that order."""
        identity = agent.identity if agent else ""
        before = self._store.teams.member_of(identity)
        return self._known(member, ours=ours)._replace(
            started=before.started if before else 0.0,
            agent=identity,
            socket=pane.socket_path,
            server=pane.server,
            pane=pane.id,
            pane_pid=pane.pid,
        )

    def _note(
        self, member: Member, pane: Pane, agent: Agent | None = None, *, ours: bool = True
    ) -> None:
        """Record what runs as the member now. It inherits check-ins of the agent it replaces."""
        begun = self._store.teams.members(self._team.path).get(member.name)
        row = self._row(member, pane, agent, ours=ours)
        before = begun.spec.get(PREDECESSOR, "") if begun else ""
        with self._store.database.transaction():
            if agent is not None and before:
                self._store.checkins.pass_on(before, agent)
                self._store.agents.succeed(before, agent)
                self._store.tasks.pass_on(before, agent.identity)
            self._store.teams.put(row)

    def _agent(self, step: PlanStep) -> Result:
        member, agent, state = step.member, step.agent, UpState.RUNNING
        before: Started | None = None
        if agent is not None:
            self._follow(member, agent)
        else:
            self._call_back(member)
        if step.what == Action.RESTART and agent is not None:
            check_over(self._store, agent, "restart")
            check_outside(agent, "restarted")
            check_no_draft(self._store, agent)
            before = self._store.teams.member_of(agent.identity)
            end_agent(self._store, agent.name)
            agent, state = self._start(member, agent.frozen), UpState.RESTARTED
        elif agent is None:
            agent, state = self._start(member), UpState.STARTED
        elif step.what == Action.UPDATE:
            return self._update(step, agent)
        elif not step.noted:
            pane = find(self._store, Socket(path=agent.socket), member.name).pane
            self._note(member, pane, agent, ours=step.ours)
        receipt = self._brief(member, agent)
        words = step.words if state is UpState.RUNNING else agent.directory
        if before is not None and before.directory != agent.directory:
            removed = remove_worktree(self._store, before)
            words = "; ".join(filter(None, [words, removed]))
        return Result(member, state, words, receipt=receipt)

    def _follow(self, member: Member, agent: Agent) -> None:
        """Record the member under its present name in the file, if it had another name."""
        row = self._store.teams.member_of(agent.identity)
        if row is not None and (row.team, row.name) != (self._team.path, member.name):
            self._store.teams.add(row._replace(team=self._team.path, name=member.name))

    def _call_back(self, member: Member) -> None:
        """Give the member's name back to its agent if that was renamed and has ended."""
        row = self._store.teams.members(self._team.path).get(member.name)
        agent = self._store.agents.known_as(row.agent) if row and row.agent else None
        if agent is not None and agent.stopped is None and agent.name != member.name:
            self._store.agents.rename(agent, member.name)

    def _update(self, step: PlanStep, agent: Agent) -> Result:
        """Change what can be changed of a running agent, and brief it again if needed."""
        member, store = step.member, self._store
        parent = self._parent(member)
        check_parent(store, member.name, parent)
        store.agents.describe(member.name, role=member.role, parent=parent)
        pane = find(store, Socket(path=agent.socket), member.name).pane
        set_policies(store, agent, member)
        row = self._row(member, pane, agent, ours=step.ours)
        receipt = self._send_briefing(member, agent, again=True) if step.brief else None
        # Both or neither. If this is killed first, the next run does the same under the same key.
        with store.database.transaction():
            if receipt is not None:
                store.briefings.insert(receipt.id, agent.identity, member.briefing)
            store.teams.put(row)
        receipt = receipt or self._brief(member, agent)
        return Result(member, UpState.UPDATED, step.words, receipt=receipt)

    def _parent(self, member: Member) -> str:
        """Return the present name of the member's parent, which may have been renamed."""
        row = self._store.teams.members(self._team.path).get(member.parent)
        agent = self._store.agents.known_as(row.agent) if row and row.agent else None
        return agent.name if agent else member.parent

    def _start(self, member: Member, frozen: float | None = None) -> Agent:
        if member.worktree:
            make_worktree(self._team.root, member.worktree, member.name, self._tell)
        directory, variables = self._begin(member)
        order = SpawnOrder(
            name=member.name,
            profile=member.profile,
            directory=directory,
            session=self._team.session,
            role=member.role,
            parent=self._parent(member),
            environment=variables,
            arguments=member.arguments,
            frozen=frozen,
        )
        if member.resume or self._resume:
            order = in_its_conversation(self._store, order, stopped=self._resume)
        agent, window = spawn(self._store, self._socket, order)
        set_policies(self._store, agent, member)
        self._note(member, window.pane, agent)
        if agent.conversation:
            notice = restart_notice(self._store, agent, "it had ended", survivors(agent))
            self._store.messages.accept(notice)
        return agent

    def _predecessor(self, member: Member, directory: str) -> str:
        """Return the identity of the agent that the member replaces, '' if none."""
        agent = self._store.agents.get(member.name) if member.kind == MemberKind.AGENT else None
        if agent is None or agent.profile != member.profile:
            return ""
        # With another worktree it is still the same member. In another project it is a namesake.
        home = project_of_team(self._team.path)
        same = os.path.realpath(agent.directory) == os.path.realpath(directory)
        return agent.identity if same or place_of(agent.directory).project == home else ""

    def _brief(self, member: Member, agent: Agent) -> Receipt | None:
        """Brief the agent, unless it was briefed since its start."""
        last = self._store.briefings.newest().get(agent.identity)
        if last is not None and last.sent >= agent.created:
            return None
        return self._send_briefing(member, agent)

    def _send_briefing(
        self, member: Member, agent: Agent, *, again: bool = False
    ) -> Receipt | None:
        """Wait until the agent is ready and send it its briefing, if it has one."""
        if agent.ready is None:
            profile = profile_named(agent.profile)
            pane = find(self._store, Socket(path=agent.socket), agent.name).pane
            with ControlClient(Socket(path=agent.socket), pane.session_id) as client:
                await_ready(client, self._store, agent, profile, profile.launch.ready_timeout)
        if not member.briefing:
            return None
        facts = briefing.facts_for(
            *(member.name, member.role, self._parent(member), agent.directory),
            self._store.agents.all(),
        )._replace(team=self._team.name, project_root=self._team.root)
        text = briefing.read_member(member.briefing, facts) + with_tasks(self._store, agent)
        self._tell(f"briefing {member.name}")
        # The key: if this process is killed before it is recorded, the next sends nothing twice.
        key = f"briefing-{agent.identity}-{agent.created:.3f}"
        last = self._store.briefings.newest().get(agent.identity) if again else None
        key += f"-after-{last.message}" if last else ""
        earlier = self._store.messages.with_key(key)
        body = (earlier.body if earlier else text).encode()
        request = Request(
            *(member.name, body),
            key=key,
            priority=PRIORITIES["high"],
            free=True,
            briefing="" if again else member.briefing,  # an update records it itself
        )
        return send(self._socket, request)
