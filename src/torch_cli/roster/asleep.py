"""Whether an agent was hibernated: its program has ended because Torch asked it to.

That it is asked is recorded first, and that it is hibernated by the one who saw its end. Whoever
was killed between the two has left an agent that is awake, or whose program has ended as any other.
"""

import time

from torch_cli import procs
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.panes import pane_at
from torch_cli.tmux.remains import say_when_dead
from torch_cli.tmux.socket import Socket

FALLS_ASLEEP_SECONDS = 60.0
"""Who hibernates an agent has seen its end so many seconds after asking, or was killed."""


def is_without_program(agent: Agent) -> bool:
    """Return whether ``agent`` was hibernated and its program has ended.

    tmux is not asked: whether a message wakes it is ``torch_cli.watch.asleep.rest_of``.
    """
    if agent.hibernated is None or agent.stopped is not None:
        return False
    return not procs.alive(procs.Process(agent.program_pid, agent.program_started))


def is_falling_asleep(agent: Agent) -> bool:
    """Return whether somebody is ending the program of ``agent`` now to hibernate it."""
    asked = agent.hibernating
    return asked is not None and 0 <= time.time() - asked < FALLS_ASLEEP_SECONDS


def is_stale(agent: Agent) -> bool:
    """Return whether somebody was killed who was to hibernate ``agent``."""
    return agent.hibernating is not None and not is_falling_asleep(agent)


def stay_awake(store: Store, agent: Agent) -> None:
    """Record that the program of ``agent`` is not being ended to hibernate it, if it is so."""
    if store.agents.not_hibernating(agent):
        pane = pane_at(agent.socket, agent.server, agent.pane, agent.pane_pid)
        if pane is not None:
            say_when_dead(Socket(path=agent.socket), pane, "")
