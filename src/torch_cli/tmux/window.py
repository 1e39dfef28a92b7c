"""Opening a window in a directory: checked before, opened without a race, proven after.

The steps that tmux takes are in ``opening``. What is allowed is in ``place``.
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType

from torch_cli import procs
from torch_cli.errors import NotFoundError, RefusedError, TorchError
from torch_cli.intervals import INTERVALS
from torch_cli.tmux import quote
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.opening import (
    EndedError,
    Order,
    WindowPlace,
    finish,
    name_taken,
    new_session,
    new_window,
    remove,
    vanished,
)
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.place import (
    check_command,
    check_directory,
    check_environment,
    check_session_name,
    check_window_name,
    default_session,
)
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.version import kept_name

__all__ = ["EndedError", "OpenedWindow", "check_directory", "close_window", "find_window"]
__all__ += ["open_window", "rename_window", "reopen_window"]

DIRECTORY_LAG_SECONDS = 0.5
"""Seconds that a process may take to reach its directory after it was started; a loaded machine
needs milliseconds."""


@dataclass(frozen=True, slots=True)
class OpenedWindow:
    """A window that was opened or, if ``reused``, found.

    ``directory`` is the working directory of the pane's process, '' if it cannot be read.
    ``rooted`` says that this process and the program in the foreground are in the directory that
    was asked for. If not, ``notes`` say why. ``created_session`` says that the session is new too.
    """

    pane: Pane
    directory: str
    rooted: bool
    created_session: bool = False
    reused: bool = False
    notes: tuple[str, ...] = ()


def open_window(
    socket: Socket,
    *,
    name: str,
    directory: str,
    session: str | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
    command: Sequence[str] = (),
    size: tuple[int, int] | None = None,
    reuse: bool = False,
    keep_dead: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> OpenedWindow:
    """Open a window named ``name`` in ``directory``, and prove that its process is there.

    ``session`` is a name or an id. A session of that name is created if there is none, with
    ``size`` (columns, rows) if given. ``environment`` reaches only the window's program.
    ``command`` runs without a shell in between; without a command tmux starts its default, a shell.
    ``keep_dead`` keeps the pane with its last screen when the program ends. ``reuse`` returns an
    existing window of that name.

    The window never takes the focus. Raises ``RefusedError`` if the name is taken or something else
    is wrong, and ``EndedError`` if the command ended at once. Nothing is left behind then.
    """
    wanted = check_directory(directory)
    check_window_name(name)
    check_environment(environment)
    check_command(command)
    panes = _panes(socket)
    if panes:
        _refuse_deadly_size(socket)
    if session is None:
        session = default_session(panes, wanted, environ)
    known = next((p for p in panes if session in (p.session, p.session_id)), None)
    if known is None:
        check_session_name(session)
    taken = find_window(panes, known.session if known else session, name)
    if taken is not None:
        if not reuse:
            raise name_taken(taken)
        return _reused(taken, wanted, given=bool(environment or command))
    order = Order(name, wanted, environment, tuple(command), keep_dead)
    place = WindowPlace(known.session_id) if known else new_session(socket, session, wanted, size)
    return _open(socket, order, place)


def reopen_window(
    socket: Socket,
    pane: Pane,
    name: str,
    directory: str,
    environment: Mapping[str, str],
    command: Sequence[str],
) -> OpenedWindow:
    """Start ``command`` in the dead ``pane``, in ``directory``, and prove that it is there.

    The pane keeps its place, and is kept when the program ends. Raises as ``open_window`` does; the
    pane is dead then, as it was.
    """
    wanted = check_directory(directory)
    check_environment(environment)
    check_command(command)
    order = Order(name, wanted, environment, tuple(command), keep_dead=True, again=True)
    try:
        with ControlClient(socket, pane.session_id) as client:
            return _proven(client, order, finish(client, order, pane.id))
    except EndedError as error:
        error.hint = "Its pane was kept."
        raise


def find_window(panes: Sequence[Pane], session: str, name: str) -> Pane | None:
    """Return the active pane of the window that has exactly this name in exactly this session."""
    for pane in panes:
        same = pane.session == session and pane.window == kept_name(name, pane.version)
        if same and pane.active:
            return pane
    return None


def close_window(socket: Socket, pane: Pane) -> bool:
    """End ``pane``, and its window too if it has no other pane.

    tmux itself checks in the same step that it is still the same server, pane and process. Returns
    whether the pane was ended; ``False`` means that it was gone already.
    """
    facts = f"{pane.server_pid}/{pane.server_started}/{pane.id}/{pane.pid}"
    same = "#{==:#{pid}/#{start_time}/#{pane_id}/#{pane_pid},%s}" % facts
    act = f"kill-pane -t {pane.id} ; display-message -p closed"
    step = quote.line("if-shell", "-F", "-t", pane.id, same, act)
    return run(socket, "-N", "source-file", "-", stdin=step).out.strip() == "closed"


def rename_window(socket: Socket, window_id: str, name: str) -> bool:
    """Name a window; return whether that was done: ``False`` means that it is gone."""
    from torch_cli.tmux.server import LIBTMUX_ERRORS, Server

    with Server(socket) as server, suppress(*LIBTMUX_ERRORS):
        window = server.window(window_id)
        if window is not None:
            window.rename_window(name)
            return True
    return False


def _open(socket: Socket, order: Order, place: WindowPlace) -> OpenedWindow:
    pane_id = ""
    try:
        pane_id = new_window(socket, order, place)
        with ControlClient(socket, place.session_id) as client:
            pane = finish(client, order, pane_id)
            opened = _proven(client, order, pane)
    except BaseException as error:
        with suppress(TorchError):
            remove(socket, pane_id, place)
        if isinstance(error, NotFoundError) and error.code in ("no-server", "no-session"):
            raise vanished(order) from error
        raise
    return replace(opened, created_session=place.created)


def _proven(client: ControlClient, order: Order, pane: Pane) -> OpenedWindow:
    """Check the directories of the pane's processes. A new process gets time to reach its own."""
    deadline = time.monotonic() + DIRECTORY_LAG_SECONDS
    while True:
        opened = _opened_window(pane, order.directory)
        if opened.rooted or time.monotonic() >= deadline:
            break
        client.read_once(INTERVALS.quiet / 10)
    notes = list(opened.notes)
    if not opened.rooted and not order.command:
        default = _default_command(client.socket, pane.session_id)
        cause = f"tmux's default-command ({default!r})" if default else "a start-up file"
        notes.append(f"{cause} seems to have changed the directory")
    if pane.window != order.name:
        notes.append(f"tmux keeps the window's name as {pane.window!r}")
    return replace(opened, notes=tuple(notes))


def _default_command(socket: Socket, session_id: str) -> str:
    """Return what tmux starts in the session's windows, '' if that is a shell."""
    from torch_cli.tmux.server import Server

    with Server(socket) as server:
        session = server.session(session_id)
        # Not show_option: libtmux makes a number of "12".
        asked = ("show-options", "-A", "-v", "default-command")
        return "\n".join(session.cmd(*asked).stdout) if session is not None else ""


def _opened_window(pane: Pane, wanted: str) -> OpenedWindow:
    """Compare the directories of a running pane with the directory that it should be in."""
    notes = []
    own = procs.directory(pane.pid)
    front_pid = procs.foreground(pane.pid)
    front = procs.directory(front_pid) if front_pid and front_pid != pane.pid else own
    if pane.dead:
        notes.append(f"the program in {pane.id} has ended")
    elif own is None:
        notes.append(f"the directory of process {pane.pid} cannot be seen")
    elif own != wanted:
        notes.append(f"process {pane.pid} is in {own!r}, not in {wanted!r}")
    if front is not None and front not in (own, wanted):
        notes.append(f"the program in the foreground ({front_pid}) is in {front!r}")
    rooted = own == wanted and front in (None, wanted)
    return OpenedWindow(pane, own or "", rooted, notes=tuple(notes))


def _reused(pane: Pane, wanted: str, *, given: bool) -> OpenedWindow:
    opened = _opened_window(pane, wanted)
    said = (
        ("the window already existed: command and environment were not applied",) if given else ()
    )
    return replace(opened, reused=True, notes=opened.notes + said)


def _refuse_deadly_size(socket: Socket) -> None:
    """Refuse to open a window if that would end the server: 4 of 4 times on 3.3a (2026-11-23).

    3.4, 3.5a and 3.6b ended too, once each. 3.2a and 3.7c continued (2026-11-25).
    """
    if run(socket, "-N", "show-options", "-gwv", "window-size").out.strip() == "manual":
        raise RefusedError(
            f"the tmux server {socket} has the global option 'window-size manual', with which a "
            "new window can end the whole server; no window was opened",
            hint="Run 'tmux set -g window-size latest'; single windows may stay manual.",
            code="window-size",
        )


def _panes(socket: Socket) -> list[Pane]:
    try:
        return list_panes(socket)
    except NotFoundError as missing:
        if missing.code != "no-server":
            raise
        return []
