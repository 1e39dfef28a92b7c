"""The panes of a server as values, and the exact resolution of a target to one of them.

A target is resolved once, without tmux's prefix matching, to a pane id and the process in it;
only those are used afterwards.
"""

import functools
import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.pane_id import PaneId
from torch_cli.tmux import quote
from torch_cli.tmux.control import ControlClient, Reply
from torch_cli.tmux.process import run
from torch_cli.tmux.running import SERVER_FACTS, asked
from torch_cli.tmux.screen import Screen
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.version import check_version, note

GLANCES_KEPT = 1024
"""Panes whose facts are kept as they were read: most are the same at the next look."""

_REMOVALS = 5
"""How often a pane may move to another session while Torch attaches to it."""

_FIELDS = "\t".join(
    [
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
        "#{pane_dead_signal}",
        "#{pane_width}",
        "#{pane_height}",
    ]
)

SCREEN_FACTS = (
    "#{?pane_dead,1,0} #{?pane_in_mode,1,0} #{pane_width} #{pane_height}"
    " #{cursor_x} #{cursor_y} #{?cursor_flag,1,0} #{history_size} #{?alternate_on,1,0}"
    " #{pane_title}\t#{=300:@torch_state}"
)
"""What ``screen_of`` needs about a pane beside its rows. Behind the numbers is the title, which may
contain spaces, and behind a tab the option in which a program can report on itself, with anything
in it. tmux accepts no title with a control character.
"""

# Names may contain tabs, and in tmux 3.3a newlines, so they are separated by this random word. To
# have tmux replace such characters cost a third of the whole list. Directories are asked for one by
# one.
_BORDER = os.urandom(8).hex()
_NAMES = _BORDER.join(["", "#{pane_current_command}", "#{session_name}", "#{window_name}", ""])
_ODD_IN_COMMAND = re.compile("[^ -~]")
_ODD_IN_NAME = re.compile("[\x01-\x1f\x7f]")


class Pane(NamedTuple):
    """One pane as tmux described it at one moment.

    ``id`` (``%7``), ``window_id`` (``@4``) and ``session_id`` (``$2``) are tmux's. ``pid`` is the
    process that tmux started in the pane. ``version`` is the server's (``3.3a``). ``server_pid``
    and ``server_started`` (epoch seconds) tell servers apart: ids begin again with each.
    ``dead_status`` is the exit status of a process that has ended, ``dead_signal`` the signal that
    ended it: see ``tmux.ended.with_end``.
    """

    version: str
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
    dead_signal: int | None
    width: int
    height: int
    command: str
    session: str
    window: str

    @property
    def server(self) -> str:
        """What distinguishes this server from every other that ever used its socket."""
        return f"{self.socket_path}|{self.server_pid}|{self.server_started}"

    @property
    def at(self) -> PaneId:
        """The identity of the pane and of the process in it."""
        return PaneId(self.server, self.id, self.pid)

    @property
    def place(self) -> str:
        """Where it is, for people: ``session:window``."""
        return f"{self.session}:{self.window}"


class Glance(NamedTuple):
    """A pane with the facts of its screen, as ``screen_of`` takes them.

    ``wrote`` is the second since the epoch in which anything in its window last wrote to a
    screen.
    """

    pane: Pane
    facts: str
    wrote: int


def list_panes(socket: Socket, client: ControlClient | None = None) -> list[Pane]:
    """Return every pane of the server, over ``client`` if one is open.

    A window that is linked into several sessions is listed once for each. Raises
    ``NotFoundError`` if there is no server, ``RefusedError`` if tmux is too old.
    """
    about_server = ("display-message", "-p", SERVER_FACTS)
    about_panes = ("list-panes", "-a", "-F", _FIELDS + _NAMES)
    if client is not None:
        server = client.call(*about_server).printed
        listed = client.call(*about_panes).printed
    else:
        server, _, listed = asked(socket, *about_server, ";", *about_panes).partition("\n")
        note(socket, server.partition("\t")[0])
    return [glance.pane for glance in _read(server, listed)]


def pane_at(path: str, server: str, pane_id: str, pane_pid: int) -> Pane | None:
    """Return that pane of that server, at the socket ``path``, if it has the same process.

    ``None`` if it, or the server, is gone. Raises ``TorchError`` if tmux does not answer.
    """
    try:
        panes = list_panes(Socket(path=path))
    except NotFoundError as missing:
        if missing.code != "no-server":
            raise  # without an answer of tmux nobody knows whether the pane is gone
        return None
    place = (server, pane_id, pane_pid)
    return next((one for one in panes if (one.server, one.id, one.pid) == place), None)


def answers(path: str, server: str) -> bool:
    """Return whether that server answers at the socket ``path``, also if it has no panes.

    Raises ``TorchError`` if tmux does not answer in time.
    """
    done = run(Socket(path=path), "-N", "display-message", "-p", "|#{pid}|#{start_time}")
    said = done.out.strip()
    return done.status == 0 and said != "" and server.endswith(said)


def look_over(client: ControlClient) -> list[Glance]:
    """Return every pane of the server with what ``screen_of`` needs about it."""
    wanted = f"{_FIELDS}\t#{{window_activity}}\t{SCREEN_FACTS}{_NAMES}"
    about = ("display-message", "-p", SERVER_FACTS), ("list-panes", "-a", "-F", wanted)
    server, listed = client.call_all(about)
    return _read(server.printed, listed.printed)


def _read(server: str, listed: str) -> list[Glance]:
    version, socket_path, server_pid, started = server.rstrip("\n").split("\t")
    check_version(version)
    socket_path = quote.printed(socket_path, version)
    about = (version, socket_path, int(server_pid), int(started))
    pieces = quote.printed(listed, version).split(_BORDER)
    return [_glance(about, *piece) for piece in zip(*[iter(pieces)] * 4, strict=False)]


@functools.lru_cache(GLANCES_KEPT)
def _glance(
    about: tuple[str, str, int, int], fields: str, command: str, session: str, window: str
) -> Glance:
    """Return one pane of the server ``about``, from what tmux printed of it."""
    version, socket_path, server_pid, server_started = about
    values = fields.lstrip("\n").split("\t")
    wrote, *facts = values[13:] or ("0", "")
    pane = Pane(
        version=version,
        socket_path=socket_path,
        server_pid=server_pid,
        server_started=server_started,
        session_id=values[0],
        window_id=values[1],
        id=values[2],
        pid=int(values[3]),
        window_index=int(values[4]),
        pane_index=int(values[5]),
        active=values[6] == "1",
        window_active=values[7] == "1",
        dead=values[8] == "1",
        dead_status=int(values[9]) if values[9] else None,
        dead_signal=int(values[10]) if values[10] else None,
        width=int(values[11]),
        height=int(values[12]),
        command=_ODD_IN_COMMAND.sub("_", command),
        session=session,
        window=_ODD_IN_NAME.sub("_", window),
    )
    return Glance(pane, "\t".join(facts), int(wrote))


def resolve(panes: Sequence[Pane], target: str, environ: Mapping[str, str] = os.environ) -> Pane:
    """Return the one pane that ``target`` names.

    A target is a pane id (``%7``), a window id (``@4``), a session id (``$2``), ``.`` (the pane
    that Torch runs in), ``session:window``, ``session:window.pane``, ``session:``, a session's
    name, or a window's name. A window is given by name or index. Nothing matches by prefix.
    Raises ``NotFoundError`` if nothing has that name, ``RefusedError`` if several have.
    """
    if not target:
        raise RefusedError("the target is empty")
    if target == ".":
        target = environ.get("TMUX_PANE", "")
        if not target:
            raise RefusedError("'.' means torch's own pane, but torch runs in none")
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
            hint="Name the pane by its id.",
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


def listen(socket: Socket, pane: Pane) -> ControlClient:
    """Return a control client that hears ``pane``, also if the pane moves to another session.

    Its first session may have ended then. Raises ``NotFoundError`` if the pane is gone.
    """
    sessions = {pane.session_id}
    while True:
        try:
            return ControlClient(socket, pane.session_id)
        except NotFoundError as missing:
            if missing.code != "no-session" or len(sessions) > _REMOVALS:
                raise
            identity = (pane.server, pane.id, pane.pid)
            now = [p for p in list_panes(socket) if (p.server, p.id, p.pid) == identity]
            if not now or now[0].session_id in sessions:
                raise
            pane = now[0]
            sessions.add(pane.session_id)


def capture(client: ControlClient, panes: Sequence[Pane]) -> list[Screen | None]:
    """Return what each of ``panes`` shows, in one exchange; ``None`` for one that is gone.

    Facts and rows of one pane are read in one command line, so they belong to one moment.
    """
    replies = client.ask_all(
        b"display-message -p -t %b '#{pane_id} #{pane_pid} #{?pane_id,#{window_activity},0} %b'"
        b" ; capture-pane -p -e -t %b" % (pane.id.encode(), SCREEN_FACTS.encode(), pane.id.encode())
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
    # If its target is gone, display-message answers for another pane.
    found, pid, wrote, text = facts.text.split(" ", 3)
    if (found, pid) != (pane.id, str(pane.pid)):
        return None
    return screen_of(text, rows.text)._replace(wrote=int(wrote))


def screen_of(facts: str, rows: str) -> Screen:
    """Return a screen from ``facts``, which ``SCREEN_FACTS`` printed, and ``rows``, which
    ``capture-pane -p -e`` printed.
    """
    facts, _, said = facts.partition("\t")
    *numbers, title = facts.split(" ", 9)
    dead, mode, width, height, x, y, flag, history, alternate = map(int, numbers)
    return Screen.parse(
        rows,
        width=width,
        height=height,
        cursor=(x, y),
        cursor_visible=bool(flag),
        in_mode=bool(mode),
        dead=bool(dead),
        history=history,
        alternate=bool(alternate),
        title=title,
    )._replace(said=said.strip())


def capture_rows(client: ControlClient, panes: Sequence[Pane]) -> list[str | None]:
    """Return the raw rows of each of ``panes``, in one exchange; ``None`` for one that is gone.

    This costs half as much as ``capture``. The facts must come from ``look_over``.
    """
    lines = [b"capture-pane -p -e -t %b" % pane.id.encode() for pane in panes]
    return [reply.text if reply.ok else None for reply in client.ask_all(lines)]


def capture_one(client: ControlClient, pane: Pane) -> Screen:
    """Return what ``pane`` shows now; raise ``NotFoundError`` if it is gone or was replaced."""
    screen = capture(client, [pane])[0]
    if screen is None:
        raise NotFoundError(
            f"pane {pane.id} ({pane.place}) is gone, or another process runs in it now",
            code="no-target",
        )
    return screen
