"""libtmux's server, with its commands sent over Torch's own connection.

``Server`` is a ``libtmux.Server``: its sessions, windows and panes are libtmux's objects, with all
that they can do. Only the way to tmux differs. Commands go through one control-mode client, not
through a process each. So they are safe on every version of tmux, limited in time, and keep every
byte. Commands that open something, or that concern the asking client, go to the standard input of a
process of their own. A new pane gets its directory and ``PATH`` from that process, and nothing of
it shows in a process list.

Torch uses these objects for renames, removing what a failed start has left, options, the
private servers of ``torch profile``, and in ``Torch.server``. These modules give tmux its commands
themselves:

==================================================================================================
``control``: it is the connection below these objects.
``version``: the connection has to know it first.
``gate``: looking and typing are one step of the server, so nothing changes in between.
``modes``: it belongs to the gate, and uses the connection of whoever is about to type.
``keys``: as ``modes``; it is asked just before each key.
``panes``: 256 panes and their screens are one exchange; facts and rows are of one moment.
``ended``: it asks on the connection of ``panes``, or where there is none.
``running``: it is asked before there is a connection, by ``torch ps`` for one.
``capture``: the rows and the kind of screen are of one moment.
``opening``: a command is words here, in libtmux one text for the user's shell; its ``PATH`` is the
    agent's; nothing that it prints is lost; and ``torch spawn`` does not pay for the import.
``scratch``: it starts a program as ``opening`` does.
``window``: proving that a pane is still the same and closing it are one step.
``arrange``: making the panes of a window equal and splitting one are one step.
``remains``: two settings of a pane take less time than the import.
``move``: looking who sees a pane and moving it are one step.
``attach``: the process becomes tmux, on the person's terminal.
``status_line``: it uses the connection of the process that delivers.
``terminals``: it uses that of the daemon.
``shell.run``: it uses the connection that hears the pane.
``watch.reported``: setting one option takes less time than the import.
``watch.log``: seeing that a pane has no pipe and giving it one are one step.
``attention.answer``: it asks on the connection of the gate.
``snippet.text``: it is a text for the user's ``tmux.conf``, which Torch does not run.
``snippet.conf``: as ``snippet.text``.
``snippet.marks``: it uses the connection on which the daemon reads all screens.
``snippet.menu``: the process becomes tmux, which waits until the menu is closed.
``snippet.running``: a few settings of each server take less time than the import.
``doctor.snippet``: it asks a server that may be broken, and waits for no connection.
``tasks.title``: two settings take less time than the import.
``teams.ready``: it waits without being attached: tmux 3.2 can end when a pane dies, if anyone is.
``top.onlookers``: it asks each second, on a connection that is there.
``cli.dashboard.acts``: it switches the person's terminal with the words of ``attach``.
``cli.complete``: it runs at each press of Tab.
==================================================================================================

Importing libtmux takes 100 ms, or 50 if the modules of Python that it needs are there. That is more
than a delivery, and a fifth of what ``torch spawn`` computes (2026-11-28). Nothing that ``send``,
``hook``, ``state``, ``ps`` or ``spawn`` needs imports this module unless something goes wrong.
"""

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

import libtmux
from libtmux import neo
from libtmux.common import tmux_cmd
from libtmux.exc import LibTmuxException, TmuxObjectDoesNotExist

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.tmux import quote
from torch_cli.tmux.answer import TmuxAnswer
from torch_cli.tmux.control import ControlClient, Reply
from torch_cli.tmux.process import CALL_TIMEOUT, Completed, program, run
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.version import of_server
from torch_cli.tmux.wording import DEAD, command_line, exactly

LIBTMUX_ERRORS = (LibTmuxException, TmuxObjectDoesNotExist)
"""What libtmux's methods raise; not every version has the second below the first."""

_OPENS = frozenset(
    {
        *("new-session", "new", "new-window", "neww", "split-window", "splitw"),
        *("respawn-pane", "respawnp", "respawn-window", "respawnw", "start-server", "start"),
    }
)
"""Commands that start a program. Unless given, directory and ``PATH`` are those of the client."""

_OF_A_CLIENT = frozenset(
    {
        *("attach-session", "attach", "switch-client", "switchc", "detach-client", "detach"),
        *("suspend-client", "suspendc", "refresh-client", "refresh", "lock-client", "lockc"),
        *("kill-server", "load-buffer", "loadb", "save-buffer", "saveb", "source-file", "source"),
    }
)
"""Commands that concern the asking client or its standard input, or after which nothing answers."""

_READS = ("list-", "show-", "display-message", "has-session", "capture-pane")
"""How commands begin that change nothing and may be repeated."""

_KILLS = "kill-"
"""How commands begin that may end the session that carries the connection."""


class Server(libtmux.Server):
    """The tmux server at ``socket``, in libtmux's objects.

    If a command of this object starts the server, that reads ``config_file`` if it is given, else
    tmux's own. A command that takes more than ``timeout`` seconds raises ``TimedOutError``. At the
    end of a ``with`` block the connection closes, and the server continues; libtmux would end it.
    A command without a target means the session that tmux, or this connection, has last used, so
    name a target. When the object and all objects from it are gone, the connection closes too.
    """

    def __init__(
        self, socket: Socket, *, config_file: str | None = None, timeout: float = CALL_TIMEOUT
    ) -> None:
        if socket.path:
            super().__init__(socket_path=socket.path, config_file=config_file)
        else:
            super().__init__(socket_name=socket.name, config_file=config_file)
        self.socket = socket
        # A weak reference: a circle would keep the connection until Python looks for circles.
        self.tmux_bin = _Program(program(), weakref.WeakMethod(self._ask))
        self._timeout = timeout
        self._client: ControlClient | None = None
        self._let_go: Callable[[], object] = lambda: None

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection. The next command opens another."""
        self._let_go()
        self._client = None

    def cmd(self, cmd: str, *args: Any, target: str | int | None = None) -> tmux_cmd:
        """Run one tmux command, with its words exact to the byte.

        As ``wording`` says, names and directories are literal, and a target matches only the exact
        name. A word ``;`` separates two commands, as on a command line of tmux. Raises
        ``TimedOutError`` if tmux does not answer, and ``RefusedError`` for a target that is not
        exact, and for keys or a paste to a pane whose program has ended.
        """
        aimed = ["-t", str(target)] if target is not None else []
        return self._ask([cmd, *aimed, *map(str, args)])

    def session(self, session_id: str) -> libtmux.Session | None:
        """Return the session of that id, ``None`` if there is none."""
        with contextlib.suppress(*LIBTMUX_ERRORS):
            return libtmux.Session.from_session_id(server=self, session_id=session_id)
        return None

    def pane(self, pane_id: str) -> libtmux.Pane | None:
        """Return the pane of that id, ``None`` if there is none.

        If a window is in two sessions, ``panes.get`` of libtmux finds two panes and refuses.
        """
        with contextlib.suppress(*LIBTMUX_ERRORS):
            return libtmux.Pane.from_pane_id(server=self, pane_id=pane_id)
        return None

    def window(self, window_id: str) -> libtmux.Window | None:
        """Return the window of that id, ``None`` if there is none. See ``pane``."""
        with contextlib.suppress(*LIBTMUX_ERRORS):
            return libtmux.Window.from_window_id(server=self, window_id=window_id)
        return None

    def raise_if_dead(self) -> None:
        """Raise ``NotFoundError`` if no server answers."""
        answer = self.cmd("list-sessions")
        if answer.returncode != 0:
            raise NotFoundError("; ".join(answer.stderr), code="no-server")

    def _ask(self, words: list[str]) -> TmuxAnswer:
        line = b" ; ".join(command_line(part) for part in _parts(words))
        replies = None
        if words[0] not in _OPENS | _OF_A_CLIENT:
            replies = self._over_connection(words[0], line)
        if replies is None:
            return self._by_process(words, line)
        ok = all(reply.ok for reply in replies)
        printed = "".join(reply.printed for reply in replies if reply.ok)
        error = "".join(reply.printed for reply in replies if not reply.ok)
        if any(reply.text.strip() == DEAD for reply in replies):
            raise RefusedError(
                f"the program in the pane has ended; '{words[0]}' did nothing", code="dead"
            )
        return TmuxAnswer(words, 0 if ok else 1, self._meant(printed), error)

    def _over_connection(self, command: str, line: bytes) -> list[Reply] | None:
        """Return the replies to ``line``, ``None`` if there is no session to attach to.

        The session may end at any moment, and the connection ends with it. A command that only
        reads is then repeated. For any other command nobody knows whether it was done.
        """
        client = self._connected()
        if client is None:
            return None
        try:
            return client.ask(line)
        except NotFoundError:
            self.close()
            if command.startswith(_KILLS):
                return []
            if not command.startswith(_READS):
                raise
            client = self._connected()
            return client.ask(line) if client is not None else None
        finally:
            if command.startswith(_KILLS):
                self.close()

    def _connected(self) -> ControlClient | None:
        """Return the connection, a new one if the last has ended; ``None`` without a session."""
        if self._client is not None:
            self._client.read_once(0.0)  # only reading shows whether it has ended
            if not self._client.closed:
                return self._client
            self.close()
        listed = run(self.socket, "-N", "list-sessions", "-F", "#{session_id}")
        for session in listed.out.split():
            with contextlib.suppress(NotFoundError):  # it has ended meanwhile
                self._client = ControlClient(self.socket, session, timeout=self._timeout)
                self._let_go = weakref.finalize(self, self._client.close)
                return self._client
        return None

    def _by_process(self, words: list[str], line: bytes) -> TmuxAnswer:
        if words[0] in _OPENS:
            config = [f"-f{self.config_file}"] if self.config_file else []
            asked = (*config, "start-server", ";", "source-file", "-")
            done = run(self.socket, *asked, stdin=line + b"\n", timeout=self._timeout)
            # The caller does not need the position in the input.
            error = done.error.removeprefix("-:1: ")
            failed = done.status != 0 or bool(error)
            done = Completed(int(failed), done.out, error)
        else:
            done = run(self.socket, "-N", *exactly(words), timeout=self._timeout)
        return TmuxAnswer(words, done.status, self._meant(done.out), done.error)

    def _meant(self, printed: str) -> str:
        """Return ``printed`` as tmux meant it. Only text with a ``$`` can differ."""
        return quote.printed(printed, of_server(self.socket)) if "$" in printed else printed


class _Program(str):
    """The path of tmux, which also holds the server object: libtmux gives the function that reads
    lists nothing else.

    It equals the path, so that it matches what libtmux remembers about a program.
    """

    ask: Callable[[], Callable[[list[str]], TmuxAnswer] | None]
    __slots__ = ("ask",)

    def __new__(
        cls, path: str, ask: Callable[[], Callable[[list[str]], TmuxAnswer] | None]
    ) -> "_Program":
        """Return ``path`` with ``ask`` beside it."""
        self = super().__new__(cls, path)
        self.ask = ask
        return self


def _parts(words: list[str]) -> list[list[str]]:
    """Return the commands in ``words``. A ``;`` as the last word is text, as nothing follows."""
    parts: list[list[str]] = [[]]
    for place, word in enumerate(words):
        if word == ";" and 0 < place < len(words) - 1:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def _read_list(*words: Any, tmux_bin: str | None = None) -> tmux_cmd:
    """Do what libtmux's ``tmux_cmd`` does, but ask the server object that a list is read for."""
    ask = tmux_bin.ask() if isinstance(tmux_bin, _Program) else None
    if ask is None:
        return tmux_cmd(*words, tmux_bin=tmux_bin)
    return ask([str(word) for word in words[1:]])  # the first says which socket


# libtmux 0.62 reads its lists with a process of its own and not with ``Server.cmd``, and has no
# setting for that. Only a list for a ``Server`` of this module goes over the connection.
neo.tmux_cmd = _read_list  # type: ignore[attr-defined,assignment]
