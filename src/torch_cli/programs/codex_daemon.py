"""What Codex's shared daemon says of a conversation: whether a turn goes on, and what it waits for.

A Codex that was started without ``-c`` is a client of a daemon of the user's, which runs the turns
(0.169.0). It answers on a Unix socket in Codex's home, by WebSocket, in 3 ms (2026-11-30). Torch
asks it to read, and for nothing else.
"""

import contextlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

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
    except OSError:
        return None
    if not stat.S_ISSOCK(about.st_mode) or about.st_uid != os.getuid():
        return None
    from websockets.exceptions import WebSocketException  # 60 ms

    try:
        with _asking(path) as asked:
            about_us = {"name": "torch", "title": "Torch", "version": "1"}
            asked.call("initialize", {"clientInfo": about_us})
            asked.tell("initialized")
            answer = asked.call("thread/read", {"threadId": thread, "includeTurns": False})
        return _status(answer)
    except (OSError, ValueError, KeyError, TypeError, WebSocketException):
        return None


@contextlib.contextmanager
def _asking(path: str) -> Iterator["_Calls"]:
    """Connect to the daemon whose socket that is."""
    from websockets.sync.client import unix_connect

    deadline = time.monotonic() + ASK_SECONDS
    limits: dict[str, Any] = {"open_timeout": ASK_SECONDS, "close_timeout": ASK_SECONDS}
    limits |= {"max_size": LARGEST_MESSAGE_BYTES, "ping_interval": None, "compression": None}
    with _short(path) as short, unix_connect(short, **limits) as connection:
        yield _Calls(connection, deadline)


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


class _Calls:
    """Calls over a connection, all of which must be answered by ``deadline``."""

    def __init__(self, connection: "ClientConnection", deadline: float) -> None:
        self._connection, self._deadline = connection, deadline
        self._count = 0

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the result. Raises ``KeyError`` if it is an error, ``OSError`` if none comes."""
        self._count += 1
        self._send({"id": self._count, "method": method, "params": params})
        for _ in range(MOST_MESSAGES):
            left = max(0.0, self._deadline - time.monotonic())
            answer = json.loads(self._connection.recv(timeout=left))
            if answer.get("id") == self._count and "method" not in answer:
                result: dict[str, Any] = answer["result"]
                return result
        raise TimeoutError

    def tell(self, method: str) -> None:
        """Send what has no answer."""
        self._send({"method": method})

    def _send(self, message: dict[str, Any]) -> None:
        self._connection.send(json.dumps(message))
