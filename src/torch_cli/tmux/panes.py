"""The panes of a server as values, and the exact resolution of a target to one of them.

A target is resolved once, without tmux's prefix matching, to a pane id and the process in it;
only those are used afterwards.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.tmux.control import ControlClient, Reply, TmuxError, no_server
from torch_cli.tmux.process import run
from torch_cli.tmux.screen import Screen
from torch_cli.tmux.socket import Socket

OLDEST = (3, 2)
"""The oldest tmux that has what Torch needs: ``-f ignore-size``, ``new-session -e``, ``-N``."""

# Only fields that cannot hold a tab or a newline; the command of a process can, so anything
# unusual in it is replaced. Directories can hold newlines and are asked for one by one.
_FORMAT = "\t".join(
    [
        "#{version}",
        "#{socket_path}",
        "#{pid}",
        "#{start_time}",
        "#{session_id}",
        "#{window_id}",
        "#{pane_id}",
        "#{pane_pid}",
        "#{window_index}",
        "#{pane_index}",
        "#{?pane_active,1,0}",
        "#{?window_active,1,0}",
        "#{?pane_dead,1,0}",
        "#{pane_dead_status}",
        "#{pane_width}",
        "#{pane_height}",
        "#{s/[^ -~]/_/:pane_current_command}",
        "#{session_name}",
        # tmux 3.3a takes a newline into a window's name as it is.
        "#{s/[\x01-\x1f\x7f]/_/:window_name}",
    ]
)


class Pane(NamedTuple):
    """One pane as tmux described it at one moment.

    ``id`` (``%7``), ``window_id`` (``@4``) and ``session_id`` (``$2``) are tmux's. ``pid`` is the
    process that tmux started in the pane. ``server_pid`` and ``server_started`` (epoch seconds)
    tell servers apart: ids begin anew with each.
    """

    socket_path: str
    server_pid: int
    server_started: int
    session_id: str
    window_id: str
    id: str
    pid: int
    window_index: int
    pane_index: int
    active: bool
    window_active: bool
    dead: bool
    dead_status: int | None
    width: int
    height: int
    command: str
    session: str
    window: str

    @property
    def server(self) -> str:
        """What tells this server from every other that ever used a socket."""
        return f"{self.socket_path}|{self.server_pid}|{self.server_started}"

    @property
    def place(self) -> str:
        """Where it is, for people: ``session:window``."""
        return f"{self.session}:{self.window}"


def list_panes(socket: Socket, client: ControlClient | None = None) -> list[Pane]:
    """Return every pane of the server, over ``client`` if one is open.

    A window that is linked into several sessions is listed once for each. Raises
    ``NotFoundError`` if there is no server, ``RefusedError`` if tmux is too old.
    """
    if client is not None:
        lines: Sequence[str] = client.call("list-panes", "-a", "-F", _FORMAT).lines
    else:
        done = run(socket, "-N", "list-panes", "-a", "-F", _FORMAT)
        if done.status != 0:
            raise no_server(socket, done.error)
        # Not splitlines(): a name may hold U+2028 or U+0085.
        lines = done.out.removesuffix("\n").split("\n")
    return [_read(line) for line in lines]


def _read(line: str) -> Pane:
    fields = line.split("\t", 18)
    check_version(fields[0])
    return Pane(
        socket_path=fields[1],
        server_pid=int(fields[2]),
        server_started=int(fields[3]),
        session_id=fields[4],
        window_id=fields[5],
        id=fields[6],
        pid=int(fields[7]),
        window_index=int(fields[8]),
        pane_index=int(fields[9]),
        active=fields[10] == "1",
        window_active=fields[11] == "1",
        dead=fields[12] == "1",
        dead_status=int(fields[13]) if fields[13] else None,
        width=int(fields[14]),
        height=int(fields[15]),
        command=fields[16],
        session=fields[17],
        window=fields[18],
    )


def check_version(version: str) -> None:
    """Raise ``RefusedError`` if ``version`` (as ``tmux -V`` says it) is older than ``OLDEST``."""
    found = re.search(r"(\d+)\.(\d+)", version)
    if found and "openbsd" not in version and (int(found[1]), int(found[2])) < OLDEST:
        raise RefusedError(
            f"tmux {version} is too old: Torch needs {OLDEST[0]}.{OLDEST[1]} or later",
            hint="Install a newer tmux; a running server keeps its version until it ends.",
            code="old-tmux",
        )


def resolve(panes: Sequence[Pane], target: str, environ: Mapping[str, str] = os.environ) -> Pane:
    """Return the one pane that ``target`` names.

    A target is a pane id (``%7``), a window id (``@4``), a session id (``$2``), ``.`` (the pane
    that Torch runs in), ``session:window``, ``session:window.pane``, ``session:``, a session's
    name or a window's name; a window is named or given by index. Nothing matches by prefix.
    Raises ``NotFoundError`` if nothing has that name, ``RefusedError`` if several have.
    """
    if not target:
        raise RefusedError("the target is empty")
    if target == ".":
        target = environ.get("TMUX_PANE", "")
        if not target:
            raise RefusedError("'.' means the pane that torch runs in, and it runs in none")
    if re.fullmatch(r"[%@$]\d+", target):
        found = [p for p in panes if target in (p.id, p.window_id, p.session_id)]
        kind = target[0]
        if kind != "%":
            found = [p for p in found if p.active and (kind == "@" or p.window_active)]
    elif ":" in target:
        session, _, rest = target.partition(":")
        found = _in_session([p for p in panes if p.session == session], rest)
    else:
        found = [p for p in panes if p.session == target and p.active and p.window_active]
        found += [p for p in panes if p.window == target and p.active]
    return _only(found, panes, target)


def _in_session(panes: list[Pane], rest: str) -> list[Pane]:
    """Return the panes of one session that ``rest`` (``window``, ``window.pane``, '') names."""
    if not rest:
        return [p for p in panes if p.active and p.window_active]
    found = [p for p in panes if p.active and rest in (p.window, str(p.window_index), p.window_id)]
    window, dot, pane = rest.rpartition(".")
    if dot and not found:
        names = {"window": window, "pane": pane}
        found = [
            p
            for p in panes
            if names["window"] in (p.window, str(p.window_index), p.window_id)
            and names["pane"] in (str(p.pane_index), p.id)
        ]
    return found


def _only(found: Sequence[Pane], panes: Sequence[Pane], target: str) -> Pane:
    """Return the single pane among ``found``; a pane linked twice counts once."""
    unique = {pane.id: pane for pane in found}
    if len(unique) == 1:
        return next(iter(unique.values()))
    if unique:
        places = ", ".join(f"{p.id} ({p.place})" for p in unique.values())
        raise RefusedError(
            f"'{target}' is ambiguous: {places}",
            hint="Name one by its pane id.",
            code="ambiguous",
        )
    name = target.rpartition(":")[2] or target.rstrip(":")
    near = sorted(
        {p.place for p in panes if p.window.startswith(name) or p.session.startswith(name)}
    )
    raise NotFoundError(
        f"no session, window or pane is named '{target}'",
        hint=f"Similar, but Torch matches no prefixes: {', '.join(near[:5])}" if near else "",
        code="no-target",
    )


_SCREEN_FACTS = (
    "#{pane_id} #{pane_pid} #{?pane_dead,1,0} #{?pane_in_mode,1,0} #{pane_width} #{pane_height}"
    " #{cursor_x} #{cursor_y} #{?cursor_flag,1,0} #{history_size}"
)


def capture(client: ControlClient, panes: Sequence[Pane]) -> list[Screen | None]:
    """Return what each of ``panes`` shows, in one exchange; ``None`` for one that is gone.

    Facts and rows of one pane are read in one command line, so they belong to one moment.
    """
    replies = client.ask_all(
        b"display-message -p -t %b '%b' ; capture-pane -p -e -t %b"
        % (pane.id.encode(), _SCREEN_FACTS.encode(), pane.id.encode())
        for pane in panes
    )
    screens: list[Screen | None] = []
    cursor = iter(replies)
    for pane in panes:
        facts = next(cursor, None)
        # On an error tmux drops the rest of the line.
        rows = next(cursor, None) if facts and facts.ok else None
        screens.append(_screen(pane, facts, rows))
    return screens


def _screen(pane: Pane, facts: Reply | None, rows: Reply | None) -> Screen | None:
    if facts is None or rows is None or not rows.ok:
        return None
    fields = facts.text.split()
    # display-message answers for another pane where its target is gone.
    if fields[:2] != [pane.id, str(pane.pid)]:
        return None
    dead, mode, width, height, x, y, flag, history = (int(field) for field in fields[2:])
    return Screen.parse(
        rows.text,
        width=width,
        height=height,
        cursor=(x, y),
        cursor_visible=bool(flag),
        in_mode=bool(mode),
        dead=bool(dead),
        history=history,
    )


def capture_one(client: ControlClient, pane: Pane) -> Screen:
    """Return what ``pane`` shows now; raise ``NotFoundError`` if it is gone or was replaced."""
    screen = capture(client, [pane])[0]
    if screen is None:
        raise NotFoundError(
            f"pane {pane.id} ({pane.place}) is gone, or another process runs in it now",
            code="no-target",
        )
    return screen


def current_directory(client: ControlClient, pane: Pane) -> str:
    """Return the directory that tmux sees the pane's foreground process in, '' if unknown."""
    try:
        return client.call("display-message", "-p", "-t", pane.id, "#{pane_current_path}").text
    except TmuxError:
        return ""
