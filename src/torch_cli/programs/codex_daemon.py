"""What Codex's shared daemon says of a conversation: whether a turn goes on, and what it waits for.

A Codex that was started without ``-c`` is a client of a daemon of the user's, which runs the turns
(0.169.0). It answers on a Unix socket in Codex's home, by WebSocket, in 3 ms (2026-11-30). Torch
asks it to read, and for nothing else.
"""

import base64
import contextlib
import json
import os
import re
import socket
import stat
import struct
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

SOCKET = os.path.join("app-server-control", "app-server-control.sock")
"""The daemon's socket, in the directory of Codex's settings."""

ASK_SECONDS = 0.5
"""Seconds that all of an exchange may take. A daemon that is slower says nothing."""

LARGEST_MESSAGE_BYTES = 1 << 20
"""The most bytes of one message of the daemon's. A thread without its turns has 2 KB."""

MOST_MESSAGES = 50
"""Messages that are read until the answer has come: it also sends news of other things."""

LONGEST_PATH_BYTES = 100
"""A socket's path may have 107 bytes on Linux, 103 on macOS."""

_THREAD = re.compile(r"-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.jsonl$")
_WAITS = re.compile(r"waitingOn[A-Za-z]{1,40}")
_TEXT, _CLOSE, _FINAL, _MASKED = 1, 8, 0x80, 0x80


class ThreadStatus(NamedTuple):
    """Whether a turn of the thread is ``active``, and the daemon's words for what it waits for."""

    active: bool
    waits: tuple[str, ...] = ()


def thread_of(rollout: str) -> str:
    """Return the id of the thread whose rollout that is, '' if its name has none."""
    found = _THREAD.search(rollout)
    return found[1] if found else ""


def status_of(home: str, thread: str) -> ThreadStatus | None:
    """Return what the daemon of the Codex with the directory ``home`` says of ``thread``.

    ``None`` if there is no daemon of this user's, it has not loaded that thread, or it does not
    answer in time.
    """
    path = os.path.join(home, SOCKET)
    try:
        about = os.stat(path)
        if not stat.S_ISSOCK(about.st_mode) or about.st_uid != os.getuid():
            return None
        with _short(path) as short, socket.socket(socket.AF_UNIX) as connection:
            asked = _Exchange(connection, time.monotonic() + ASK_SECONDS)
            asked.open(short)
            about_us = {"name": "torch", "title": "Torch", "version": "1"}
            asked.call("initialize", {"clientInfo": about_us})
            asked.tell("initialized")
            answer = asked.call("thread/read", {"threadId": thread, "includeTurns": False})
        return _status(answer)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def _short(path: str) -> Iterator[str]:
    """Give a path to that socket of at most ``LONGEST_PATH_BYTES``, if there can be one."""
    if len(os.fsencode(path)) <= LONGEST_PATH_BYTES or not os.path.isdir("/proc/self/fd"):
        yield path
        return
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


def _status(answer: dict[str, Any]) -> ThreadStatus | None:
    status = answer["thread"]["status"]
    if status["type"] == "active":
        flags = [one for one in status["activeFlags"] if isinstance(one, str)]
        return ThreadStatus(True, tuple(one for one in flags if _WAITS.fullmatch(one)))
    return ThreadStatus(False) if status["type"] == "idle" else None


class _Exchange:
    """A WebSocket connection, as its client. Raises ``OSError`` or ``ValueError`` if it breaks."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection, self._deadline = connection, deadline
        self._rest = b""
        self._calls = 0

    def open(self, path: str) -> None:
        """Connect, and change to WebSocket."""
        self._wait()
        self._connection.connect(path)
        key = base64.b64encode(os.urandom(16)).decode()
        head = ["GET / HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"]
        head += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
        self._connection.sendall("\r\n".join(head).encode())
        while b"\r\n\r\n" not in self._rest:
            self._more()
        answer, _, self._rest = self._rest.partition(b"\r\n\r\n")
        if b" 101 " not in answer.split(b"\r\n")[0]:
            raise ValueError("not a WebSocket")

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a call. Raises ``KeyError`` if it is an error."""
        self._calls += 1
        self._send({"id": self._calls, "method": method, "params": params})
        for _ in range(MOST_MESSAGES):
            answer = json.loads(self._receive())
            if answer.get("id") == self._calls and "method" not in answer:
                result: dict[str, Any] = answer["result"]
                return result
        raise ValueError("no answer")

    def tell(self, method: str) -> None:
        """Send what has no answer."""
        self._send({"method": method})

    def _send(self, message: dict[str, Any]) -> None:
        data, mask = json.dumps(message).encode(), os.urandom(4)
        short = len(data) < 126
        size = (
            bytes([_MASKED | len(data)]) if short else struct.pack(">BH", _MASKED | 126, len(data))
        )
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        self._wait()
        self._connection.sendall(bytes([_FINAL | _TEXT]) + size + mask + masked)

    def _receive(self) -> bytes:
        """Return the next text. The daemon sends each in one frame."""
        while True:
            first, size = self._take(2)
            if size == 126:
                (size,) = struct.unpack(">H", self._take(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self._take(8))
            if size > LARGEST_MESSAGE_BYTES or first & 0x0F == _CLOSE:
                raise ValueError("too long, or closed")
            data = self._take(size)
            if first == _FINAL | _TEXT:
                return data

    def _take(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._more()
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def _more(self) -> None:
        self._wait()
        piece = self._connection.recv(1 << 16)
        if not piece or len(self._rest) > LARGEST_MESSAGE_BYTES:
            raise ValueError("closed, or too long")
        self._rest += piece

    def _wait(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
