"""The steps in which tmux opens a window, so that nothing is lost on the way.

Everything that could show in a process list, or be read as code, goes to tmux through standard
input. The pane is told to keep the output of a dead program before the command starts in it. So the
error of a command that cannot start is always seen.
"""

import os
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from torch_cli import procs
from torch_cli.errors import RefusedError, TorchError
from torch_cli.intervals import INTERVALS
from torch_cli.tmux import quote
from torch_cli.tmux.control import ControlClient, TmuxError
from torch_cli.tmux.ended import with_end
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.process import run
from torch_cli.tmux.remains import TOKEN, TOKEN_OPTION
from torch_cli.tmux.running import is_heard
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.version import kept_name
from torch_cli.user_scope import scope_words

_MEANINGS = {126: " (it is not executable)", 127: " (no such program)"}

_PRINTED_LINES = 20
"""How many of the lines that a failed command printed are shown."""

PLACEHOLDER_COMMAND = ("/bin/sh", "-c", "read -r nothing")
"""What is in a pane until the real program does. It ends at the first line typed."""

PLACEHOLDER_SECONDS = 5.0
"""Seconds that a placeholder may stay. A living ``torch`` replaces it within one second."""

HOLDER_NAME = re.compile(r"torch-[0-9a-f]{12}")
"""The names of the windows that hold the place in a new session."""


class EndedError(TorchError):
    """The command ended at once. ``status`` is its exit status if known, ``printed`` its words."""

    code = "ended"

    def __init__(self, message: str, *, status: int | None, printed: str) -> None:
        super().__init__(message, hint="Its window was removed.")
        self.status = status
        self.printed = printed


@dataclass(frozen=True, slots=True)
class Order:
    """What to open. ``directory`` has been checked. ``again``: in a pane that is dead."""

    name: str
    directory: str
    environment: Mapping[str, str]
    command: tuple[str, ...]
    keep_dead: bool
    again: bool = False

    @property
    def argv(self) -> tuple[str, ...]:
        """The command in a form that tmux runs directly. tmux gives a single word to a shell.

        ``env`` starts the command, changes no variable, and prints why the command cannot start.
        """
        if "=" in self.command[0]:
            return ("/bin/sh", "-c", 'exec "$@"', "torch", *self.command)
        return ("/usr/bin/env", "--", *self.command)

    @property
    def path(self) -> str | None:
        """The ``PATH`` of the order. tmux gives a new pane the ``PATH`` of the asking client."""
        return self.environment.get("PATH")

    @property
    def variables(self) -> list[str]:
        """The words that set the environment. From 3.3 on tmux itself sets ``PWD``."""
        given = {"PWD": self.directory, **self.environment}
        return [word for name, value in given.items() for word in ("-e", f"{name}={value}")]


@dataclass(frozen=True, slots=True)
class WindowPlace:
    """Where a new window goes: a session, whether it is new, and the words for the place in it.

    ``held_by`` is the target of the placeholder window in a new session, and ``holder`` the id of
    its pane, else ''.
    """

    session_id: str
    created: bool = False
    held_by: str = ""
    holder: str = ""

    @property
    def target(self) -> list[str]:
        """The words of ``new-window`` that put the window here."""
        return ["-k", "-t", self.held_by] if self.held_by else ["-t", f"{self.session_id}:"]


def new_session(
    socket: Socket, session: str, directory: str, size: tuple[int, int] | None
) -> WindowPlace:
    """Create a session, or find the one that another process has just created.

    ``new-session -e`` would give the variables to every later window of the session, so its first
    window is a placeholder that ``new-window -k`` replaces. A server that this starts gets a scope
    of the user's own systemd where it would end too early (``user_scope``). Raises ``RefusedError``
    for a setting of that which is wrong.
    """
    make_directory(socket)
    held_by = f"torch-{secrets.token_hex(6)}"
    words = ["new-session", "-d", "-P", "-F", "#{session_id} #{pane_id}"]
    words += ["-x", str(size[0]), "-y", str(size[1])] if size else []
    words += ["-s", quote.format_literal(session), "-n", held_by]
    words += ["-c", quote.format_literal(directory), *PLACEHOLDER_COMMAND]
    before = () if is_heard(socket.file) else scope_words()  # the server is started by this
    try:
        session_id, _, holder = _source(socket, *words, before=before).partition(" ")
    except TmuxError:
        for pane in list_panes(socket):
            if pane.session == session:
                return WindowPlace(pane.session_id)
        raise
    return WindowPlace(session_id, created=True, held_by=f"{session_id}:={held_by}", holder=holder)


def is_placeholder(pane: Pane) -> bool:
    """Return whether what holds the place of a program is in ``pane``, and not the program."""
    return procs.arguments(pane.pid) == list(PLACEHOLDER_COMMAND)


def make_directory(socket: Socket) -> None:
    """Make the directory of a socket that is given by its path, as tmux does for ``-L`` alone.

    After a start of the machine /tmp is empty. Raises ``RefusedError`` if that cannot be done.
    """
    if not socket.path:
        return
    try:
        os.makedirs(os.path.dirname(socket.path) or ".", 0o700, exist_ok=True)
    except OSError as error:
        raise RefusedError(
            f"the directory of the tmux socket {socket.path} cannot be made: {error.strerror}; "
            "nothing was started",
            code="no-socket",
        ) from error
    check_owner(socket)


def check_owner(socket: Socket) -> None:
    """Raise ``RefusedError`` if the directory of tmux's sockets is another user's.

    tmux refuses that only if the socket is given by its name. Who owns the directory could read
    all that is typed.
    """
    directory = os.path.dirname(socket.file)
    with suppress(OSError):  # it is not there yet
        owner = os.stat(directory).st_uid
        if os.path.basename(directory).startswith("tmux-") and owner != os.getuid():
            raise RefusedError(
                f"{directory} belongs to another user; nothing was started", code="no-socket"
            )


def new_window(socket: Socket, order: Order, place: WindowPlace) -> str:
    """Create the window, with a shell, or with a placeholder if a command will follow.

    Returns the id of its pane.
    """
    words = ["new-window", "-d", "-P", "-F", "#{pane_id}", *place.target]
    words += ["-n", quote.format_literal(order.name)]
    words += ["-c", quote.format_literal(order.directory)]
    words += PLACEHOLDER_COMMAND if order.command else order.variables
    return _source(socket, *words, path=order.path)


def remove(socket: Socket, pane_id: str, place: WindowPlace) -> None:
    """Remove what a failed attempt has made. A session that is then empty ends too."""
    from torch_cli.tmux.server import LIBTMUX_ERRORS, Server

    with Server(socket) as server, suppress(*LIBTMUX_ERRORS):
        if pane_id:
            pane = server.pane(pane_id)
            if pane is not None:
                pane.kill()
        elif place.held_by:
            session = server.session(place.session_id)
            if session is not None:
                session.kill_window(place.held_by)


def _source(
    socket: Socket, *words: str, path: str | None = None, before: tuple[str, ...] = ()
) -> str:
    """Run one tmux command given on standard input, starting a server if there is none."""
    text = quote.line(*words) + b"\n"
    start = ("start-server", ";", "source-file", "-")
    done = run(socket, *start, stdin=text, path=path, before=before)
    if done.status != 0 or not done.out.strip():
        raise TmuxError(f"tmux {words[0]}: {done.error or 'no answer'}")
    return done.out.strip()


def finish(client: ControlClient, order: Order, pane_id: str) -> Pane:
    """Fix the window's name, start the command, and wait until the program has settled."""
    if not order.again:
        _refuse_twin(client, order, pane_id)
    lines = [
        quote.line("set-option", "-w", "-t", pane_id, "automatic-rename", "off"),
        quote.line("set-option", "-w", "-t", pane_id, "allow-rename", "off"),
    ]
    if order.command:
        lines += start_command(order, pane_id)
    text = b"\n".join([*lines, b""])
    done = run(client.socket, "-N", "source-file", "-", stdin=text, path=order.path)
    if done.status == 0:
        _settle(client, pane_id, INTERVALS.starts if order.command else INTERVALS.prompts)
    if order.command:
        client.ask(_started(order, pane_id))
    pane = _look(client, pane_id)
    if pane is None:
        raise vanished(order)
    if pane.dead:
        raise _ended(client, order, pane)
    if done.status != 0:
        raise TmuxError(f"tmux could not set up the window: {done.error}")
    return pane


def start_command(order: Order, pane_id: str) -> list[bytes]:
    """Return the lines that start the command in a pane and keep all that it prints.

    The pane keeps the token of the start, which its program has only while it runs.
    """
    token = order.environment.get(TOKEN, "")
    keep = quote.line("set-option", "-p", "-t", pane_id, "remain-on-exit", "on").decode()
    pipe = quote.line("pipe-pane", "-O", "-t", pane_id, "exec cat >/dev/null")
    return [
        # A pane that stays dead can end the server of tmux 3.2 while a control client is attached
        # (GitHub issue 2828; once in a run of the suite, 2026-11-25). There it is not kept, and
        # what the program printed is lost.
        quote.line("if-shell", "-F", "#{?#{m:3.2*,#{version}},0,1}", keep),
        # New in 3.3. Without it the words "Pane is dead" are mixed into the output.
        quote.line("set-option", "-p", "-q", "-t", pane_id, "remain-on-exit-format", ""),
        quote.line("set-option", "-p", "-t", pane_id, TOKEN_OPTION, token),
        # tmux may notice the end of a program before its output. Then it reads only a pane with a
        # pipe to the end (window_pane_destroy_ready() of 3.3a). A dead pane can have none.
        *([] if order.again else [pipe]),
        quote.line(
            # Without -k tmux refuses it for a pane whose program runs.
            *("respawn-pane", *([] if order.again else ["-k"]), "-t", pane_id, *order.variables),
            *("-c", quote.format_literal(order.directory), *order.argv),
        ),
    ]


def _started(order: Order, pane_id: str) -> bytes:
    """Return the line that undoes what only the start needed, unless the program is dead."""
    options = ["remain-on-exit-format"] + ([] if order.keep_dead else ["remain-on-exit"])
    lines = [quote.line("set-option", "-p", "-q", "-u", "-t", pane_id, name) for name in options]
    back = b" ; ".join([*lines, quote.line("pipe-pane", "-t", pane_id)]).decode()
    return quote.line("if-shell", "-F", "-t", pane_id, "#{?pane_dead,0,1}", back)


def _refuse_twin(client: ControlClient, order: Order, pane_id: str) -> None:
    """If two windows were opened under one name at the same time, keep the earlier one."""
    panes = list_panes(client.socket, client)
    ours = next((pane for pane in panes if pane.id == pane_id), None)
    for pane in panes:
        name = kept_name(order.name, pane.version)
        same = ours and (pane.session_id, pane.window) == (ours.session_id, name)
        if ours and same and int(pane.window_id[1:]) < int(ours.window_id[1:]):
            raise name_taken(pane)


def _settle(client: ControlClient, pane_id: str, seconds: float) -> None:
    """Wait until the pane has written something and then nothing for a moment."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not client.closed:
        seen = client.output.get(pane_id, 0)
        patience = min(INTERVALS.quiet, deadline - time.monotonic())
        if client.wait_output(pane_id, seen, patience) != seen:
            continue
        pane = _look(client, pane_id)
        if pane is None or pane.dead:
            return
        # What was written before this client was attached was not counted.
        if seen or client.call("capture-pane", "-p", "-t", pane_id).text.strip():
            return


def _look(client: ControlClient, pane_id: str) -> Pane | None:
    if client.closed:
        return None
    return next((pane for pane in list_panes(client.socket, client) if pane.id == pane_id), None)


def name_taken(pane: Pane) -> RefusedError:
    """Return the error for a name that the window of ``pane`` already has."""
    return RefusedError(
        f"session {pane.session!r} already has a window {pane.window!r}: {pane.id} "
        f"({pane.session}:{pane.window_index})",
        hint="Close or rename that window, or use another name. 'torch window' takes it as it is "
        "with --reuse.",
        code="name-taken",
    )


def vanished(order: Order) -> EndedError:
    """Return the error for a program that ended together with its window."""
    what = "the command" if order.command else "the shell"
    return EndedError(f"{what} ended at once, and its window with it", status=None, printed="")


def _ended(client: ControlClient, order: Order, pane: Pane) -> EndedError:
    pane = with_end(pane, client)
    captured = client.ask(quote.line("capture-pane", "-p", "-J", "-S", "-", "-t", pane.id))[0]
    if not captured.ok:
        return vanished(order)
    printed = "\n".join(line.rstrip() for line in captured.lines if line.strip())
    tail = "\n".join(printed.split("\n")[-_PRINTED_LINES:])
    killed = pane.dead_status is None
    how = procs.signal_words(pane.dead_signal) if killed else f"status {pane.dead_status}"
    meaning = _MEANINGS.get(pane.dead_status or 0, "")
    said = f" and printed:\n{tail}" if tail else " and printed nothing that tmux kept"
    return EndedError(
        f"the command {order.command[0]!r} ended at once with {how}{meaning}{said}",
        status=pane.dead_status,
        printed=printed,
    )
