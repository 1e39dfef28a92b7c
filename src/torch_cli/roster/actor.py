"""Who does something: an agent in its own pane, or a person."""

from typing import NamedTuple

from torch_cli.delivery.send import own_name
from torch_cli.store import Store
from torch_cli.store.agents import Agent


class Actor(NamedTuple):
    """Who does something: an agent, or a person if ``agent`` is ``None``.

    ``title`` names what is neither.
    """

    agent: Agent | None
    title: str = ""

    @property
    def name(self) -> str:
        """The agent's name, '' for a person."""
        return self.agent.name if self.agent else self.title


TORCH = Actor(None, "torch")
"""Torch itself: what the scheduler does unasked."""


def actor(store: Store) -> Actor:
    """Return who runs this process: the agent in whose pane it is, else a person."""
    name = own_name(store)
    agent = store.agents.get(name) if name else None
    return Actor(agent if agent is not None and agent.stopped is None else None)
