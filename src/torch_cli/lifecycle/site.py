"""The session in which windows are rebuilt: made by Torch in one step, or not at all.

It begins with a window that holds its place. What a killed Torch has left of that is found by its
name and by the record of windows, and closed by the next one.
"""

import select
import time

from torch_cli import procs
from torch_cli.errors import HeldError, NotFoundError
from torch_cli.lifecycle.leftover import LEFTOVER_SECONDS
from torch_cli.store import Store
from torch_cli.tmux.arrange import replace_window
from torch_cli.tmux.opening import HOLDER_NAME, PLACEHOLDER_SECONDS, is_placeholder, new_session
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import close_window


def session_lives(name: str) -> HeldError:
    """Return the error for a session that is not rebuilt, because one of its name lives."""
    return HeldError(
        f"a session '{name}' lives; nothing else was opened in it", code="session-lives"
    )


class Site:
    """The session ``name``, which is made when it is first asked for."""

    def __init__(self, store: Store, socket: Socket, name: str) -> None:
        self._store, self._socket, self._name = store, socket, name
        self._holder: Pane | None = None
        self._taken = False

    def session(self, directory: str) -> str:
        """Return the id of the session; make it, in ``directory``, if that was not done.

        Raises ``HeldError`` if somebody else has begun one of its name, or ended this one, and
        ``TorchError`` if tmux does not make it.
        """
        if self._holder is None:
            self._holder = self._made(directory)
        elif not self._lives(self._holder):
            raise session_lives(self._name)
        return self._holder.session_id

    def give_place(self, pane: str) -> None:
        """Put the window of ``pane``, the first that was made, where the holder of its place is."""
        if self._holder is not None and not self._taken:
            replace_window(self._socket, self._holder, pane)
            self._taken = True

    def close(self) -> None:
        """Close the window that holds the place, if no other has taken it."""
        if self._holder is not None and not self._taken:
            close_window(self._socket, self._holder)
            self._taken = True

    def _made(self, directory: str) -> Pane:
        place = new_session(self._socket, self._name, directory, None)
        if not place.created:
            raise session_lives(self._name)
        # A hook of the user's may have opened other windows in it, or closed this one.
        panes = (one for one in list_panes(self._socket) if one.session_id == place.session_id)
        holder = next((one for one in panes if one.id == place.holder), None)
        if holder is None:
            raise session_lives(self._name)
        try:
            self._store.windows.add(
                holder, name=holder.window, directory=directory, created_session=True
            )
        except BaseException:
            close_window(self._socket, holder)
            raise
        return holder

    def _lives(self, holder: Pane) -> bool:
        place = (holder.server, holder.session_id)
        return any((one.server, one.session_id) == place for one in _panes(self._socket))


def close_unfinished(store: Store, socket: Socket) -> list[str]:
    """Close what an interrupted rebuilding has left in windows without a name of their own.

    Returns a note for each. Only what holds a place, and shells that Torch has begun lately and in
    which nothing runs: a person may have found the window, and work in it. Whoever calls holds the
    right to rebuild.
    """
    notes = []
    for pane in _unfinished(store, socket):
        close_window(socket, pane)
        notes.append(f"{pane.place}: a shell of an interrupted 'torch resurrect' was closed")
    return notes


def _unfinished(store: Store, socket: Socket) -> list[Pane]:
    """Return the panes that are left. Waits for the place holders of starts that are under way."""
    deadline = time.monotonic() + PLACEHOLDER_SECONDS
    while True:
        unnamed = [one for one in _panes(socket) if HOLDER_NAME.fullmatch(one.window)]
        unnamed = [one for one in unnamed if not store.agents.ever_in(one.at)]
        shells = [one for one in unnamed if _is_recorded(store, one) and is_idle(one)]
        # Who was killed before the window was recorded leaves one of these.
        holders = [one for one in unnamed if one not in shells and is_placeholder(one)]
        if not holders or time.monotonic() >= deadline:
            return shells + holders
        select.select([], [], [], 0.1)


def _panes(socket: Socket) -> list[Pane]:
    try:
        return list_panes(socket)
    except NotFoundError:
        return []


def _is_recorded(store: Store, pane: Pane) -> bool:
    return store.windows.created(pane.server, pane.window_id)


def is_idle(pane: Pane) -> bool:
    """Return whether the shell in ``pane`` was begun lately, and nothing runs in it."""
    process = procs.identify(pane.pid)
    begun = procs.begun(process) if process is not None else None
    if pane.dead or begun is None or time.time() - begun >= LEFTOVER_SECONDS:
        return False
    return procs.foreground(pane.pid) in (None, pane.pid) and not procs.descendants(pane.pid)
