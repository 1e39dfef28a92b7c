"""The state of panes, now."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch_cli.errors import TorchError
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AgentState, State
from torch_cli.roster.conversation import follow
from torch_cli.roster.registry import Found, VanishedError, find, profile_named, recognise
from torch_cli.roster.safety import Safety, safety_for
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import all_gone, unless_asleep
from torch_cli.watch.known import as_known
from torch_cli.watch.listing import (
    Lookout,
    Profiles,
    Sighting,
    agents_on,
    look_at,
    note_states,
    sighting,
)
from torch_cli.watch.reported import with_report
from torch_cli.watch.sweep import Seen, state_unknown

if TYPE_CHECKING:
    from torch_cli.watch.sources import StateSource


class StateOf(NamedTuple):
    """The state of one target. ``since`` is in seconds since the epoch.

    With an ``error`` the state is ``unknown``, and ``since`` is ``None``. ``server`` is the path of
    the tmux server's socket, '' if the target was not found. ``safety`` is what protects messages
    to its program, ``None`` if the program takes no messages or is not known. ``sources`` are there
    only if they were asked for. ``conversation`` is the id of the one that its program has, '' if
    that is not known. ``frozen`` is since when the agent is frozen, ``None`` if it is not.
    """

    target: str
    pane: str
    state: AgentState
    since: float | None
    server: str = ""
    error: TorchError | None = None
    safety: Safety | None = None
    sources: "tuple[StateSource, ...]" = ()
    conversation: str = ""
    frozen: float | None = None


def profile_of(client: ControlClient, store: Store, found: Found) -> Profile:
    """Return the profile of the program in a pane, registered or recognised."""
    if found.agent is not None:
        return profile_named(found.agent.profile)
    return recognise(store, found.pane, client)


def states_of(
    store: Store,
    socket: Socket,
    targets: Sequence[str],
    *,
    sources: bool = False,
    lookout: Lookout | None = None,
) -> list[StateOf]:
    """Return the state of each target, or of every agent if none is named.

    A target that is not found, or that Torch cannot look at, has an ``error``. The others are still
    there. Without targets, an agent whose pane is gone is ``dead``. ``sources`` asks for what each
    source says; each agent is then looked at by itself. All agents are looked at over ``lookout``
    if one is open.
    """
    if targets:
        return [_state_of_target(store, socket, name, sources) for name in targets]
    agents = agents_on(store, socket)
    if sources:
        return [_state_of_target(store, socket, agent.name, True) for agent in agents]
    seen = lookout.look(agents) if lookout is not None else look_at(store, agents)
    return _states_of_agents(store, agents, seen)


def _state_of_target(store: Store, socket: Socket, target: str, sources: bool) -> StateOf:
    try:
        return _state_of(store, find(store, socket, target), sources)
    except TorchError as error:
        gone = state_of_gone(store, error)
        return gone or StateOf(target, "", state_unknown(error), None, error=error)


def state_of_gone(store: Store, error: TorchError, ended: State = State.DEAD) -> StateOf | None:
    """Return the state of an agent of which ``error`` says that its pane is gone, else ``None``.

    Its record is not read again: by now it may name another pane, of which nobody has said that.
    """
    if not isinstance(error, VanishedError):
        return None
    return _states_of_agents(store, [error.agent], {}, ended)[0]


def _states_of_agents(
    store: Store,
    agents: Sequence[Agent],
    seen: Mapping[str, Seen | TorchError],
    ended: State = State.DEAD,
) -> list[StateOf]:
    """Return the states of agents, of which a look has ``seen`` those whose panes are there."""
    lost = all_gone(store, [one for one in agents if one.name not in seen], ended)
    errors = {name: one for name, one in {**seen, **lost}.items() if isinstance(one, TorchError)}
    sighted = {
        agent.name: _sighting(store, agent, seen.get(agent.name), lost.get(agent.name))
        for agent in agents
        if agent.name not in errors
    }
    since, profiles = note_states(store, sighted), Profiles()
    states = list[StateOf]()
    for agent in agents:
        error = errors.get(agent.name)
        if error is not None:
            unknown = state_unknown(error)
            state = StateOf(agent.name, agent.pane, unknown, None, agent.socket, error)
        else:
            profile = profiles.get(agent.profile)
            state = StateOf(
                *(agent.name, agent.pane, sighted[agent.name].state, since[agent.name]),
                server=agent.socket,
                safety=safety_for(agent, profile),
                conversation=follow(store, agent, profile).conversation,
            )
        states.append(state._replace(frozen=agent.frozen))
    return states


def _sighting(
    store: Store,
    agent: Agent,
    seen: Seen | TorchError | None,
    lost: AgentState | TorchError | None,
) -> Sighting:
    if isinstance(seen, Seen):
        return sighting(store, agent, seen.state, seen.reported, seen.wrote)
    assert isinstance(lost, AgentState)
    return sighting(store, agent, lost)


def _state_of(store: Store, found: Found, sources: bool = False) -> StateOf:
    pane = found.pane
    with ControlClient(found.socket, pane.session_id) as client:
        profile = profile_of(client, store, found)
        sight = observe(client, store, pane, profile, since=found.started, program=found.program)
    sight = sight._replace(state=with_report(store, pane, sight.state, sight.screen.said))
    if found.agent is not None:
        as_seen = as_known(store, found.agent.identity, sight.state)
        sight = sight._replace(state=unless_asleep(found.agent, as_seen))
    one = remember(store, found, sight)._replace(safety=safety_for(found.agent, profile))
    if found.agent is not None:
        known = follow(store, found.agent, profile)
        one = one._replace(conversation=known.conversation, frozen=found.agent.frozen)
    if not sources:
        return one
    from torch_cli.watch.sources import sources_of

    return one._replace(sources=sources_of(store, found, profile, sight))


def remember(store: Store, found: Found, sight: Sight) -> StateOf:
    """Record what was seen, and return it with the time since when it is so."""
    pane, state = found.pane, sight.state
    place = (pane.server, pane.id, pane.pid)
    seen = Sighting(place, state, sight.reported, sight.screen.wrote)
    begun = store.observations.record_all([seen.observation])[0]
    return StateOf(found.name, pane.id, state, begun, pane.socket_path)
