"""What Codex's daemon says of a thread, from one that speaks its protocol."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from test_turn import Rollouts, Start, start
from torch_cli.programs import codex_daemon
from torch_cli.programs.codex_daemon import ThreadStatus, status_of, thread_of
from torch_cli.programs.record import TurnRecord, record_of

__all__ = ["start"]

THREAD = "01a22bbb-151c-74b0-aaa4-7d830029a848"
WAITS = {"type": "active", "activeFlags": ["waitingOnApproval"]}


def bind(listener: socket.socket, path: Path) -> None:
    """Bind it to a path that is longer than a socket's may be, as Codex does."""
    before = os.getcwd()
    os.chdir(path.parent)
    listener.bind(path.name)
    os.chdir(before)


class Daemon:
    """Answers as Codex's daemon does (0.169.0), with ``status`` for every thread."""

    def __init__(self, home: Path) -> None:
        self.status: Any = {"type": "idle"}
        self.asked: list[dict[str, Any]] = []
        path = home / codex_daemon.SOCKET
        path.parent.mkdir(parents=True)
        listener = socket.socket(socket.AF_UNIX)
        bind(listener, path)
        listener.listen()
        self._server = serve(self._serve, sock=listener)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(10)

    def _serve(self, connection: ServerConnection) -> None:
        for said in connection:
            message = json.loads(said)
            self.asked.append(message)
            for answer in self._answers(message):
                connection.send(json.dumps(answer))

    def _answers(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        if message["method"] == "initialize":
            return [{"id": message["id"], "result": {"userAgent": "codex-tui/0.169.0"}}]
        if message["method"] == "initialized":
            return [{"method": "configWarning", "params": {"summary": "long " * 100}}]
        if self.status is None:
            return [{"id": message["id"], "error": {"code": -32600, "message": "not loaded"}}]
        thread = {"id": message["params"]["threadId"], "status": self.status}
        return [{"id": message["id"], "result": {"thread": thread}}]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a path that is too long for a socket's, as people's may be."""
    return tmp_path / ("long" * 25) / "codex"


@pytest.fixture
def daemon(home: Path) -> Iterator[Daemon]:
    one = Daemon(home)
    yield one
    one.stop()


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({"type": "idle"}, ThreadStatus(False)),
        ({"type": "active", "activeFlags": []}, ThreadStatus(True)),
        (WAITS, ThreadStatus(True, ("waitingOnApproval",))),
        ({"type": "active", "activeFlags": ["\x1b[31m", 3]}, ThreadStatus(True)),
        ({"type": "notLoaded"}, None),
        ({"type": "systemError"}, None),
        ({"type": "active"}, None),
        ("odd", None),
        (None, None),
    ],
)
def test_a_daemon_says_whether_a_thread_is_active(
    home: Path, daemon: Daemon, status: Any, found: ThreadStatus | None
) -> None:
    daemon.status = status
    assert status_of(str(home), THREAD) == found
    assert [one["method"] for one in daemon.asked] == ["initialize", "initialized", "thread/read"]
    assert daemon.asked[-1]["params"] == {"threadId": THREAD, "includeTurns": False}


def test_without_a_daemon_nobody_says_anything(home: Path) -> None:
    assert status_of(str(home), THREAD) is None


def test_a_daemon_that_does_not_answer_is_not_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codex_daemon, "ASK_SECONDS", 0.2)
    path = home / codex_daemon.SOCKET
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        bind(listener, path)
        listener.listen()
        assert status_of(str(home), THREAD) is None


def test_the_thread_is_named_by_its_rollout() -> None:
    assert thread_of(f"/x/rollout-2026-11-30T09-14-02-{THREAD}.jsonl") == THREAD
    assert thread_of("/x/rollout-1.jsonl") == ""


def test_a_turn_without_an_end_goes_on_if_the_daemon_says_so(
    home: Path, daemon: Daemon, start: Start, tmp_path: Path
) -> None:
    """It also says that the turn waits for a person. That a turn has ended, it cannot say alone."""
    rollouts, where = Rollouts(home), (tmp_path / "work").resolve()
    process = start(where, CODEX_HOME=str(home))
    path = rollouts.write(THREAD, where, "task_started")
    assert thread_of(str(path)) == THREAD

    def found() -> TurnRecord:
        record = record_of("codex", process)
        assert record is not None
        return record

    assert (found().running, found().current) == (True, False)
    daemon.status = {"type": "active", "activeFlags": []}
    assert (found().running, found().current, found().asks) == (True, True, False)
    assert found().evidence == "Codex's daemon says that its thread is active"
    daemon.status = WAITS
    assert (found().asks, "(waitingOnApproval)" in found().evidence) == (True, True)
    rollouts.write("other", where, "task_started")
    assert record_of("codex", process) is None, "nobody knows which of two is its own"
    (home / "sessions").rename(home / "before")
    asked = len(daemon.asked)
    rollouts = Rollouts(home)
    rollouts.write(THREAD, where, "task_started", "task_complete")
    assert not found().running
    assert len(daemon.asked) == asked, "nobody is asked about what has ended"
