"""The list of agents with the state of each, one sweep for each tmux server."""

import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from torch_cli.errors import NotFoundError, TorchError
from torch_cli.programs.state import ENDED, AgentState, State, Trouble
from torch_cli.programs.unclear import advice
from torch_cli.roster.conversation import follow
from torch_cli.roster.safety import Safety, safety_for
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import Message
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.socket import Socket
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
    """Say that there are no agents, or that the server does not run which the caller named."""
    if socket.demanded:
        try:
            list_panes(socket)
        except TorchError as error:
            return f"no agents: {error.message}"
    return "no agents; 'torch spawn NAME' starts one"


def list_agents(
    store: Store, agents: Sequence[Agent], lookout: "Lookout | None" = None
) -> list[Line]:
    """Return ``agents`` with their present states, looked at over ``lookout`` if one is open."""
    seen = lookout.look(agents) if lookout is not None else look_at(store, agents)
    briefed = store.briefings.newest()
    return [
        _line(store, agent, seen.get(agent.name))._replace(
            briefed=briefed.get(agent.identity), safety=safety_for(agent)
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
            panes = list_panes(socket)
            if not {pane.server for pane in panes} & {agent.server for agent in agents}:
                return {}
            client = ControlClient(socket, panes[0].session_id, hears=False)
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


def _line(store: Store, agent: Agent, seen: Seen | TorchError | None) -> Line:
    agent = follow(store, agent)
    message = next(iter(store.messages.latest(recipient=agent.name, agent=agent.identity)), None)
    if seen is None:
        return Line(agent, State.DEAD, f"pane {agent.pane} is gone", None, message)
    if isinstance(seen, TorchError):
        state = state_unknown(seen)
        return Line(agent, state.state, state.evidence, None, message, seen)
    place = (agent.server, agent.pane, agent.pane_pid)
    state = as_known(store, agent.identity, seen.state)
    since = note_state(store, place, state, seen.reported, seen.wrote)
    return Line(
        *(agent, state.shown, state.evidence, since, message),
        trouble=state.trouble,
        advice=advice(state, agent.name),
    )


def note_state(
    store: Store, place: tuple[str, str, int], state: AgentState, reported: float, wrote: int
) -> float:
    """Record the state of the pane at ``place``; return since when (epoch seconds) it has it."""
    return store.observations.record(
        *(*place, str(state.shown), state.evidence),
        reported=reported,
        wrote=wrote if state.state not in ENDED else 0,
    )
