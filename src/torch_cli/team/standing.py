"""What runs of what a team has started, also where its start was cut short."""

from torch_cli import procs
from torch_cli.agents.registry import find
from torch_cli.errors import NotFoundError
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import Started
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import close_window


def agent_of(store: Store, known: Started) -> Agent | None:
    """Return the agent that the team has started, ``None`` if it is no more.

    If its start was cut short, it is the one of its name that was registered since.
    """
    if known.agent:
        agent = store.agents.known_as(known.agent)
    else:
        agent = store.agents.get(known.name)
        agent = agent if agent is not None and agent.created >= known.started else None
    return agent if agent is not None and agent.stopped is None else None


def pane_of(store: Store, known: Started) -> Pane | None:
    """Return the pane of a process that the team has started, ``None`` if it has ended."""
    place = (known.socket, known.server, known.pane, known.pane_pid)
    if not known.pane:
        found = store.windows.opened_since(known.name, known.started)
        if found is None:
            return None
        place = found
    return living_pane(*place)


def close_ended(store: Store, known: Started) -> None:
    """Close the pane that was kept for the last screen of a process that has ended."""
    pane = _pane(known.socket, known.server, known.pane, known.pane_pid) if known.pane else None
    if pane is not None and pane.dead and store.windows.opened(pane):
        close_window(Socket(path=pane.socket_path), pane)


def living_pane(socket_path: str, server: str, pane: str, pane_pid: int) -> Pane | None:
    """Return that pane of that server if its process is still there and lives."""
    found = _pane(socket_path, server, pane, pane_pid)
    return None if found is None or found.dead else found


def _pane(socket_path: str, server: str, pane: str, pane_pid: int) -> Pane | None:
    try:
        panes = list_panes(Socket(path=socket_path))
    except NotFoundError:
        return None
    place = (server, pane, pane_pid)
    return next((one for one in panes if (one.server, one.id, one.pid) == place), None)


def lives(store: Store, agent: Agent) -> bool:
    """Say whether the program of ``agent`` is there; raises ``TorchError`` if nobody can tell."""
    try:
        found = find(store, Socket(path=agent.socket), agent.name)
    except NotFoundError as missing:
        if missing.code not in ("vanished", "no-server"):
            raise
        return False
    return not found.pane.dead and procs.alive(
        procs.Process(agent.program_pid, agent.program_started)
    )
