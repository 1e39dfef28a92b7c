"""The list of agents with the state of each, one sweep for each tmux server."""

import contextlib
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from torch_cli.errors import NotFoundError, TorchError
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import ENDED, AgentState, State, Trouble
from torch_cli.programs.unclear import advice
from torch_cli.roster.conversation import follow
from torch_cli.roster.registry import profile_named
from torch_cli.roster.safety import Safety, safety_for
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import Message
from torch_cli.store.observations import Observation
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.running import server_at
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import all_gone
from torch_cli.watch.known import as_known
from torch_cli.watch.sweep import Seen, Sweep, state_unknown

if TYPE_CHECKING:
    from torch_cli.store.briefings import Briefed


class Line(NamedTuple):
    """One agent in the list.

    ``state`` is ``DEAD`` if its pane is gone. ``since`` is in seconds since the epoch. With an
    ``error`` the state is ``UNKNOWN``, and the evidence says why. ``briefed`` is its last briefing.
    ``safety`` is what protects messages to it, ``None`` if it takes no messages. ``trouble`` is the
    error of its last turn, or why it works no further. ``advice`` is what to do about an unknown
    state, '' for every other.
    """

    agent: Agent
    state: State
    evidence: str
    since: float | None
    message: Message | None
    error: TorchError | None = None
    briefed: "Briefed | None" = None
    safety: Safety | None = None
    trouble: Trouble | None = None
    advice: str = ""

    @property
    def shown(self) -> str:
        """Its state for a table, with the word ``frozen`` if it is."""
        return self.state if self.agent.frozen is None else f"{self.state} frozen"


def agents_on(store: Store, socket: Socket) -> list[Agent]:
    """Return the registered agents: all, or those of the server that the caller named."""
    agents = store.agents.all()
    return [agent for agent in agents if not socket.demanded or socket.leads_to(agent.socket)]


def nobody(socket: Socket) -> str:
    """Say that there are no agents.

    Raises ``NotFoundError`` if the caller named a server and it does not run, ``TorchError`` if
    tmux does not answer.
    """
    if socket.demanded:
        try:
            list_panes(socket)
        except TorchError as error:
            error.message = f"no agents: {error.message}"
            raise
    return "no agents; 'torch spawn NAME' starts one"


def list_agents(
    store: Store, agents: Sequence[Agent], lookout: "Lookout | None" = None
) -> list[Line]:
    """Return ``agents`` with their present states, looked at over ``lookout`` if one is open."""
    seen = lookout.look(agents) if lookout is not None else look_at(store, agents)
    sighted = {
        agent.name: sighting(store, agent, one.state, one.reported, one.wrote)
        for agent in agents
        if isinstance(one := seen.get(agent.name), Seen)
    }
    lost = all_gone(store, [one for one in agents if one.name not in seen])
    sighted |= {
        agent.name: sighting(store, agent, gone)
        for agent in agents
        if isinstance(gone := lost.get(agent.name), AgentState)
    }
    since = note_states(store, sighted)
    profiles, briefed = Profiles(), store.briefings.newest()
    return [
        _line(
            *(store, profiles, agent, sighted.get(agent.name)),
            seen.get(agent.name) or lost.get(agent.name),
        )._replace(
            since=since.get(agent.name),
            briefed=briefed.get(agent.identity),
            safety=safety_for(agent, profiles.get(agent.profile)),
        )
        for agent in agents
    ]


def look_at(store: Store, agents: Sequence[Agent]) -> dict[str, Seen | TorchError]:
    """Return what ``Lookout.look`` returns, of one look."""
    with Lookout(store) as lookout:
        return lookout.look(agents)


class Lookout:
    """Looks at agents, over one connection to each tmux server that stays open until ``close``.

    ``seen`` is what the last look has returned.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.sweeps: dict[str, Sweep] = {}
        self.seen: dict[str, Seen | TorchError] = {}

    def __enter__(self) -> "Lookout":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave all servers."""
        for path in list(self.sweeps):
            self._leave(path)

    def look(self, agents: Sequence[Agent]) -> dict[str, Seen | TorchError]:
        """Return what is seen of each of ``agents``, by name. Agents without a pane are left out.

        An agent that Torch cannot look at has its error instead. The others are still there.
        """
        seen: dict[str, Seen | TorchError] = {}
        for path in sorted({agent.socket for agent in agents}):
            here = [agent for agent in agents if agent.socket == path]
            try:
                found = self._look(path, here)
                seen |= {name: one.error or one for name, one in found.items()}
            except TorchError as error:
                self._leave(path)
                seen |= dict.fromkeys((agent.name for agent in here), error)
        self.seen = seen
        return seen

    def _look(self, path: str, agents: list[Agent]) -> dict[str, Seen]:
        """Return what is seen of each of ``agents`` whose pane still exists."""
        if path in self.sweeps:
            with contextlib.suppress(NotFoundError):
                return self.sweeps[path].look(agents)
            self._leave(path)  # the session that the connection was attached to may have ended
        socket = Socket(path=path)
        try:
            server, session = server_at(socket)
            if not session or server not in {agent.server for agent in agents}:
                return {}
            client = ControlClient(socket, session, hears=False)
            self.sweeps[path] = Sweep(client, self._store)
            return self.sweeps[path].look(agents)
        except NotFoundError as missing:
            self._leave(path)
            if missing.code != "no-server":
                raise  # without tmux nobody knows whether the panes are gone
            return {}

    def _leave(self, path: str) -> None:
        if path in self.sweeps:
            self.sweeps.pop(path).client.close()


class Profiles:
    """The profiles of one list, each looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, Profile | None] = {}

    def get(self, name: str) -> Profile | None:
        """Return the profile, ``None`` if it cannot be read."""
        if name not in self._known:
            self._known[name] = None
            with contextlib.suppress(TorchError):
                self._known[name] = profile_named(name)
        return self._known[name]


def _line(
    store: Store,
    profiles: Profiles,
    agent: Agent,
    sighted: "Sighting | None",
    other: Seen | AgentState | TorchError | None,
) -> Line:
    agent = follow(store, agent, profiles.get(agent.profile))
    message = next(iter(store.messages.latest(recipient=agent.name, agent=agent.identity)), None)
    if isinstance(other, TorchError):
        state = state_unknown(other)
        return Line(agent, state.state, state.evidence, None, message, other)
    assert sighted is not None
    state = sighted.state
    return Line(
        *(agent, state.shown, state.evidence, None, message),
        trouble=state.trouble,
        advice=advice(state, agent.name),
    )


class Sighting(NamedTuple):
    """A state that is seen now in the pane at ``place``: its server, its id, its process.

    ``reported`` and ``wrote`` are as in ``Seen``.
    """

    place: tuple[str, str, int]
    state: AgentState
    reported: float = 0.0
    wrote: int = 0

    @property
    def observation(self) -> Observation:
        """What the store remembers of it."""
        state, wrote = self.state, self.wrote if self.state.state not in ENDED else 0
        return Observation(
            *self.place, str(state.shown), state.evidence, self.reported, float(wrote)
        )


def sighting(
    store: Store, agent: Agent, state: AgentState, reported: float = 0.0, wrote: int = 0
) -> Sighting:
    """Return what was seen of an agent, with what the history knows of it."""
    place = (agent.server, agent.pane, agent.pane_pid)
    return Sighting(place, as_known(store, agent.identity, state), reported, wrote)


def note_states(store: Store, sighted: Mapping[str, Sighting]) -> dict[str, float]:
    """Record states; return since when (epoch seconds) each has been so, by the same names."""
    begun = store.observations.record_all([one.observation for one in sighted.values()])
    return dict(zip(sighted, begun, strict=True))
