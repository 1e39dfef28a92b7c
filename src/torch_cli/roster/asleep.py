"""Whether an agent is hibernated: its program has ended because Torch asked it to.

That it is asked is recorded first, and that it is hibernated by the one who saw its end. Whoever
was killed between the two has left an agent that is awake, or whose program has ended as any other.
"""

import time

from torch_cli import procs
from torch_cli.errors import NotFoundError
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.panes import Pane, list_panes, pane_at
from torch_cli.tmux.remains import say_when_dead
from torch_cli.tmux.socket import Socket

FALLS_ASLEEP_SECONDS = 60.0
"""Who hibernates an agent has seen its end so many seconds after asking, or was killed."""


def sleeps(agent: Agent) -> bool:
    """Return whether ``agent`` is hibernated, and a message wakes it.

    It is not if a person has closed its pane meanwhile. Raises ``TorchError`` if it is asleep, and
    tmux does not answer.
    """
    return is_without_program(agent) and not is_closed(agent)


def is_without_program(agent: Agent) -> bool:
    """Return whether ``agent`` is hibernated and its program has ended; tmux is not asked."""
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


def is_closed(agent: Agent) -> bool:
    """Return whether the pane of ``agent`` is gone although its tmux server runs."""
    same = [pane for pane in _panes(agent) if pane.server == agent.server]
    return bool(same) and all(pane.id != agent.pane for pane in same)


def pane_of_sleeper(agent: Agent) -> Pane | None:
    """Return the pane that was kept for ``agent``, ``None`` if it is gone.

    A program that was started in it and has ended at once has left it with another process.
    """
    here = (pane for pane in _panes(agent) if pane.server == agent.server)
    return next((pane for pane in here if pane.id == agent.pane), None)


def _panes(agent: Agent) -> list[Pane]:
    try:
        return list_panes(Socket(path=agent.socket))
    except NotFoundError as missing:
        if missing.code != "no-server":
            raise
        return []
