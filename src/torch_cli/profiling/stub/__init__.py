"""A stub of an agent's API on loopback: it answers as it is told, and keeps each request.

Its log is the ground truth of every proof: a message arrived if it is in a request. A handler
speaks one API: ``messages`` that of Claude Code, ``responses`` that of Codex, ``gemini`` that of
Gemini CLI, ``completions`` that of opencode and aider. As a program of its own (``python -m
torch_cli.profiling.stub --log FILE``) it prints its URL. ``POST /control`` takes JSON with any of
``mode``, ``delay``, ``answer``, ``pace``, ``command``, ``status``, ``hold`` and ``release``.
"""

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

ANSWER_SECONDS = 0.1
"""The least seconds that an answer takes, for programs that show only then that they work."""

PING_SECONDS = 0.5
"""Seconds between the pings that keep a waiting stream alive."""


class StubMode(StrEnum):
    """What the next answers are: text, a call of the shell tool, or an error."""

    TEXT = "text"
    TOOL = "tool"
    ERROR = "error"


@dataclass(frozen=True)
class Behaviour:
    """How a request is answered: after ``delay`` seconds, with ``answer`` or with a tool call.

    ``pace`` is the seconds that pass behind each line of ``answer``; at 0 it comes in one piece.
    In mode ``tool`` the answer asks the program to run ``command`` in its shell, or to use ``tool``
    with ``given`` if ``tool`` is set. A request that brings the result of the last call is answered
    with text, or with ``again`` by another call. ``status`` is the HTTP status of mode ``error``,
    and ``headers`` are those of its answer. An error of Codex's or Google's API takes more
    fields from ``given``, such as ``resets_at`` or ``details``.
    """

    mode: StubMode = StubMode.TEXT
    delay: float = 0.0
    answer: str = "OK."
    pace: float = 0.0
    command: str = "touch approved"
    status: int = 500
    tool: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def calls(self, request: "StubRequest") -> bool:
        """Return whether ``request`` is answered by a tool call."""
        return self.mode is StubMode.TOOL and (self.again or not request.brings_result)

    def call(
        self, shell: str, more: Mapping[str, Any], key: str = "command"
    ) -> tuple[str, dict[str, Any]]:
        """Return the name and the arguments of the tool call.

        ``shell`` is the name of the program's shell tool, which takes the command as ``key``, and
        wants ``more`` arguments beside it.
        """
        if self.tool:
            return self.tool, dict(self.given)
        return shell, {key: self.command, **more}


@dataclass
class StubRequest:
    """One request for an answer of the conversation, and its outcome.

    ``texts`` are the text blocks that are new: those behind the last answer. ``side`` marks a
    request that the program makes for itself (a title, a summary). Such a request has no tools.
    ``result`` is what the last tool call came to, in the API's words, if it is brought along.
    """

    number: int
    at: float
    texts: tuple[str, ...]
    side: bool = False
    brings_result: bool = False
    result: str = ""
    outcome: str = "open"
    """``open``, ``answered``, or ``aborted`` when the program hung up first."""


@dataclass
class Hold:
    """An answer that has begun and waits in the middle of its stream until it is released."""

    entered: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    behaviour: Behaviour = field(default_factory=Behaviour)
    released_at: float = 0.0

    def wait(self, timeout: float = 10.0) -> None:
        """Wait until a request hangs on this hold."""
        if not self.entered.wait(timeout):
            raise TimeoutError(f"no request came within {timeout:g} s")

    def release(self, behaviour: Behaviour) -> None:
        """Continue the answer as ``behaviour`` says. Its delay counts from now."""
        self.behaviour = behaviour
        self.released_at = time.time()
        self.released.set()


class StubServer:
    """The stub: start it, point the program at ``url``, and read ``requests``."""

    def __init__(self, handler: "type[Handler]", log: Path | None = None, port: int = 0) -> None:
        self.behaviour = Behaviour()
        self._requests: list[StubRequest] = []
        self._holds: list[Hold] = []
        self._lock = threading.Lock()
        self._log = log
        self._stopping = threading.Event()
        bound = type("BoundHandler", (handler,), {"server_stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), bound)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where the stub listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[StubRequest]:
        """The requests of the conversation so far, without those with ``side``."""
        with self._lock:
            return [request for request in self._requests if not request.side]

    @property
    def busy(self) -> bool:
        """Whether an answer is still being given."""
        return any(request.outcome == "open" for request in self.requests)

    def texts(self, since: int = 0) -> list[str]:
        """Return the new text blocks of the requests from number ``since`` on (0: of all)."""
        return [text for one in self.requests[since:] for text in one.texts]

    def start(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End every stream, and then the stub."""
        self._stopping.set()
        for hold in self._holds:
            hold.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    @contextmanager
    def behaving(self, behaviour: Behaviour) -> Iterator[None]:
        """Answer as ``behaviour`` says inside the block, and as before after it."""
        before, self.behaviour = self.behaviour, behaviour
        try:
            yield
        finally:
            self.behaviour = before

    def hold(self) -> Hold:
        """Have the next request of the conversation wait in mid-stream until it is released."""
        hold = Hold()
        with self._lock:
            self._holds.append(hold)
        return hold

    def holds(self) -> list[Hold]:
        """Return the holds that are not released yet, also those that no request waits on."""
        with self._lock:
            return [hold for hold in self._holds if not hold.released.is_set()]

    # What follows is called by the handler's threads.

    def receive(self, news: "News") -> tuple[StubRequest, Hold | None]:
        """Record a request. The second value is the hold that the request has to wait for."""
        side = news.side
        with self._lock:
            request = StubRequest(len(self._requests), time.time(), *news)
            self._requests.append(request)
            free = (
                one for one in self._holds if not (one.entered.is_set() or one.released.is_set())
            )
            hold = None if side else next(free, None)
            if hold:
                hold.entered.set()
        self._write(request)
        return request, hold

    def finish(self, request: StubRequest, outcome: str) -> None:
        """Record how the answer to ``request`` ended."""
        request.outcome = outcome
        self._write(request)

    def wait(self, seconds: float, hold: Hold | None = None) -> Iterator[None]:
        """Yield once every ``PING_SECONDS`` until the time, and then the hold, is over."""
        until = time.monotonic() + seconds
        while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
            self._stopping.wait(min(PING_SECONDS, left))
            yield
        while hold and not self._stopping.is_set() and not hold.released.wait(PING_SECONDS):
            yield

    def control(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Do what a control request asks (see the module's docstring); return the behaviour."""
        self.behaviour = _changed(self.behaviour, wanted)
        if wanted.get("hold"):
            self.hold()
        if "release" in wanted:
            for hold in self.holds():
                hold.release(_changed(self.behaviour, wanted["release"]))
        return asdict(self.behaviour)

    def _write(self, request: StubRequest) -> None:
        if self._log is not None:
            line = json.dumps({"t": time.time(), **asdict(request)})
            with self._lock, self._log.open("a") as file:
                file.write(line + "\n")


class News(NamedTuple):
    """What is new in a request. The fields are those of ``StubRequest``."""

    texts: tuple[str, ...]
    side: bool
    brings_result: bool
    result: str = ""


class Handler(ABC, BaseHTTPRequestHandler):
    """Speaks HTTP. The stub decides what to answer, a subclass decides in which form."""

    protocol_version = "HTTP/1.1"
    server_stub: StubServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the terminal clean: the stub has its own log."""

    def do_HEAD(self) -> None:
        self._send(200, b"")

    def do_GET(self) -> None:
        self._send_json(404, {"error": {"type": "not_found_error", "message": "stub"}})

    def do_POST(self) -> None:
        body = json.loads(self._body() or b"{}")
        path = self.path.partition("?")[0]
        if path == "/control":
            self._send_json(200, self.server_stub.control(body))
        else:
            self.serve(path, body)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    @abstractmethod
    def serve(self, path: str, body: dict[str, Any]) -> None:
        """Answer a request of the program to ``path``."""

    def answer(self, body: dict[str, Any], news: News) -> None:
        """Record the request and how it ends: answered, or given up by the program."""
        request, hold = self.server_stub.receive(news)
        try:
            self.reply(request, hold, body)
        except OSError:
            self.close_connection = True
            self.server_stub.finish(request, "aborted")
        else:
            self.server_stub.finish(request, "answered")

    @abstractmethod
    def reply(self, request: StubRequest, hold: Hold | None, body: dict[str, Any]) -> None:
        """Write the answer to a request of the conversation."""

    def begin_stream(self) -> None:
        """Begin an answer of server-sent events, which ends with the connection."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

    def fail(self, behaviour: Behaviour, value: object) -> None:
        """Answer with the error ``value`` once the behaviour's delay is over."""
        for _ in self.server_stub.wait(behaviour.delay):
            pass
        self._send_json(behaviour.status, value, behaviour.headers)

    def ping(self) -> None:
        """Keep a waiting stream alive."""
        self.wfile.write(b": ping\n\n")
        self.wfile.flush()

    def await_turn(self, behaviour: Behaviour, hold: Hold | None) -> Behaviour:
        """Keep the stream open until it is time to answer; return how."""
        for _ in self.server_stub.wait(0 if hold else behaviour.delay, hold):
            self.ping()
        if hold is not None:
            behaviour = hold.behaviour
            for _ in self.server_stub.wait(behaviour.delay):
                self.ping()
        return behaviour

    def pieces(self, behaviour: Behaviour) -> Iterator[str]:
        """Yield the text of the answer in the pieces, and at the pace, in which it streams."""
        if not behaviour.pace:
            yield behaviour.answer
            return
        for line in behaviour.answer.splitlines(keepends=True):
            yield line
            for _ in self.server_stub.wait(behaviour.pace):
                pass

    def event(self, kind: str, **fields: Any) -> None:
        """Write one server-sent event."""
        data = json.dumps({"type": kind, **fields})
        self.wfile.write(f"event: {kind}\ndata: {data}\n\n".encode())
        self.wfile.flush()

    def _send_json(
        self, status: int, value: object, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._send(status, json.dumps(value).encode(), headers)

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _changed(behaviour: Behaviour, wanted: dict[str, Any]) -> Behaviour:
    """Return ``behaviour`` with the fields in ``wanted``. Unknown names are ignored."""
    fields = asdict(behaviour)
    fields |= {name: value for name, value in wanted.items() if name in fields}
    return Behaviour(**{**fields, "mode": StubMode(fields["mode"])})
