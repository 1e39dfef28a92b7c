"""Restarting members of a team that have ended, as their restart policy says."""

import random
from typing import NamedTuple

from torch_cli.roster.started import agent_of
from torch_cli.store import Store
from torch_cli.store.restarts import GIVEN_UP, Restart
from torch_cli.store.teams import MemberKind, Started
from torch_cli.teamfile.described import Member, Team
from torch_cli.teams.act import TeamAct
from torch_cli.tmux.panes import Pane, pane_at, with_status

FIRST, LONGEST = 2.0, 60.0
"""Seconds before the first restart, and the longest wait. Each wait is twice the one before."""

JITTER = 0.2
"""Each wait is longer or shorter by up to this part, so that members do not all start at once."""

MOST, WITHIN = 5, 600.0
"""After this many restarts within this many seconds Torch gives up, until a person starts it."""

HEALTHY_SECONDS = 300.0
"""A member's restarts are forgotten when it has run for this many seconds."""


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
    history = store.restarts.of(team.path, member.name)
    how = "a signal" if pane.dead_status is None else f"status {pane.dead_status}"
    pending = next((one for one in history if one.at is None), None)
    if pending is not None and pending.due == GIVEN_UP:
        return []
    done = [one.at for one in history if one.at is not None and now - one.at < WITHIN]
    if len(done) >= MOST:
        why = f"it ended with {how}, after {len(done)} restarts in {WITHIN / 60:.0f} min"
        store.restarts.add(Restart(team.path, member.name, now, GIVEN_UP))
        return [Fallen(member.name, TeamAct.GIVE_UP, why, pane.socket_path)]
    if pending is None:
        wait = min(LONGEST, FIRST * 2 ** len(done)) * random.uniform(1 - JITTER, 1 + JITTER)
        pending = Restart(team.path, member.name, now, now + wait)
        store.restarts.add(pending)
    what = TeamAct.RESTART if now >= pending.due else TeamAct.WAIT
    why = f"it ended with {how}; restart {len(done) + 1} of {MOST}"
    return [Fallen(member.name, what, why, pane.socket_path)]
