"""Whether an agent is hibernated: its program has ended because Torch asked it to.

The record comes before the end. So an agent sleeps if it has the record and its program has ended,
and whoever was killed between the two has left an agent that is awake, or asleep.
"""

from torch_cli import procs
from torch_cli.errors import NotFoundError
from torch_cli.store.agents import Agent
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.socket import Socket


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
