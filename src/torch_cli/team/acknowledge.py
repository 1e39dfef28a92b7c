"""An agent's word that it has read its briefing."""

from typing import NamedTuple

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.store import Store
from torch_cli.store.briefings import Briefed
from torch_cli.team.actor import actor


class Acknowledged(NamedTuple):
    """The agent, by name, and the briefing that it acknowledges."""

    agent: str
    briefed: Briefed


def acknowledge(store: Store, words: str) -> Acknowledged:
    """Acknowledge the last briefing of the agent in whose pane this process runs.

    Raises ``RefusedError`` if it runs in none, ``NotFoundError`` if that agent was not briefed.
    """
    agent = actor(store).agent
    if agent is None:
        raise RefusedError(
            "only an agent can acknowledge its briefing, in its own pane; nothing was noted",
            code="no-agent",
        )
    briefed = store.briefings.acknowledge(agent.identity, words)
    if briefed is None:
        raise NotFoundError(f"agent '{agent.name}' was given no briefing", code="no-briefing")
    store.events.add("acknowledge", agent.name, {"message": briefed.message}, actor=agent.name)
    return Acknowledged(agent.name, briefed)
