"""Agents of which a person wants to hear nothing for a time."""

import time
from typing import NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.roster.authority import check_over
from torch_cli.roster.registry import registered
from torch_cli.store import Store
from torch_cli.store.agents import Agent

LONGEST_MUTE_SECONDS = 7 * 86_400.0
"""Seconds that an agent can be muted for: a week. Events that are older need not be read."""


class Muted(NamedTuple):
    """An agent that is muted until a moment in seconds since the epoch; 0 if it is not any more."""

    agent: Agent
    until: float


def mute(store: Store, name: str, seconds: float) -> Muted:
    """Send no notices about the agent ``name`` for so many seconds, 0 to send them again.

    Raises ``NotFoundError`` if there is no such agent, ``RefusedError`` for more than
    ``LONGEST_MUTE_SECONDS``, or if the agent that runs this process has no right over it.
    """
    agent = registered(store, name, "nothing was changed")
    check_over(store, agent, "mute")
    if not 0 <= seconds <= LONGEST_MUTE_SECONDS:
        raise RefusedError(
            f"'{name}' can be muted for 7 d at most; nothing was changed",
            hint="'torch stop' ends an agent that nobody needs.",
            code="bad-duration",
        )
    until = time.time() + seconds if seconds else 0.0
    store.events.add("mute", agent.name, {"until": round(until, 3)}, agent=agent.identity)
    return Muted(agent, until)


def muted_until(store: Store, now: float) -> dict[str, float]:
    """Return the identities of the agents that are muted at ``now``, each with until when."""
    found = {}
    for event in store.events.read(verbs=["mute"], since=now - LONGEST_MUTE_SECONDS):
        until = event.detail.get("until")
        found[event.agent] = float(until) if isinstance(until, int | float) else 0.0
    return {identity: until for identity, until in found.items() if until > now}


def muted(store: Store) -> list[Muted]:
    """Return the agents that are muted now, by name."""
    until = muted_until(store, time.time())
    return [Muted(one, until[one.identity]) for one in store.agents.all() if one.identity in until]
