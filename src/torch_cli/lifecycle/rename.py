"""Renaming an agent. What Torch knows about it moves along."""

from typing import NamedTuple

from torch_cli.errors import RefusedError, TorchError
from torch_cli.lifecycle.kept import check_rename
from torch_cli.roster.authority import check_over
from torch_cli.roster.membership import check_parent, is_listed
from torch_cli.roster.registry import check_name, registered
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import rename_window


class Renamed(NamedTuple):
    """An agent and its earlier name. ``window`` is the present name of its tmux window."""

    agent: Agent
    before: str
    window: str


def rename(store: Store, name: str, new: str) -> Renamed:
    """Rename the agent ``name`` to ``new``. Its program notices nothing.

    Its messages, its children and its registration follow in one step. The event log, which is
    never changed, says when. Its window is renamed if Torch made it and it had the agent's name.
    Raises ``NotFoundError`` if there is no such agent, ``RefusedError`` if the agent that runs this
    process has no right over it, or if the new name is invalid, is taken or kept for a member of a
    team, or is the name of an agent above it.
    """
    check_name(new)
    if name == new:
        raise RefusedError(f"'{name}' already has that name; nothing was changed", code="same-name")
    agent = registered(store, name, "nothing was changed")
    check_over(store, agent, "rename")
    member = store.teams.member_of(agent.identity)
    check_rename(store, agent, new)
    check_parent(store, new, agent.parent)
    agent = store.agents.rename(agent, new)
    if member is not None and not is_listed(member):
        store.teams.add(member._replace(name=new))
    window = _rename_window(store, agent, name)
    store.events.add("rename", new, {"before": name, "window": window})
    return Renamed(agent._replace(window=window), name, window)


def _rename_window(store: Store, agent: Agent, old: str) -> str:
    """Give Torch's own window the agent's name; return the name that it has now."""
    try:
        panes = list_panes(Socket(path=agent.socket))
    except TorchError:
        return agent.window  # the agent is renamed nevertheless
    pane = next((p for p in panes if _is_in(agent, p)), None)
    if pane is None or pane.window != old or not store.windows.created(pane.server, pane.window_id):
        return pane.window if pane else agent.window
    if any(p.session == pane.session and p.window == agent.name for p in panes):
        return pane.window
    if not rename_window(Socket(path=agent.socket), pane.window_id, agent.name):
        return pane.window
    store.agents.in_window(agent.name, agent.name)
    return agent.name


def _is_in(agent: Agent, pane: Pane) -> bool:
    return (pane.server, pane.id, pane.pid) == (agent.server, agent.pane, agent.pane_pid)
