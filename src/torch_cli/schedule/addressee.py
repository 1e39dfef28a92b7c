"""Who gets the note of a check-in: its agent, else the fallback, else the parent, or nobody.

An agent is known by its identity, so another agent that has its name now gets nothing. The same is
true of the fallback and the parent.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.pane_id import PaneId
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.checkin import Address, AgentRef, Checkin
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import Rest, rest_of


class Addressee(NamedTuple):
    """Who gets a note: an agent, or a program in a pane that was never registered.

    ``profile`` is the agent's, '' if it is none. If the note goes to another one than planned,
    ``instead`` says for whom it was, and why.
    """

    address: Address
    profile: str = ""
    instead: str = ""


class Panes:
    """The panes of tmux servers. Each server is asked once. ``on_error`` gets those that fail."""

    def __init__(self, on_error: Callable[[TorchError], None] = lambda error: None) -> None:
        self._panes: dict[str, list[Pane] | TorchError] = {}
        self._on_error = on_error

    def has(self, pane: PaneId) -> bool:
        """Return whether that pane of its server exists with that process.

        Raises ``TorchError`` if tmux does not answer, because then nobody knows.
        """
        path = pane.server.rsplit("|", 2)[0]
        if path not in self._panes:
            self._panes[path] = self._ask(path)
        found = self._panes[path]
        if isinstance(found, TorchError):
            raise found
        return any(one.at == pane for one in found)

    def _ask(self, path: str) -> list[Pane] | TorchError:
        try:
            return list_panes(Socket(path=path))
        except TorchError as error:
            if error.code == "no-server":
                return []
            self._on_error(error)
            return error


def addressee_of(store: Store, checkin: Checkin, panes: Panes) -> Addressee | None:
    """Return who gets the note now: the target, else the fallback, else the agent's parent.

    ``None`` if none of them is there. Raises ``TorchError`` if that cannot be known.
    """
    to, parent = checkin.to, checkin.parent
    own = store.agents.known_as(to.agent) if to.agent else None
    if own is not None and _is_there(store, own, panes):
        return _of(own)
    if not to.agent and panes.has(to.at):
        agent = store.agents.in_pane(*to.at)
        return _of(agent) if agent else Addressee(to)
    if own is not None and own.parent != parent.name:  # it has another parent now
        parent = AgentRef(own.parent)
    for ref in (checkin.fallback, parent):
        known = store.agents.known_as(ref.identity) if ref.identity else None
        other = known if ref.identity else store.agents.get(ref.name)
        if other is not None and _is_there(store, other, panes):
            return _of(other)._replace(instead=f"it is for {to.name}, {gone(own)}")
    return None


def _is_there(store: Store, agent: Agent, panes: Panes) -> bool:
    if agent.stopped is not None:
        return False
    if procs.alive(procs.Process(agent.program_pid, agent.program_started)):
        return panes.has(agent.at)
    return rest_of(store, agent) is Rest.ASLEEP  # its message wakes it


def gone(agent: Agent | None) -> str:
    """Say how an agent has gone. ``agent`` is ``None`` if another agent has its name."""
    if agent is None or agent.stopped is not None:
        return "which was stopped"
    return f"whose program in pane {agent.pane} is gone"


def _of(agent: Agent) -> Addressee:
    return Addressee(Address(agent.name, agent.identity, agent.at), agent.profile)
