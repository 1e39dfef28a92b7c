"""Restarting members of a team that have ended, as their restart policy says."""

from typing import NamedTuple

from torch_cli.lifecycle.backoff import HEALTHY_SECONDS, decide
from torch_cli.roster.started import agent_of
from torch_cli.store import Store
from torch_cli.store.teams import MemberKind, Started
from torch_cli.teamfile.described import Member, Team
from torch_cli.teams.act import TeamAct
from torch_cli.tmux.panes import Pane, pane_at, with_status


class Fallen(NamedTuple):
    """A member that has ended by itself: what to do (``RESTART``, ``WAIT``, ``GIVE_UP``), and why.

    Torch gives up once. ``socket`` is that of the member's tmux server.
    """

    name: str
    what: TeamAct
    why: str
    socket: str


def fallen(store: Store, team: Team, now: float) -> list[Fallen]:
    """Return the members that have ended against their policy, at ``now`` (epoch seconds).

    Records when the end of each was first seen, and removes old restarts of members that have run
    for long. A member that a person stopped, or whose window was closed, is not restarted.
    """
    wanted = [one for one in team.members if one.restart != "never"]
    if not wanted:
        return []
    known = store.teams.members(team.path)
    found = []
    for member in wanted:
        started = known.get(member.name)
        if started is None or not started.pane:
            continue  # it was never started, or it is starting now
        pane = _pane(store, member, started)
        if pane is not None and pane.dead and _is_against(member, pane):
            found += _decide(store, team, member, pane, now)
        else:
            store.restarts.settle(team.path, member.name, now - HEALTHY_SECONDS)
    return found


def _pane(store: Store, member: Member, known: Started) -> Pane | None:
    """Return the pane in which the member runs, or has ended; ``None`` if a person stopped it, or
    has frozen it.
    """
    if member.kind == MemberKind.AGENT:
        agent = agent_of(store, known)
        if agent is None or agent.frozen is not None:
            return None
    pane = pane_at(known.socket, known.server, known.pane, known.pane_pid)
    return with_status(pane) if pane is not None else None


def _is_against(member: Member, pane: Pane) -> bool:
    # A program that was ended by a signal has no status.
    return member.restart == "always" or pane.dead_status != 0


def _decide(store: Store, team: Team, member: Member, pane: Pane, now: float) -> list[Fallen]:
    how = "a signal" if pane.dead_status is None else f"status {pane.dead_status}"
    decided = decide(store, team.path, member.name, f"it ended with {how}", now)
    if decided is None:
        return []
    return [Fallen(member.name, TeamAct(decided.what), decided.why, pane.socket_path)]
