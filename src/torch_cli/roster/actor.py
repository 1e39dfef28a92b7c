"""Who does something: an agent in its own pane, or a person."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from torch_cli import procs
from torch_cli.store import Store
from torch_cli.store.agents import Agent


class Actor(NamedTuple):
    """Who does something: an agent, or a person if ``agent`` is ``None``.

    ``title`` names Torch itself, which is neither.
    """

    agent: Agent | None
    title: str = ""

    @property
    def name(self) -> str:
        """The agent's name, '' for a person."""
        return self.agent.name if self.agent else self.title


TORCH = Actor(None, "torch")
"""Torch itself, for what the scheduler does without being asked."""


def actor(store: Store) -> Actor:
    """Return who runs this process: the agent whose pane it is in, else a person."""
    name = own_name(store)
    agent = store.agents.get(name) if name else None
    return Actor(agent if agent is not None and agent.stopped is None else None)


def own_name(store: Store, environ: Mapping[str, str] = os.environ, pid: int | None = None) -> str:
    """Return the name of the agent that this process works for, '' if none.

    If the processes above it lead to a pane, it is the agent in that pane. The environment does not
    count then, because it can be inherited, and anybody can set it. Otherwise the environment
    decides, unless the process has a terminal that is not the pane's, such as the terminal of an
    editor that was started from there. ``pid`` is the process (default: this one), 0 for none.
    """
    own = os.getpid() if pid is None else pid
    above = procs.ancestors(own)
    for agent in store.agents.among(above) if above else ():
        if _lives(agent):
            return agent.name
    if above and store.agents.has_server(above):
        return ""  # in a pane without an agent, or run by tmux itself
    # TORCH_AGENT keeps the name that the agent was spawned with.
    socket, pane = environ.get("TMUX", "").rsplit(",", 2)[0], environ.get("TMUX_PANE", "")
    for agent in store.agents.on_terminal(socket, pane) if socket and pane else ():
        if _lives(agent):
            here, there = procs.terminal(own), procs.terminal(agent.pane_pid)
            return "" if here and there and here != there else agent.name
    return environ.get("TORCH_AGENT", "")


def _lives(agent: Agent) -> bool:
    return procs.alive(procs.Process(agent.program_pid, agent.program_started))
