"""How the sessions of agents are arranged: taken from tmux, and kept for when tmux is gone.

Kept are windows in their order, with names and layouts, and panes with their directories. Of an
agent its identity is kept, of a process of a team its name. Every other pane counts as a shell:
nothing of its program is kept. Of the variables that were set for a session the names are kept, and
no values.
"""

import contextlib
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from torch_cli import procs
from torch_cli.errors import HeldError, NotFoundError, TorchError
from torch_cli.lifecycle.alone import alone
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import Started
from torch_cli.tmux.arrange import WindowLook, looks_at, variables_of
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.watch.kept import KeptPane, KeptSession, KeptWindow, read, written

REBUILD_SECONDS = 10.0
"""Seconds that whoever rebuilds sessions waits for a look at them to end."""

Place = tuple[str, str, int]
"""Where something runs: the tmux server, the pane, and the process that was started in it."""

_DELETED = " (deleted)"


# -- what is there ---------------------------------------------------------------------------------


def arranged(
    panes: Sequence[Pane],
    looks: Mapping[str, WindowLook],
    agents: Mapping[Place, str],
    processes: Mapping[Place, Started],
    directory_of: Callable[[Pane], str],
) -> list[KeptSession]:
    """Return the sessions that hold agents, as ``panes`` (in tmux's order) are arranged.

    ``agents`` are the identities of agents, and ``processes`` those of teams, by their places.
    """
    homes: dict[str, str] = {}
    for pane in panes:
        homes.setdefault(pane.window_id, pane.session)
    holding = {one.session for one in panes if (one.server, one.id, one.pid) in agents}
    sessions = []
    for name, of_session in itertools.groupby(panes, lambda one: one.session):
        if name not in holding:
            continue
        windows, server = [], ""
        for window_id, group in itertools.groupby(of_session, lambda one: one.window_id):
            there = list(group)
            server, home = there[0].server, homes[window_id]
            look = looks.get(window_id, WindowLook("", automatic=False))
            if home != name and home in holding:
                windows.append(KeptWindow(there[0].window, linked=home))
                continue
            kept = tuple(_kept(one, agents, processes, directory_of(one)) for one in there)
            front = next((place for place, one in enumerate(there) if one.active), 0)
            windows.append(
                KeptWindow(
                    *(there[0].window, look.layout, look.automatic, there[0].window_active),
                    front=front,
                    panes=kept,
                )
            )
        alone = len({one.window_id for one in panes}) == 1
        sessions.append(KeptSession(name, server, tuple(windows), alone=alone))
    return sessions


def _kept(
    pane: Pane, agents: Mapping[Place, str], processes: Mapping[Place, Started], directory: str
) -> KeptPane:
    place = (pane.server, pane.id, pane.pid)
    process = processes.get(place) if not pane.dead else None
    if process is not None:
        return KeptPane(directory, team=process.team, process=process.name)
    return KeptPane(directory, agents.get(place, ""))


def merged(
    now: Iterable[KeptSession], before: Iterable[KeptSession], waiting: Collection[tuple[str, str]]
) -> list[KeptSession]:
    """Return the sessions of ``now``, and those of ``before`` whose agents may still come back.

    ``waiting`` are server and identity of the agents whose tmux server is gone.
    """
    kept = list(now)
    names = {one.name for one in kept}
    for one in before:
        still = any((one.server, agent) in waiting for agent in one.agents)
        if still and one.name not in names:
            kept.append(one)
    return kept


def directory_of(pane: Pane) -> str:
    """Return the directory of the process that tmux started in ``pane``, '' if it is not known.

    That of a shell is where it goes on, whatever program it has started runs.
    """
    found = procs.directory(pane.pid) or ""
    if not found:  # it is another user's, for example after sudo
        found = procs.directory(procs.foreground(pane.pid) or 0) or ""
    return found if os.path.isdir(found) else found.removesuffix(_DELETED)


# -- what is kept ----------------------------------------------------------------------------------


def keep(store: Store) -> None:
    """Look at each tmux server that has agents, and keep how they are arranged if that differs.

    A server that does not answer keeps what it has. While sessions are rebuilt nothing is looked
    at: half a session is not worth keeping.
    """
    agents = store.agents.all()
    with contextlib.suppress(HeldError), alone("arrange", "all", "rebuilds sessions", ""):
        for path in sorted({one.socket for one in agents} | set(store.arrangements.sockets())):
            with contextlib.suppress(TorchError):
                _keep_at(store, path, [one for one in agents if one.socket == path])


def _keep_at(store: Store, path: str, agents: Sequence[Agent]) -> None:
    before = store.arrangements.get(path)
    panes, looks = _at(Socket(path=path)) if agents else ([], {})
    servers = {pane.server for pane in panes}
    places = {(one.server, one.pane, one.pane_pid): one.identity for one in agents}
    waiting = {(one.server, one.identity) for one in agents if one.server not in servers}
    ids = {pane.session: pane.session_id for pane in panes}
    started = {(one.server, one.pane, one.pane_pid): one for one in store.teams.processes()}
    now = arranged(panes, looks, places, started, directory_of)
    names = variables_of(Socket(path=path), [ids[one.name] for one in now]) if now else {}
    now = [one._replace(variables=_kept_names(names.get(ids[one.name], ()))) for one in now]
    known = read(before)
    kept = merged(now, known, waiting)
    if kept != known:
        store.arrangements.put(path, written(kept))


def _kept_names(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(one for one in names if not one.startswith(("TORCH_", "TMUX")))


def _at(socket: Socket) -> tuple[list[Pane], dict[str, WindowLook]]:
    try:
        return list_panes(socket), looks_at(socket)
    except NotFoundError as missing:
        if missing.code != "no-server":
            raise  # without tmux nobody knows
        return [], {}


def forget(store: Store, socket: str, session: str) -> None:
    """Keep a session no longer: it was rebuilt, and is looked at again."""
    left = [one for one in read(store.arrangements.get(socket)) if one.name != session]
    store.arrangements.put(socket, written(left))
