"""A small control-mode client: the transport of everything that must be fast or in one step.

One client is opened for a command (or kept by a daemon) and spoken to over pipes: ``tmux -C``, or
where that could end the server, one of our own (``connection``). Every exchange has a time limit.
It attaches so that it changes no window's size and no session's environment, and it hears
``%output`` of the session it is attached to.
"""

import errno
import os
import re
import select
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import NamedTuple

from torch_cli.errors import FAILURE, NotFoundError, TorchError
from torch_cli.tmux import connection, quote
from torch_cli.tmux.process import CALL_TIMEOUT, PIPE_READ_BYTES, Pipes, run, too_slow
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.version import of_server

# control_append_data() in tmux's control.c writes what is below a blank, and "\\", so.
_OCTAL = re.compile(rb"\\([0-7]{3})")


_HUNG_UP = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)
"""What send(2) says of a server that is ending."""

_NOBODY = (
    *(errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED, errno.EACCES, errno.EPERM),
    *_HUNG_UP,
)
"""What connect(2) and send(2) say where there is no server, one that is not ours to use, or one
that is ending."""


class TmuxError(TorchError):
    """tmux refused a command; the message is tmux's own."""

    exit_code = FAILURE
    code = "tmux"


class Reply(NamedTuple):
    """What one tmux command answered; ``printed`` has a newline at the end of every line."""

    ok: bool
    printed: str

    @property
    def lines(self) -> tuple[str, ...]:
        """The answer's lines."""
        return tuple(self.printed.split("\n")[:-1])

    @property
    def text(self) -> str:
        """The answer's lines, joined by newlines."""
        return self.printed[:-1]


class ControlClient:
    """One open control-mode connection to a tmux server, attached to ``session`` (an id, ``$3``).

    ``output`` counts the ``%output`` notices heard for each pane id since the client was opened;
    without ``hears`` there are none. That is decided when it is attached: a client that sets
    ``no-output`` while output is on its way hears nothing more, not even answers (tmux 3.3a).
    Raises ``NotFoundError`` if there is no such server or session.
    """

    def __init__(
        self,
        socket: Socket,
        session: str,
        *,
        timeout: float = CALL_TIMEOUT,
        hears: bool = True,
    ) -> None:
        self.socket = socket
        self.session = session
        self.output: dict[str, int] = {}
        self.closed = False
        self._heard: dict[str, bytearray] = {}
        self._timeout = timeout
        self._buffer = b""
        self._replies: list[Reply] = []
        self._noise: list[str] = []
        self._attached: bool | None = None
        self._marks = 0
        self._cut_off = False
        self._nonce = os.urandom(6).hex()
        flags = "ignore-size" if hears else "ignore-size,no-output"
        attach = ["attach-session", "-E", "-f", flags, "-t", session]
        self._pipes = self._connect(attach)
        try:
            self._wait_attached(time.monotonic() + timeout)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Detach, and wait until it is done."""
        self.closed = True
        self._pipes.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when tmux has something to say."""
        return self._pipes.stdout

    def call(self, *words: str) -> Reply:
        """Run one command; raise ``TmuxError`` with tmux's words if it fails."""
        reply = self.ask(quote.line(*words))[0]
        if not reply.ok:
            raise TmuxError(f"tmux {words[0]}: {reply.text}")
        return reply

    def call_all(self, commands: Iterable[Sequence[str]]) -> list[Reply]:
        """Run commands in one exchange; raise ``TmuxError`` with tmux's words if one fails."""
        asked = list(commands)
        replies = self.ask_all([quote.line(*words) for words in asked])
        for words, reply in zip(asked, replies, strict=True):
            if not reply.ok:
                raise TmuxError(f"tmux {words[0]}: {reply.text}")
        return replies

    def ask(self, line: bytes) -> list[Reply]:
        """Run one command line and return the reply of every command that it ran, in order."""
        return self.ask_all([line])

    def ask_all(self, lines: Iterable[bytes]) -> list[Reply]:
        """Run several command lines in one exchange; return all replies, in order.

        The end is marked by a line that holds a number nobody else knows, so that what a pane
        shows cannot pass for the end of the answer. Late answers to an exchange whose time was over
        are left out. One that could not be sent whole is the last: the rest of its line is missing.
        """
        self._marks += 1
        mark = f"torch.{self._nonce}.{self._marks}"
        payload = b"\n".join([*lines, quote.line("display-message", "-p", mark), b""])
        self._replies = []
        try:
            self._exchange(payload, mark, time.monotonic() + self._timeout)
        except TimeoutError:
            raise too_slow(
                self.socket, payload.split(b" ", 1)[0].decode("ascii"), self._timeout
            ) from None
        late = f"torch.{self._nonce}."
        ours = self._replies[:-1]
        begin = max(
            (at for at, one in enumerate(ours, 1) if one.printed.startswith(late)), default=0
        )
        return ours[begin:]

    def _exchange(self, payload: bytes, mark: str, deadline: float) -> None:
        if self._cut_off:
            raise TimeoutError
        self._cut_off = True
        self._pipes.send(payload, deadline, drain=self._drain)
        self._cut_off = False
        while not (self._replies and self._replies[-1].lines == (mark,)):
            if self.closed:
                raise self._gone()
            if not self.read_once(deadline - time.monotonic()) and time.monotonic() >= deadline:
                raise TimeoutError

    def wait_output(self, pane: str, seen: int, seconds: float) -> int:
        """Wait until ``pane`` has written more often than ``seen`` times, at most ``seconds``.

        Returns the count now; it equals ``seen`` if nothing was written in time.
        """
        deadline = time.monotonic() + seconds
        while self.output.get(pane, 0) == seen and not self.closed:
            if not self.read_once(deadline - time.monotonic()) and time.monotonic() >= deadline:
                break
        return self.output.get(pane, 0)

    def listen(self, pane: str) -> bytearray:
        """Return where the bytes that ``pane`` writes from now on are put, exactly as written."""
        return self._heard.setdefault(pane, bytearray())

    def read_once(self, seconds: float) -> bool:
        """Read what has arrived, waiting at most ``seconds``; say whether anything had."""
        if self.closed or not select.select([self.fileno()], [], [], max(0.0, seconds))[0]:
            return False
        data = os.read(self.fileno(), PIPE_READ_BYTES)
        if not data:
            self.closed = True
            return True
        self._buffer = self._sort(self._buffer + data)
        return True

    def _connect(self, attach: list[str]) -> connection.Connection | Pipes:
        """Connect in the way that suits the server.

        ``tmux -C`` is only for a server whose version is known, because it could end an older one.
        """
        version = of_server(self.socket)
        for again in (True, False) if connection.speaks(version) else ():
            try:
                return connection.Connection(self.socket, version, attach, timeout=self._timeout)
            except TimeoutError:
                raise too_slow(self.socket, "attach-session", self._timeout) from None
            except OSError as error:
                if error.errno not in _NOBODY:
                    raise
                if not (again and error.errno in _HUNG_UP):
                    break
        if not version or connection.speaks(version):
            said = run(self.socket, "-N", "has-session", "-t", self.session).error
            raise no_server(self.socket, said)
        words = ["-u", "-N", "-C", *self.socket.arguments, *attach]
        return Pipes(words, merge_errors=True)

    def _wait_attached(self, deadline: float) -> None:
        """Wait for the attach command's own answer.

        Commands on standard input may be run before it (6 of 100 times with a session that was not
        there, tmux 3.3a, 2026-11-22), and then hear no ``%output``.
        """
        while self._attached is None and not self.closed:
            if not self.read_once(deadline - time.monotonic()) and time.monotonic() >= deadline:
                raise too_slow(self.socket, "attach-session", self._timeout)
        if not self._attached:
            raise self._gone()

    def _drain(self) -> None:
        self.read_once(0.0)

    def _sort(self, data: bytes) -> bytes:
        """Take the answers and notices in ``data``; return what has not arrived whole."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            line = data[start:end]
            if line.startswith(b"%begin "):
                start = self._take_answer(data, end, line[7:])
                if start < 0:
                    return data[end - len(line) :]
            else:
                self._take_notice(line)
                start = end + 1
        return data[start:]

    def _take_answer(self, data: bytes, start: int, guard: bytes) -> int:
        """Take the answer behind ``start``, the newline of its first line, whole.

        An answer ends with a line that repeats ``guard``. Returns where the next thing begins, -1
        if the end has not arrived.
        """
        for kind in (b"%end", b"%error"):
            last = b"\n%b %b\n" % (kind, guard)
            end = data.find(last, start)
            if end >= 0:
                break
        else:
            return -1
        reply = Reply(kind == b"%end", data[start + 1 : end + 1].decode("utf-8", "surrogateescape"))
        # The attach command itself answers with flags 0; only ours have 1.
        if guard.endswith(b" 1"):
            self._replies.append(reply)
        else:
            self._attached = reply.ok
            self._noise += reply.lines
        return end + len(last)

    def _take_notice(self, line: bytes) -> None:
        if line.startswith(b"%output "):
            name, _, data = line[8:].partition(b" ")
            pane = name.decode("ascii")
            self.output[pane] = self.output.get(pane, 0) + 1
            if pane in self._heard:
                self._heard[pane] += _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), data)
        elif line.startswith(b"%exit"):
            self.closed = True
        elif not line.startswith(b"%"):
            self._noise.append(line.decode("utf-8", "replace"))

    def _gone(self) -> NotFoundError:
        said = "; ".join(line for line in self._noise if line.strip())
        return no_server(self.socket, said)


def no_server(socket: Socket, said: str) -> NotFoundError:
    """Return the error for a server or session that is not there; ``said`` is tmux's message."""
    if "can't find session" in said:
        return NotFoundError(f"{said} on tmux server {socket}", code="no-session")
    if "Permission denied" in said:
        return NotFoundError(
            f"the tmux server {socket} belongs to another user, or its socket is closed to you "
            f"({said})",
            hint="Run torch as the user that owns the server.",
            code="no-access",
        )
    return NotFoundError(
        f"no tmux server answers at {socket}" + (f" ({said})" if said else ""),
        hint="'torch spawn NAME' starts an agent, and tmux for it. -L NAME or -S PATH means "
        "another server.",
        code="no-server",
    )
