"""Restarting members of a team that have ended, as their restart policy says."""

from typing import NamedTuple

from torch_cli.lifecycle.backoff import HEALTHY_SECONDS, decide
from torch_cli.roster.asleep import is_falling_asleep, is_without_program
from torch_cli.roster.started import agent_of
from torch_cli.store import Store
from torch_cli.store.teams import MemberKind, Started
from torch_cli.teamfile.described import Member, Team
from torch_cli.teams.act import TeamAct
from torch_cli.tmux.panes import pane_at
from torch_cli.watch.end import End, end_in, end_of


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
        end = _end(store, member, started)
        if end is not None and end.is_against(member.restart):
            decided = decide(store, team.path, member.name, end.words, now)
            if decided is not None:
                act = TeamAct(decided.what)
                found.append(Fallen(member.name, act, decided.why, started.socket))
        else:
            store.restarts.settle(team.path, member.name, now - HEALTHY_SECONDS)
    return found


def _end(store: Store, member: Member, known: Started) -> End | None:
    """Return how the member has ended; ``None`` if it runs, or if a person stopped it, has closed
    its window, or has frozen it, or if it is hibernated.
    """
    if member.kind == MemberKind.AGENT:
        agent = agent_of(store, known)
        if agent is None or agent.frozen is not None:
            return None
        if is_without_program(agent) or is_falling_asleep(agent):
            return None
        return end_of(store, agent)
    pane = pane_at(known.socket, known.server, known.pane, known.pane_pid)
    return end_in(pane) if pane is not None else None
