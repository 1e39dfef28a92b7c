"""How an agent came to the state that it is in: what is seen now, and what led to it."""

from typing import NamedTuple

from torch_cli.attention.stream import Entry, Wanted, read
from torch_cli.errors import NotFoundError
from torch_cli.programs.beside import Beside, beside_of
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.hooks import HookReport
from torch_cli.tmux.socket import Socket
from torch_cli.watch.state import StateOf, states_of


class Why(NamedTuple):
    """The present state of an agent, and the entries that led to it, in order.

    ``now`` is ``None`` if the agent was stopped. ``report`` is the newest report of its
    program's hooks, ``None`` if it made none. ``beside`` is what these say that it has going on
    beside its turn. ``more`` says that there are earlier entries.
    """

    name: str
    now: StateOf | None
    report: HookReport | None
    entries: list[Entry]
    more: bool
    beside: tuple[Beside, ...] = ()


def why(store: Store, socket: Socket, name: str, limit: int) -> Why:
    """Look at the agent ``name``, and return the last ``limit`` entries about it.

    Raises ``NotFoundError`` if nothing is known of it.
    """
    agent = store.agents.get(name)
    if agent is None or agent.stopped is not None:
        part = read(store, Wanted(name), limit=limit)
        return Why(name, None, None, part.entries, part.more)
    if socket.demanded and not socket.leads_to(agent.socket):
        raise NotFoundError(f"no agent named '{name}' on that tmux server", code="no-agent")
    here = states_of(store, Socket(path=agent.socket, demanded=True), ())
    now = next((one for one in here if one.target == name), None)
    report = store.hooks.latest(agent.server, agent.pane, since=agent.created)
    beside: tuple[Beside, ...] = ()
    if now is not None and now.error is None:
        beside = beside_of(store, profile_named(agent.profile), agent)
    part = read(store, Wanted(name), limit=limit)
    return Why(name, now, report, part.entries, part.more, beside)
