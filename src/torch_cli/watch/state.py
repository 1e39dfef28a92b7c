"""The state of panes, now."""

from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.agents.observe import Sight, observe
from torch_cli.agents.profile import Profile
from torch_cli.agents.registry import Found, find, profile_named, recognise
from torch_cli.agents.state import AgentState, State
from torch_cli.errors import NotFoundError
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.socket import Socket

_GONE = ("vanished", "no-target", "no-session", "no-server")
"""The codes of errors that mean: the pane is no more, as opposed to: it cannot be looked at."""


class StateOf(NamedTuple):
    """The state of one target; ``since`` is in seconds since the epoch."""

    target: str
    pane: str
    state: AgentState
    since: float


def profile_of(client: ControlClient, store: Store, found: Found) -> Profile:
    """Return the profile of the program in a pane, registered or recognised."""
    if found.agent is not None:
        return profile_named(found.agent.profile)
    return recognise(store, found.pane, client)


def states_of(store: Store, socket: Socket, targets: Sequence[str]) -> list[StateOf]:
    """Return the state of each target, of every agent if none is named.

    Raises ``NotFoundError`` for a target that leads nowhere; without targets, an agent whose pane
    has vanished is ``dead``.
    """
    if targets:
        return [_state_of(store, find(store, socket, name)) for name in targets]
    return [_state_of_agent(store, agent) for agent in store.agents.all()]


def _state_of_agent(store: Store, agent: Agent) -> StateOf:
    try:
        return _state_of(store, find(store, Socket(path=agent.socket), agent.name))
    except NotFoundError as missing:
        if missing.code not in _GONE:
            raise
    state = AgentState(State.DEAD, f"pane {agent.pane} is gone", "gone")
    place = (agent.server, agent.pane, agent.pane_pid)
    since = store.observations.record(*place, str(state.state), state.evidence)
    return StateOf(agent.name, agent.pane, state, since)


def _state_of(store: Store, found: Found) -> StateOf:
    pane = found.pane
    with ControlClient(found.socket, pane.session_id) as client:
        profile = profile_of(client, store, found)
        sight = observe(client, store, pane, profile, since=found.started, program=found.program)
    return remember(store, found, sight)


def remember(store: Store, found: Found, sight: Sight) -> StateOf:
    """Note what was seen, and return it with the time since when it is so."""
    pane, state = found.pane, sight.state
    begun = store.observations.record(
        *(pane.server, pane.id, pane.pid, str(state.state), state.evidence),
        reported=sight.reported,
    )
    return StateOf(found.name, pane.id, state, begun)
