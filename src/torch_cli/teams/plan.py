"""What ``torch up`` would do: the team file compared with what is running."""

import enum
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch_cli.envfile import read_environment
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.roster.membership import is_listed
from torch_cli.roster.started import agent_of, pane_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import MemberKind, Started
from torch_cli.teamfile.described import Member, Team
from torch_cli.teamfile.directories import directory_of
from torch_cli.teams.ready import listens
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import lives

POLICY = ("stalled", "hibernate")
"""The policies of an agent that the file may set; its ``restart`` is read there each time."""

SOFT = ("role", "parent", "skills", "briefing", *POLICY)
"""What can be changed while an agent runs. Other changes need a restart."""

BRIEFED = ("role", "parent", "briefing")
"""After a change of these an agent is briefed again."""


PREDECESSOR = "before"
"""In the record of a start in progress: the identity of the agent that is replaced."""


class Action(enum.StrEnum):
    """What to do for a member. From ``running`` on it is nothing."""

    START = "start"
    UPDATE = "update"
    RESTART = "restart"
    RUNNING = "running"
    CHANGED = "changed"
    """File and agent differ, and only a person can change that."""
    OFF = "off"
    """Nobody asked for it."""
    ELSEWHERE = "elsewhere"
    """Its port is in use by another process."""
    UNLISTED = "unlisted"
    """It runs, and is no longer in the file."""


class PlanStep(NamedTuple):
    """What to do for a member; ``words`` say why.

    ``agent`` or ``pane`` is what runs already. ``noted`` says whether the store knows that. A
    member that is not ``ours`` was started by somebody else: it is never restarted, and stays when
    the team ends. ``brief`` says that its briefing has changed.
    """

    member: Member
    what: Action
    words: str = ""
    agent: Agent | None = None
    pane: Pane | None = None
    noted: bool = True
    ours: bool = True
    brief: bool = False


def plan(store: Store, team: Team, only: Sequence[str] = ()) -> list[PlanStep]:
    """Return what ``torch up`` would do for each member, in order.

    ``only`` are names or roles. A spare agent of a pool must be given by name. Raises
    ``NotFoundError`` for an unknown name, ``RefusedError`` if another agent has the name of a
    member.
    """
    for name in only:
        if not any(name in (member.name, member.role) for member in team.members):
            raise NotFoundError(f"{team.path} has no member or role '{name}'", code="no-member")
    known = store.teams.members(team.path)
    steps = [_step(store, team, one, _known(store, team, known, one), only) for one in team.members]
    return steps if only else [*steps, *_unlisted(store, team, known)]


def makes_worktree(team: Team, step: PlanStep) -> bool:
    """Return whether ``step`` makes a worktree for its member: it has one, and none is there."""
    starts = step.what in (Action.START, Action.RESTART) and bool(step.member.worktree)
    return starts and not os.path.lexists(directory_of(team, step.member))


def home_of(steps: Sequence[PlanStep], chosen: Socket) -> Socket:
    """Return the tmux server in which members start: the one in which the others run.

    That is ``chosen`` if the caller demands it, if nothing runs yet, or if some run there already.
    """
    running = {one.agent.socket for one in steps if one.agent is not None}
    running |= {one.pane.socket_path for one in steps if one.pane is not None}
    if chosen.demanded or len(running) != 1 or any(map(chosen.leads_to, running)):
        return chosen
    return Socket(path=running.pop())


def _known(
    store: Store, team: Team, known: Mapping[str, Started], member: Member
) -> Started | None:
    """Return what the team has started as ``member``, also after a rename in Torch and the file."""
    if member.name in known or member.kind != MemberKind.AGENT:
        return known.get(member.name)
    agent = store.agents.get(member.name)
    if agent is None or agent.stopped is not None:
        return None
    listed = {one.name for one in team.members}
    rows = (one for one in known.values() if one.agent == agent.identity)
    return next((one for one in rows if one.name not in listed), None)


def _unlisted(store: Store, team: Team, known: Mapping[str, Started]) -> list[PlanStep]:
    """Return running members that are no longer in the file."""
    names = {member.name for member in team.members}
    found = []
    for one in known.values():
        agent = agent_of(store, one) if one.kind == MemberKind.AGENT else None
        runs = (
            agent is not None if one.kind == MemberKind.AGENT else pane_of(store, one) is not None
        )
        if one.name in names or not is_listed(one) or not runs or (agent and agent.name in names):
            continue
        member = Member(one.kind, one.name, one.directory, 0)
        words = f"it is no longer in the file: torch down --only {one.name} ends it"
        found.append(PlanStep(member, Action.UNLISTED, words))
    return found


def _step(
    store: Store,
    team: Team,
    member: Member,
    known: Started | None,
    only: Sequence[str],
) -> PlanStep:
    look = _agent_step if member.kind == MemberKind.AGENT else _process_step
    by_role = member.role in only and member.name not in team.spare
    wanted = member.name in only or by_role if only else member.autostart
    try:
        found = look(store, team, member, known)
    except RefusedError as refused:  # matters only if the caller named the member
        if wanted:
            raise
        return PlanStep(member, Action.OFF, refused.message.partition("; nothing was done")[0])
    if not wanted and found.what in (Action.START, Action.RESTART, Action.UPDATE):
        what = Action.OFF if found.what is Action.START else Action.RUNNING
        return found._replace(what=what, words="", brief=False)
    return found


def _agent_step(store: Store, team: Team, member: Member, known: Started | None) -> PlanStep:
    agent = store.agents.get(member.name)
    if agent is None or agent.stopped is not None or not lives(store, agent):
        renamed = agent_of(store, known) if known else None
        if renamed is not None and renamed.name != member.name and lives(store, renamed):
            words = f"it is now named '{renamed.name}': write that name into the file"
            return PlanStep(member, Action.CHANGED, words, renamed)
        return PlanStep(member, Action.START, "it has ended" if known else "")
    if known is None or not _is_own(store, known, agent):
        _check_no_other(store, member, agent)
        same = os.path.realpath(directory_of(team, member)) == os.path.realpath(agent.directory)
        if same and agent.profile == member.profile:
            words = "it existed already"
            return PlanStep(member, Action.RUNNING, words, agent, noted=False, ours=False)
        raise RefusedError(
            f"the name '{member.name}' belongs to another agent, in {agent.directory}; nothing "
            "was done",
            hint=f"Names are unique on a machine: give the member another name in {team.path}.",
            code="name-taken",
        )
    changed = _differences(known.spec, spec_of(team, member))
    if not changed:
        words = "" if known.agent else "its start was cut short"
        if not os.path.isdir(agent.directory):
            words = f"its directory {agent.directory} is gone"
        return PlanStep(
            member, Action.RUNNING, words, agent, noted=bool(known.agent), ours=known.ours
        )
    words = f"changed: {', '.join(changed)}"
    if set(changed) <= set(SOFT):
        again = bool(set(changed) & set(BRIEFED))
        return PlanStep(member, Action.UPDATE, words, agent, ours=known.ours, brief=again)
    if not known.ours:
        return PlanStep(
            member, Action.CHANGED, f"{words}; it existed before the team, and is left alone", agent
        )
    return PlanStep(member, Action.RESTART, words, agent)


def _is_own(store: Store, known: Started, agent: Agent) -> bool:
    """Return whether the agent is the member that was started.

    A start that was cut short may have been to replace it, when ``torch resurrect`` was quicker.
    """
    own = agent_of(store, known)
    if own is None and not known.agent:
        return known.spec.get(PREDECESSOR) == agent.identity
    return own is not None and own.identity == agent.identity


def _check_no_other(store: Store, member: Member, agent: Agent) -> None:
    """Raise ``RefusedError`` if the agent with the member's name belongs to another team."""
    other = store.teams.member_of(agent.identity)
    if other is not None:
        raise RefusedError(
            f"the agent '{member.name}' is '{other.name}' of {other.team}; nothing was done",
            hint="Names are unique on a machine: give the member another name in this team's file.",
            code="name-taken",
        )


def _process_step(store: Store, team: Team, member: Member, known: Started | None) -> PlanStep:
    pane = pane_of(store, known) if known else None
    if known is None or pane is None:
        if member.port and listens(member.port):
            return PlanStep(member, Action.ELSEWHERE, f"port {member.port} is already in use")
        return PlanStep(member, Action.START, "it has ended" if known else "")
    changed = _differences(known.spec, spec_of(team, member))
    if changed:
        return PlanStep(member, Action.RESTART, f"changed: {', '.join(changed)}", pane=pane)
    words = "" if known.pane else "its start was cut short"
    return PlanStep(member, Action.RUNNING, words, pane=pane, noted=bool(known.pane))


def spec_of(team: Team, member: Member) -> dict[str, Any]:
    """Return what is later compared with the file, with values of variables as hashes."""
    variables = {**read_environment((), member.env_files), **member.environment}
    secret = hashlib.sha256(json.dumps(sorted(variables.items())).encode()).hexdigest()[:16]
    common = {
        "directory": directory_of(team, member),
        "environment": secret,
        "session": team.session,
    }
    if member.kind == MemberKind.PROCESS:
        return {**common, "command": list(member.command)}
    names = ("profile", "arguments", *SOFT)
    return {**common, **{name: getattr(member, name) for name in names}}


def _differences(before: Any, now: Any) -> list[str]:
    now = json.loads(json.dumps(now))
    # Records of earlier versions have none of these.
    before = {"session": now["session"], **dict.fromkeys(POLICY, ""), **before}
    return sorted(name for name in now if before.get(name) != now[name])
