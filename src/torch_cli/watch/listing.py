"""The list of agents with the state of each, one sweep for each tmux server."""

from typing import NamedTuple

from torch_cli.errors import NotFoundError
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import Message
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.watch.sweep import Seen, Sweep


class Line(NamedTuple):
    """One agent in the list.

    ``state`` is ``vanished`` if its pane is gone; ``since`` is in seconds since the epoch.
    """

    agent: Agent
    state: str
    evidence: str
    since: float | None
    message: Message | None


def list_agents(store: Store) -> list[Line]:
    """Return every registered agent, looked at now."""
    agents = store.agents.all()
    seen: dict[str, Seen] = {}
    for path in {agent.socket for agent in agents}:
        seen |= _look(store, Socket(path=path), [a for a in agents if a.socket == path])
    return [_line(store, agent, seen.get(agent.name)) for agent in agents]


def _look(store: Store, socket: Socket, agents: list[Agent]) -> dict[str, Seen]:
    """Return what is seen of each of ``agents`` whose pane still exists."""
    try:
        panes = list_panes(socket)
    except NotFoundError:
        return {}
    if not {pane.server for pane in panes} & {agent.server for agent in agents}:
        return {}
    with ControlClient(socket, panes[0].session_id) as client:
        return Sweep(client, store).look(agents)


def _line(store: Store, agent: Agent, seen: Seen | None) -> Line:
    message = next(iter(store.messages.latest(recipient=agent.name)), None)
    if seen is None:
        return Line(agent, "vanished", f"pane {agent.pane} is gone", None, message)
    state = seen.state
    since = store.observations.record(
        *(agent.server, agent.pane, agent.pane_pid, str(state.state), state.evidence),
        reported=seen.reported,
    )
    return Line(agent, str(state.state), state.evidence, since, message)
