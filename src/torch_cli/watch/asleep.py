"""Whether an agent is hibernated still, and its state then.

A pane that was kept for an agent, and is gone while its tmux server runs, was closed by a person:
whoever sees that first records it. If the server is gone as well, somebody may have closed the
last of its windows. Then nothing wakes the agent but a person.
"""

import enum
import time
from collections.abc import Iterable

from torch_cli.errors import NotFoundError, TorchError
from torch_cli.programs.state import ENDED, AgentState, State
from torch_cli.roster.asleep import is_without_program
from torch_cli.roster.registry import runs
from torch_cli.store import Store, StoreError
from torch_cli.store.agents import Agent
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.running import server_at
from torch_cli.tmux.socket import Socket
from torch_cli.watch.end import Cause, end_without_pane, record_end_of_pane, recorded
from torch_cli.watch.kept import read, was_alone


class Rest(enum.StrEnum):
    """Whether an agent is hibernated."""

    NONE = "none"
    ASLEEP = "asleep"
    """A message wakes it."""
    PERHAPS_CLOSED = "perhaps-closed"
    """Somebody may have closed its window, by which its tmux server ended: a person wakes it."""


class ServerPanes:
    """The panes of tmux servers at one moment. Each socket is asked once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, list[Pane]] | TorchError] = {}

    def at(self, path: str) -> tuple[str, list[Pane]]:
        """Return which server answers at the socket (``Pane.server``), '' if none, and its panes.

        Raises ``TorchError`` if tmux does not answer.
        """
        if path not in self._known:
            try:
                self._known[path] = _ask(path)
            except TorchError as error:
                self._known[path] = error
        known = self._known[path]
        if isinstance(known, TorchError):
            raise known
        return known


def _ask(path: str) -> tuple[str, list[Pane]]:
    socket = Socket(path=path)
    try:
        panes = list_panes(socket)
        return (panes[0].server if panes else server_at(socket)[0]), panes
    except NotFoundError as missing:
        if missing.code != "no-server":
            raise
        return "", []


def rest_of(store: Store, agent: Agent, panes: ServerPanes | None = None) -> Rest:
    """Return whether ``agent`` is hibernated; record it if its pane is gone.

    ``panes`` are those of this look, if it has more agents. Raises ``TorchError`` if its program
    has ended, and tmux does not answer.
    """
    if not is_without_program(agent):
        return Rest.NONE
    end = recorded(store, agent)
    if end is None or end.cause is not Cause.SERVER_GONE:
        server, there = (panes or ServerPanes()).at(agent.socket)
        if server == agent.server and any(pane.id == agent.pane for pane in there):
            return Rest.ASLEEP
        lives = server == agent.server
        end = end_without_pane(agent, lives=lives)
        if not lives and not end.not_closed:
            kept = read(store.arrangements.get(agent.socket))
            end = end._replace(not_closed=not was_alone(kept, agent.server, agent.identity))
        if not record_end_of_pane(store, agent, end) or lives:
            return Rest.NONE
    return Rest.ASLEEP if end.not_closed else Rest.PERHAPS_CLOSED


def lives(store: Store, agent: Agent) -> bool:
    """Return whether ``agent`` is there: its program runs, or it is hibernated.

    Raises ``TorchError`` if nobody can tell.
    """
    return runs(agent) or rest_of(store, agent) is not Rest.NONE


def why_asleep(agent: Agent, rest: Rest) -> str:
    """Say what wakes ``agent``, and why nothing else does."""
    if rest is Rest.PERHAPS_CLOSED:
        return (
            "its window was the last of its tmux server, as far as is known, so somebody may have "
            f"closed it; only 'torch wake {agent.name}' starts it again"
        )
    return f"a message or 'torch wake {agent.name}' starts it again"


def hibernated(agent: Agent, rest: Rest = Rest.ASLEEP) -> AgentState:
    """Return the state of ``agent``, which is hibernated."""
    at = time.strftime("%m-%d %H:%M", time.localtime(agent.hibernated))
    words = f"its program was ended at {at}; {why_asleep(agent, rest)}"
    return AgentState(State.HIBERNATED, words, "hibernated")


def unless_asleep(agent: Agent, state: AgentState) -> AgentState:
    """Return ``state``, seen in the pane of ``agent``, or ``hibernated`` if that has it so."""
    asleep = state.state in ENDED and is_without_program(agent)
    return hibernated(agent) if asleep else state


def gone(
    store: Store, agent: Agent, ended: State = State.DEAD, panes: ServerPanes | None = None
) -> AgentState:
    """Return the state of ``agent``, whose pane is gone: ``ended``, unless it is hibernated.

    ``panes`` are as for ``rest_of``. Raises ``TorchError`` if tmux does not answer.
    """
    rest = rest_of(store, agent, panes)
    if rest is not Rest.NONE:
        return hibernated(agent, rest)
    return AgentState(ended, f"pane {agent.pane} is gone", "gone")


def all_gone(
    store: Store, agents: Iterable[Agent], ended: State = State.DEAD
) -> dict[str, AgentState | TorchError]:
    """Return ``gone`` for each of ``agents``, by name, or the error if tmux does not answer."""
    panes, found = ServerPanes(), dict[str, AgentState | TorchError]()
    for agent in agents:
        try:
            found[agent.name] = gone(store, agent, ended, panes)
        except StoreError:
            raise
        except TorchError as error:
            found[agent.name] = error
    return found
