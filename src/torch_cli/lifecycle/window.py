"""Opening a window and recording it as Torch's own, both or neither."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from torch_cli.errors import NotFoundError, TorchError
from torch_cli.lifecycle.processes import end_tree
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import OpenedWindow, close_window, open_window, rename_window


def create_window(
    store: Store,
    socket: Socket,
    *,
    name: str,
    directory: str | None,
    session: str | None = None,
    environment: Mapping[str, str],
    command: Sequence[str] = (),
    reuse: bool = False,
    keep_dead: bool = False,
) -> OpenedWindow:
    """Open a window and record it. A window that cannot be recorded is closed again.

    Without a ``directory`` a new window is in the current one, and a reused window stays in its
    own. Raises as ``open_window`` does.
    """
    opened = open_window(
        socket,
        name=name,
        directory="." if directory is None else directory,
        session=session,
        environment=environment,
        command=command,
        reuse=reuse,
        keep_dead=keep_dead,
    )
    if opened.reused:
        given = bool(environment or command)
        return opened if directory is not None else _as_found(opened, given=given)
    with closed_on_failure(opened.pane):
        store.windows.add(
            opened.pane,
            name=name,
            directory=opened.directory,
            created_session=opened.created_session,
        )
    return opened


@contextmanager
def closed_on_failure(pane: Pane, *, keep: bool = False) -> Iterator[None]:
    """Close the window of ``pane`` if the block fails; with ``keep`` only end its process.

    A pane that was there before is not Torch's to close. Without a record nobody would know later
    that the window is Torch's. The block can fail because the disk is full, another process was
    faster, or a person interrupts.
    """
    try:
        yield
    except BaseException:
        with suppress(TorchError):
            if keep:
                end_tree(pane)
            else:
                close_window(Socket(path=pane.socket_path), pane)
        raise


def _as_found(opened: OpenedWindow, *, given: bool) -> OpenedWindow:
    """Return a reused window as rooted in its process's directory, if that can be read.

    Of the notes keep only the last one if options were ``given``: it says that they were not
    applied. The others are about the directory.
    """
    if opened.pane.dead or not opened.directory:
        return opened
    return replace(opened, rooted=True, notes=opened.notes[-1:] if given else ())


@contextmanager
def in_place_of(store: Store, gone: Agent | None) -> Iterator[None]:
    """Set the dead pane of ``gone`` aside while a window is opened in its place; then close it.

    Closed before, it could be the last of a session that somebody looks at. Only what Torch opened,
    and kept for its last screen, is touched. If somebody uses that pane again, its window only
    gets another name.
    """
    pane = _pane_left(store, gone) if gone is not None else None
    used = pane is not None and gone is not None and pane.pid != gone.pane_pid
    if pane is None or not (used or pane.dead):
        yield
        return
    socket = Socket(path=pane.socket_path)
    rename_window(socket, pane.window_id, f"{pane.window}-{'used' if used else 'ended'}")
    try:
        yield
    except BaseException:
        rename_window(socket, pane.window_id, pane.window)
        raise
    if not used:
        close_window(socket, pane)


def _pane_left(store: Store, gone: Agent) -> Pane | None:
    """Return the pane of the agent that Torch opened, if it is still in the window of its name."""
    try:
        panes = list_panes(Socket(path=gone.socket))
    except NotFoundError as missing:
        if missing.code != "no-server":
            raise
        return None
    for pane in panes:
        if (pane.server, pane.id, pane.window) == (gone.server, gone.pane, gone.name):
            return pane if store.windows.opened(pane) else None
    return None
