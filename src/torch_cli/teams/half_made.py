"""What a killed ``up`` leaves behind: a window that nobody has recorded."""

import os
import select
import time

from torch_cli import procs
from torch_cli.errors import NotFoundError
from torch_cli.lifecycle.processes import end_tree
from torch_cli.store.teams import Started
from torch_cli.tmux.opening import HOLDER_NAME, PLACEHOLDER_SECONDS, is_placeholder
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import close_window, find_window

START_VARIABLE = "TORCH_UP"
"""The variable that shows which ``up`` has started a program."""


def new_mark() -> str:
    """Return a unique mark."""
    return os.urandom(8).hex()


def clear(socket: Socket, session: str, known: Started) -> None:
    """End the window of an interrupted start, if there is proof that it belongs to that start.

    The proof is the mark in its program's environment, or the placeholder that Torch puts into a
    new window. Any other window stays, and its name stays taken.
    """
    mark = known.spec.get("mark")
    deadline = time.monotonic() + PLACEHOLDER_SECONDS
    while mark:
        pane = _window(socket, session, known.name)
        if pane is None:
            return
        if _is_marked(pane, str(mark)) or _is_left_behind(pane, deadline):
            end_tree(pane)
            close_window(socket, pane)
            return
        if not is_placeholder(pane):
            return
        select.select([], [], [], 0.1)


def sweep(socket: Socket, session: str) -> None:
    """End the placeholder of a new session's first window if no window has replaced it.

    It would keep the session forever.
    """
    deadline = time.monotonic() + PLACEHOLDER_SECONDS
    while held := [pane for pane in _panes(socket) if _holds(pane, session)]:
        if time.monotonic() >= deadline:
            for pane in held:
                close_window(socket, pane)
            return
        select.select([], [], [], 0.1)


def _holds(pane: Pane, session: str) -> bool:
    named = pane.session == session and HOLDER_NAME.fullmatch(pane.window)
    return bool(named) and is_placeholder(pane)


def _panes(socket: Socket) -> list[Pane]:
    try:
        return list_panes(socket)
    except NotFoundError:
        return []


def _window(socket: Socket, session: str, name: str) -> Pane | None:
    return find_window(_panes(socket), session, name)


def _is_marked(pane: Pane, mark: str) -> bool:
    return (procs.environment(pane.pid) or {}).get(START_VARIABLE) == mark


def _is_left_behind(pane: Pane, deadline: float) -> bool:
    """Return whether a placeholder stays longer than one that is about to be replaced."""
    return is_placeholder(pane) and time.monotonic() >= deadline
