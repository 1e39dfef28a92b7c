"""A control client that introduces itself in one step, because a server died of the usual one.

``tmux -C`` says first that it is a control client, and in later writes the rest. A server before
3.7 that has something to tell all control clients in between dies, with everything in it (GitHub
issues 4980 and 5004): six processes that connected 25 times each ended it in 30 of 30 rounds,
whoever was killed meanwhile made it worse, and no lock reaches what people do. Here the descriptors
go first, and that it is a control client, and all that is left, in one write, which the server
reads as one: none died in 20 rounds of 6 times 250 (3.3a, 2026-11-26). It also takes 1 ms where the
process takes 5.

What is said is in tmux-protocol.h and ``client_send_identify()`` in client.c, the same in all of
those versions but for the frame, imsg, of which 3.6 has a newer kind. They will not change any
more, and with other versions ``tmux -C`` is used: no other server is ever spoken to like this. An
attached client's environment, directory and terminal mean nothing to the server, and are not given.

One thing is worse: a Torch that is stopped (SIGSTOP, Ctrl-Z) cannot leave, and a server that is
killed meanwhile stays until it continues.
"""

import _socket  # "socket" costs 6 ms to import: more than the process that is saved
import _thread
import contextlib
import errno
import fcntl
import os
import re
import select
import sys
import time
from collections.abc import Sequence

from torch_cli.tmux.process import PIPE_READ_BYTES, Streams
from torch_cli.tmux.socket import Socket

_VERSIONS = re.compile(r"3\.[2-6][a-z]?")
_NEW_FRAME = re.compile(r"3\.6")

_PROTOCOL = 8
_HEADER = 16
_TERM, _TTYNAME, _STDIN, _DONE, _CLIENTPID, _CWD = 101, 102, 104, 106, 107, 108
_STDOUT, _LONGFLAGS, _COMMAND = 110, 111, 200

_CONTROL_UTF8 = 0x2000 | 0x10000
"""CLIENT_CONTROL and CLIENT_UTF8 in tmux.h."""

_GO = {12, 201, 202, 203, 204, 210, 217}
"""VERSION, DETACH, DETACHKILL, EXIT, EXITED, SHUTDOWN and EXEC: the client has to go."""

_FULL_QUEUE_POLL_SECONDS = 0.01
"""Seconds between two tries to reach a server whose queue of clients is full."""

_LET_GO_SECONDS = 1.0
"""Seconds that the server is given to let go of a client that has left; it takes 0.2 ms."""


class Connection(Streams):
    """A control client of the server at ``socket``, of ``version``, that runs ``command``.

    Raises ``OSError`` if it cannot be reached, ``TimeoutError`` if not in ``timeout`` seconds.
    """

    def __init__(
        self, socket: Socket, version: str, command: Sequence[str], *, timeout: float
    ) -> None:
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._lock = _thread.allocate_lock()
        self._frame = _Frame(version)
        theirs: list[int] = []
        try:
            self._reach(socket.file, time.monotonic() + timeout)
            self.open_streams(theirs)
            self._end_before_stdin()
            self._introduce(theirs, command)
            self._start_thread()
        except BaseException:
            self._socket.close()
            self.close_streams()
            raise
        finally:
            for fd in theirs:
                os.close(fd)

    def close(self) -> None:
        """Leave, and wait until the server has let go. What it has not read yet, it may drop.

        It is not told to go by the end of its input: a server before 3.7 that reads this while
        output of a pane is on its way to the client can end, with everything in it.
        """
        if self.stdout < 0:
            return
        self._leave()
        deadline = time.monotonic() + _LET_GO_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.stdout], [], [], left)[0] and not os.read(
                self.stdout, PIPE_READ_BYTES
            ):
                break
        self.close_streams()

    def _end_before_stdin(self) -> None:
        """Have the connection end before the server's input does, also if this process is killed.

        Of a killed process, Linux releases the highest descriptor first (since 4.3).
        """
        above = fcntl.fcntl(self._socket, fcntl.F_DUPFD_CLOEXEC, self.stdin + 1)
        earlier, self._socket = self._socket, _socket.socket(fileno=above)
        self._socket.settimeout(earlier.gettimeout())
        earlier.close()

    def _reach(self, file: str, deadline: float) -> None:
        """Connect; a server that is busy may have too many who wait for it."""
        while True:
            try:
                self._socket.connect(file)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TimeoutError from None
                # Nobody tells when there is room.
                select.select([], [], [], _FULL_QUEUE_POLL_SECONDS)
            else:
                return

    def _introduce(self, theirs: Sequence[int], command: Sequence[str]) -> None:
        frame = self._frame
        about = frame.message(_TERM, b"\0") + frame.message(_TTYNAME, b"\0")
        self._socket.sendall(about + frame.message(_CWD, b"/\0"))
        for kind, fd in ((_STDIN, theirs[0]), (_STDOUT, theirs[1])):
            rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, _number(fd))
            self._socket.sendmsg([frame.message(kind, has_fd=True)], [rights])
        words = b"".join(os.fsencode(word) + b"\0" for word in command)
        self._socket.sendall(
            frame.message(_CLIENTPID, _number(os.getpid()))
            + frame.message(_LONGFLAGS, _number(_CONTROL_UTF8, 8))
            + frame.message(_DONE)
            + frame.message(_COMMAND, _number(len(command)) + words)
        )

    def _start_thread(self) -> None:
        try:
            _thread.start_new_thread(self._leave_when_told, ())
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, str(error)) from None

    def _leave_when_told(self) -> None:
        """End the connection when the server says so: it waits for that, whatever else we do."""
        data = b""
        with contextlib.suppress(OSError):
            self._socket.settimeout(None)
            while piece := self._socket.recv(4096):
                kind, data = self._frame.take(data + piece)
                while kind and kind not in _GO:
                    kind, data = self._frame.take(data)
                if kind:
                    break
        with self._lock:  # a descriptor that is closed may be another's at once
            self._socket.close()

    def _leave(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._socket.shutdown(_socket.SHUT_RDWR)


class _Frame:
    """How messages are framed: imsg's header, by the version of the server."""

    def __init__(self, version: str) -> None:
        self._new = _NEW_FRAME.match(version) is not None

    def message(self, kind: int, data: bytes = b"", *, has_fd: bool = False) -> bytes:
        """Return a message; ``has_fd`` says that a descriptor goes with it."""
        size = _HEADER + len(data)
        if self._new:
            length = _number(size | (0x80000000 if has_fd else 0))
        else:
            length = _number(size, 2) + _number(int(has_fd), 2)
        return _number(kind) + length + _number(_PROTOCOL) + _number(os.getpid()) + data

    def take(self, data: bytes) -> tuple[int, bytes]:
        """Return the kind of the first message in ``data``, 0 if it is not whole, and the rest."""
        if len(data) < _HEADER:
            return 0, data
        size = int.from_bytes(data[4 : 8 if self._new else 6], sys.byteorder) & 0x7FFFFFFF
        if len(data) < size:
            return 0, data
        return int.from_bytes(data[:4], sys.byteorder), data[max(size, _HEADER) :]


def speaks(version: str) -> bool:
    """Say whether a server of ``version`` is to be spoken to like this."""
    return _VERSIONS.fullmatch(version) is not None and sys.platform in ("linux", "darwin")


def _number(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, sys.byteorder)
