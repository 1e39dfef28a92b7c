"""Bringing up a team, from whatever of it is there already."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from torch_cli.agents.registry import find, profile_named
from torch_cli.delivery.receipt import Receipt
from torch_cli.delivery.send import Request, send
from torch_cli.envfile import read_environment
from torch_cli.errors import HeldError, TorchError
from torch_cli.flock import hold, open_lock
from torch_cli.paths import state_dir
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import PRIORITIES
from torch_cli.store.teams import Started
from torch_cli.team import briefing, half_made
from torch_cli.team.authority import check_over
from torch_cli.team.described import Member, Team
from torch_cli.team.membership import check_parent
from torch_cli.team.place import directory_of, make_worktree
from torch_cli.team.plan import Step, spec_of
from torch_cli.team.ready import await_process
from torch_cli.team.rebrief import with_tasks
from torch_cli.team.spawn import Order, await_ready, spawn
from torch_cli.team.standing import close_ended
from torch_cli.team.stop import end_pane, stop
from torch_cli.team.window import create_window
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.socket import Socket


class Result(NamedTuple):
    """What became of a member: ``started``, ``running``, ``updated``, ``restarted``, ``changed``
    (it needs a new start), ``off``, ``elsewhere``, ``unlisted``, ``blocked`` or ``failed``, the
    last with its error. ``receipt`` is that of a briefing that was sent.
    """

    member: Member
    state: str
    words: str = ""
    error: TorchError | None = None
    receipt: Receipt | None = None

    @property
    def ready(self) -> bool:
        """Whether what waits for it may go on."""
        return self.state in ("started", "running", "updated", "restarted", "changed", "elsewhere")


@contextlib.contextmanager
def team_lock(path: str) -> Iterator[None]:
    """Hold the right to bring the team of the file ``path`` up or down.

    Raises ``HeldError`` if another process has it.
    """
    key = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    file = open_lock(os.path.join(state_dir(), "locks", f"team-{key}"), "nothing was done")
    try:
        if not hold(file, 0.0):
            raise HeldError(
                f"another 'torch up' or 'torch down' of {path} is at work; nothing was done",
                code="locked",
            )
        yield
    finally:
        os.close(file)


def up(
    store: Store,
    socket: Socket,
    team: Team,
    steps: Sequence[Step],
    *,
    restart_changed: bool = False,
    tell: Callable[[str], None] = lambda words: None,
) -> Iterator[Result]:
    """Do the steps, one by one; what waits for a member that failed is ``blocked``.

    From now on who may write to whom is enforced, if the file says so.
    """
    rules = team.agreement
    store.teams.enforce(team.path, rules.may_message if rules.enforce else None)
    half_made.sweep(socket, team.session)
    ready: dict[str, bool] = {}
    for step in steps:
        waits = [name for name in step.member.after if not ready.get(name, False)]
        if waits and step.what in ("start", "restart"):
            result = Result(step.member, "blocked", f"waits for {', '.join(waits)}")
        else:
            result = _Upward(store, socket, team, restart_changed, tell).do(step)
        ready[step.member.name] = result.ready
        yield result


class _Upward:
    """Brings up one member."""

    def __init__(
        self,
        store: Store,
        socket: Socket,
        team: Team,
        restart_changed: bool,
        tell: Callable[[str], None],
    ) -> None:
        self._store, self._socket, self._team = store, socket, team
        self._restart_changed, self._tell = restart_changed, tell

    def do(self, step: Step) -> Result:
        """Do a step; what goes wrong is in the result."""
        member = step.member
        try:
            if step.what == "restart" and not self._restart_changed:
                words = f"{step.words}; 'torch up --restart-changed' starts it anew"
                return Result(member, "changed", words)
            if step.what in ("changed", "off", "elsewhere", "unlisted"):
                return Result(member, step.what, step.words)
            if member.kind == "process":
                return self._process(step)
            return self._agent(step)
        except TorchError as error:
            return Result(member, "failed", error.message.partition("\n")[0], error)

    def _process(self, step: Step) -> Result:
        member = step.member
        if step.what == "restart" and step.pane is not None:
            end_pane(self._store, step.pane)
        if step.what == "running" and step.pane is not None:
            if not step.noted:
                self._note(member, step.pane)
            return Result(member, "running", step.words)
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
        return Result(member, "restarted" if step.what == "restart" else "started", directory)

    def _begin(self, member: Member) -> tuple[str, dict[str, str]]:
        """Note that the member is being started; return where, and with which variables.

        What is left of it from before is cleared away.
        """
        before = self._store.teams.members(self._team.path).get(member.name)
        if before is not None:
            close_ended(self._store, before)
            half_made.clear(self._socket, self._team.session, before)
        directory = directory_of(self._team, member)
        self._tell(f"starting {member.name} in {directory}")
        known, mark = self._known(member), half_made.new_mark()
        self._store.teams.add(known._replace(spec={**known.spec, "mark": mark}))
        given = {**read_environment((), member.env_files), **member.environment}
        return directory, {**given, half_made.MARK: mark}

    def _known(self, member: Member, *, ours: bool = True) -> Started:
        spec, directory = spec_of(self._team, member), directory_of(self._team, member)
        team = self._team.path
        return Started(team, member.name, member.kind, spec, directory=directory, ours=ours)

    def _note(
        self, member: Member, pane: Pane, agent: Agent | None = None, *, ours: bool = True
    ) -> None:
        """Note what runs as the member now; since when is kept: they are ended in that order."""
        identity = agent.identity if agent else ""
        before = self._store.teams.member_of(identity)
        self._store.teams.add(
            self._known(member, ours=ours)._replace(
                started=before.started if before else 0.0,
                agent=identity,
                socket=pane.socket_path,
                server=pane.server,
                pane=pane.id,
                pane_pid=pane.pid,
            )
        )

    def _agent(self, step: Step) -> Result:
        member, agent, state = step.member, step.agent, "running"
        if step.what == "restart" and agent is not None:
            check_over(self._store, agent, "restart")
            stop(self._store, member.name)
            agent, state = None, "restarted"
        if agent is None:
            agent = self._start(member)
            state = state if state == "restarted" else "started"
        elif step.what == "update":
            check_parent(self._store, member.name, member.parent)
            self._store.agents.describe(member.name, role=member.role, parent=member.parent)
            state = "updated"
        # What is noted is the last step: killed before it, all is done again.
        receipt = self._brief(member, agent, again=True) if step.brief else None
        if step.what != "running" or not step.noted:
            pane = find(self._store, Socket(path=agent.socket), member.name).pane
            self._note(member, pane, agent, ours=step.ours)
        receipt = receipt or self._brief(member, agent)
        words = step.words if state in ("running", "updated") else agent.directory
        return Result(member, state, words, receipt=receipt)

    def _start(self, member: Member) -> Agent:
        if member.worktree and make_worktree(self._team.root, member.worktree, member.name):
            self._tell(f"made a worktree of the branch {member.worktree}")
        directory, variables = self._begin(member)
        before = self._store.agents.get(member.name)
        agent, window = spawn(
            self._store,
            self._socket,
            Order(
                name=member.name,
                profile=member.profile,
                directory=directory,
                session=self._team.session,
                role=member.role,
                parent=member.parent,
                environment=variables,
                arguments=member.arguments,
            ),
        )
        same = before and (before.profile, before.directory) == (agent.profile, agent.directory)
        if before and same:  # what time sends to the member goes on
            self._store.checkins.pass_on(before, agent)
        self._note(member, window.pane, agent)
        return agent

    def _brief(self, member: Member, agent: Agent, *, again: bool = False) -> Receipt | None:
        """Wait until the agent is ready and brief it, unless it has been in this life."""
        if agent.ready is None:
            profile = profile_named(agent.profile)
            pane = find(self._store, Socket(path=agent.socket), agent.name).pane
            with ControlClient(Socket(path=agent.socket), pane.session_id) as client:
                await_ready(client, self._store, agent, profile, profile.launch.ready_timeout)
        last = self._store.briefings.newest().get(agent.identity)
        briefed = last is not None and last.sent >= agent.created
        if not member.briefing or (briefed and not again):
            return None
        source = member.briefing
        source = os.path.join(self._team.root, source) if "/" in source else source
        facts = briefing.facts_for(
            member.name, member.role, member.parent, agent.directory, self._store.agents.all()
        )._replace(team=self._team.name, project_root=self._team.root)
        text = briefing.read(source, facts) + with_tasks(self._store, agent)
        self._tell(f"briefing {member.name}")
        # If this process is killed before it is noted, the next sends nothing twice.
        key = f"briefing-{agent.identity}-{agent.created:.3f}"
        if again:
            soft = [member.role, member.parent, member.briefing]
            key += f"-{hashlib.sha256(repr(soft).encode()).hexdigest()[:8]}"
        earlier = self._store.messages.with_key(key)
        body = (earlier.body if earlier else text).encode()
        urgent = PRIORITIES["high"]
        request = Request(target=member.name, body=body, key=key, priority=urgent, free=True)
        receipt = send(self._socket, request)
        self._store.briefings.add(receipt.id, agent.identity, member.briefing)
        return receipt
