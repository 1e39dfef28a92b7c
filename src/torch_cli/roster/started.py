"""What a team has started and still runs, also after a start that was interrupted."""

from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import Started
from torch_cli.tmux.panes import Pane, pane_at


def agent_of(store: Store, known: Started) -> Agent | None:
    """Return the agent that the team has started, ``None`` if it no longer exists.

    If its start was interrupted, it is the agent of that name that was registered since.
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


def living_pane(socket_path: str, server: str, pane: str, pane_pid: int) -> Pane | None:
    """Return that pane of that server if its process is still alive."""
    found = pane_at(socket_path, server, pane, pane_pid)
    return None if found is None or found.dead else found
