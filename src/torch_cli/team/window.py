"""Opening a window that Torch remembers as its own, or none."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from torch_cli.errors import TorchError
from torch_cli.store import Store
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import OpenedWindow, close_window, open_window


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
    """Open a window and write it down; one that cannot be written down is closed again.

    Without a ``directory`` it stands in the current one, and a window that is reused where it was
    found: nothing was asked of it. Raises as ``open_window`` does.
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
def closed_on_failure(pane: Pane) -> Iterator[None]:
    """Close the window of ``pane`` if what is done in here fails.

    Nobody could tell later that it is Torch's: the disk is full, another was faster, or a person
    interrupts.
    """
    try:
        yield
    except BaseException:
        with suppress(TorchError):
            close_window(Socket(path=pane.socket_path), pane)
        raise


def _as_found(opened: OpenedWindow, *, given: bool) -> OpenedWindow:
    """Return a reused window as rooted where its process stands, if that can be seen.

    Only the last note, that what was ``given`` besides was not applied, is not about the place.
    """
    if opened.pane.dead or not opened.directory:
        return opened
    return replace(opened, rooted=True, notes=opened.notes[-1:] if given else ())
