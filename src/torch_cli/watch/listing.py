"""The list of agents with the state of each, one sweep for each tmux server."""

from typing import NamedTuple

from torch_cli.agents.classify import classify
from torch_cli.agents.registry import profile_named
from torch_cli.agents.state import AgentState, HookEvent
from torch_cli.errors import NotFoundError
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import Message
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, capture, list_panes
from torch_cli.tmux.socket import Socket


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
    states: dict[str, AgentState] = {}
    for path in {agent.socket for agent in agents}:
        states |= _sweep(store, Socket(path=path), [a for a in agents if a.socket == path])
    return [_line(store, agent, states.get(agent.name)) for agent in agents]


def _sweep(store: Store, socket: Socket, agents: list[Agent]) -> dict[str, AgentState]:
    """Return the state of each of ``agents`` whose pane still exists."""
    try:
        panes = {(p.server, p.id, p.pid): p for p in list_panes(socket)}
    except NotFoundError:
        return {}
    here: list[tuple[Agent, Pane]] = []
    for agent in agents:
        pane = panes.get((agent.server, agent.pane, agent.pane_pid))
        if pane is not None:
            here.append((agent, pane))
    if not here:
        return {}
    with ControlClient(socket, here[0][1].session_id) as client:
        screens = capture(client, [pane for _, pane in here])
    states: dict[str, AgentState] = {}
    for (agent, pane), screen in zip(here, screens, strict=True):
        if screen is None:
            continue
        report = store.hooks.latest(pane.socket_path, pane.id, since=agent.created)
        event = HookEvent(report.name, report.at) if report else None
        states[agent.name] = classify(screen, profile_named(agent.profile), event)
    return states


def _line(store: Store, agent: Agent, state: AgentState | None) -> Line:
    message = next(iter(store.messages.latest(recipient=agent.name)), None)
    if state is None:
        return Line(agent, "vanished", f"pane {agent.pane} is gone", None, message)
    since = store.observations.record(
        agent.server, agent.pane, agent.pane_pid, str(state.state), state.evidence
    )
    return Line(agent, str(state.state), state.evidence, since, message)
