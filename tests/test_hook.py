"""``torch hook``: an event becomes a row; nothing that goes wrong is ever heard."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import PATIENCE
from torch_cli import paths
from torch_cli.store import Store

EVENT = {
    "hook_event_name": "UserPromptSubmit",
    "session_id": "5f2c",
    "prompt": "line one\nline 2 ünï 🙂",
    "cwd": "/tmp",
    "tool_name": "Bash",
    "tool_input": {"command": "echo a-secret"},
}
SOURCE = str(Path(paths.__file__).parents[1])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state directory with an empty store, at a path that a careless URI would break."""
    folder = tmp_path / "a b?mode=memory#%20"
    folder.mkdir()
    return folder


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    monkeypatch.setenv("TORCH_HOME", str(home))
    Store().close()
    connection = sqlite3.connect(home / "torch.db", isolation_level=None)
    yield connection
    connection.close()


def hook(
    home: Path | str, stdin: bytes | int | None = None, *, words: tuple[str, ...] = (), **more: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run the hook as an agent program does, with nothing in its environment but what is said."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": SOURCE, "TORCH_HOME": str(home)}
    env.update(more.pop("env", {}))
    given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    return subprocess.run(
        [sys.executable, *words, "-m", "torch_cli", "hook"],
        **given,
        env={key: value for key, value in env.items() if value},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        **more,
    )


def assert_silent(done: subprocess.CompletedProcess[bytes]) -> None:
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def rows(store: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return store.execute(
        "SELECT socket, pane, agent, name, session, prompt, detail FROM hook_events"
    ).fetchall()


def test_an_event_becomes_a_row(home: Path, store: sqlite3.Connection) -> None:
    env = {"TMUX": "/tmp/s,1/default,123,0", "TMUX_PANE": "%7", "TORCH_AGENT": "dev"}
    assert_silent(hook(home, json.dumps(EVENT).encode(), env=env))
    (row,) = rows(store)
    assert row[:6] == (
        *("/tmp/s,1/default", "%7", "dev", "UserPromptSubmit", "5f2c"),
        EVENT["prompt"],
    )
    assert json.loads(row[6]) == {"cwd": "/tmp", "tool_name": "Bash"}


def test_what_a_tool_was_given_is_not_kept(home: Path, store: sqlite3.Connection) -> None:
    assert_silent(hook(home, json.dumps(EVENT).encode()))
    assert "a-secret" not in str(rows(store))


def test_the_end_of_a_sub_agent_is_not_that_of_the_turn(
    home: Path, store: sqlite3.Connection
) -> None:
    """Claude Code 2.1.330 reports that it failed under the name of the turn's own failure."""
    failed = {"hook_event_name": "StopFailure", "last_assistant_message": "API Error: 400"}
    said = {"hook_event_name": "SubagentStop", "last_assistant_message": "Done."}
    for event in (
        failed | {"agent_id": "a1", "agent_type": "Explore"},
        failed | {"agent_id": "a2"},  # its own request, for a compaction
        said | {"agent_id": "a3", "agent_type": "Explore"},
    ):
        assert_silent(hook(home, json.dumps(event).encode()))
    found = [(row[3], json.loads(row[6])) for row in rows(store)]
    assert found == [
        ("SubagentStopFailure", {"agent_id": "a1", "agent_type": "Explore"}),
        ("StopFailure", {"last_assistant_message": "API Error: 400", "agent_id": "a2"}),
        ("SubagentStop", {"agent_id": "a3", "agent_type": "Explore"}),
    ]


def test_the_end_of_a_turn_says_what_is_left(home: Path, store: sqlite3.Connection) -> None:
    tasks = [{"id": "a1", "type": "subagent", "description": "looks"}, "odd"]
    event = {"hook_event_name": "Stop", "background_tasks": tasks}
    assert_silent(hook(home, json.dumps(event).encode()))
    assert json.loads(rows(store)[0][6]) == {"background": ["a1"]}


def test_an_event_of_several_megabytes_arrives_whole(home: Path, store: sqlite3.Connection) -> None:
    prompt = "x" * 9_000_000
    assert_silent(hook(home, json.dumps({"prompt": prompt}).encode()))
    assert rows(store)[0][5] == prompt


def test_a_prompt_that_is_reported_twice_is_one_row(home: Path, store: sqlite3.Connection) -> None:
    """Claude Code 2.1.330 runs the same hook of two settings files twice (2026-11-23)."""
    for prompt_id in ("p1", "p1", "p2"):
        assert_silent(hook(home, json.dumps({**EVENT, "prompt_id": prompt_id}).encode()))
    assert [json.loads(row[6])["prompt_id"] for row in rows(store)] == ["p1", "p2"]


def test_what_has_no_identity_is_kept_each_time(home: Path, store: sqlite3.Connection) -> None:
    for event in (EVENT, EVENT, {**EVENT, "hook_event_name": "Stop", "prompt_id": "p"}):
        assert_silent(hook(home, json.dumps(event).encode()))
    assert len(rows(store)) == 3


@pytest.mark.parametrize(
    "stdin",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\n", id="blank"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[" * 100_000, id="too deep"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b'{"prompt": "' + b"x" * (11 << 20) + b'"}', id="too large"),
    ],
)
def test_no_event_leaves_no_row(home: Path, store: sqlite3.Connection, stdin: bytes) -> None:
    assert_silent(hook(home, stdin))
    assert rows(store) == []


@pytest.mark.parametrize(
    "stdin",
    [
        pytest.param(b'{"hook_event_name": "Stop", "prompt": "\\ud800"}', id="lone surrogate"),
        pytest.param(b'{"hook_event_name": "Stop", "session_id": 4}', id="wrong types"),
        pytest.param(b'{"hook_event_name": "Stop", "prompt": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"hook_event_name": "Stop", "prompt": "a\\u0000b"}', id="NUL"),
    ],
)
def test_odd_events_are_kept(home: Path, store: sqlite3.Connection, stdin: bytes) -> None:
    assert_silent(hook(home, stdin))
    assert [row[3] for row in rows(store)] == ["Stop"]


def test_without_a_store_none_is_made(home: Path) -> None:
    assert_silent(hook(home, json.dumps(EVENT).encode()))
    assert list(home.iterdir()) == []


def test_a_store_that_another_writer_holds_is_waited_for(
    home: Path, store: sqlite3.Connection
) -> None:
    store.execute("BEGIN IMMEDIATE")
    other = subprocess.Popen(
        [sys.executable, "-m", "torch_cli", "hook"],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": SOURCE, "TORCH_HOME": str(home)},
    )
    assert other.stdin
    other.stdin.write(json.dumps(EVENT).encode())
    other.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(0.7)
    store.execute("COMMIT")
    assert other.wait(PATIENCE) == 0
    assert len(rows(store)) == 1


def test_a_store_that_stays_locked_is_given_up(home: Path, store: sqlite3.Connection) -> None:
    store.execute("BEGIN IMMEDIATE")
    assert_silent(hook(home, json.dumps(EVENT).encode()))
    store.execute("COMMIT")
    assert rows(store) == []


def test_trouble_with_the_store_is_silent(home: Path) -> None:
    event = json.dumps(EVENT).encode()
    (home / "torch.db").write_bytes(b"this is no database")
    assert_silent(hook(home, event))
    (home / "torch.db").unlink()
    sqlite3.connect(home / "torch.db").execute("CREATE TABLE other(x)")
    assert_silent(hook(home, event))


def test_a_full_disk_is_silent(home: Path, store: sqlite3.Connection) -> None:
    """A limit that holds for root as well: no file may grow."""

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    assert_silent(hook(home, json.dumps(EVENT).encode(), preexec_fn=no_room))
    assert rows(store) == []


def test_without_a_home_it_is_silent(home: Path) -> None:
    assert_silent(hook("", json.dumps(EVENT).encode(), cwd=home))
    assert_silent(hook("", json.dumps(EVENT).encode(), cwd=home, env={"HOME": "relative"}))
    assert list(home.iterdir()) == []


def test_a_terminal_is_not_waited_for(home: Path, store: sqlite3.Connection) -> None:
    master, terminal = os.openpty()
    try:
        assert_silent(hook(home, terminal))
    finally:
        os.close(master)
        os.close(terminal)


def test_an_input_that_never_ends_is_given_up(home: Path, store: sqlite3.Connection) -> None:
    reading, writing = os.pipe()
    try:
        assert_silent(hook(home, reading))
    finally:
        os.close(reading)
        os.close(writing)
    assert rows(store) == []


def test_a_closed_input_is_silent(home: Path, store: sqlite3.Connection) -> None:
    done = hook(home, subprocess.DEVNULL, preexec_fn=lambda: os.close(0))
    assert_silent(done)
    assert rows(store) == []


def test_it_imports_next_to_nothing(home: Path, store: sqlite3.Connection) -> None:
    """It runs at every prompt of every agent: at most three times the time of an empty Python."""
    done = hook(home, json.dumps(EVENT).encode(), words=("-X", "importtime"))
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}
    assert len(rows(store)) == 1
    assert "torch_cli.programs.hook" in imported
    ours = {name for name in imported if name.startswith("torch_cli")}
    allowed = (
        "torch_cli.__main__",
        "torch_cli.programs",
        "torch_cli.programs.hook",
        "torch_cli.paths",
    )
    assert ours - {"torch_cli", *allowed} == set()
    dear = {"click", "dataclasses", "inspect", "pathlib", "platformdirs", "subprocess", "typing"}
    assert imported & dear == set()


def test_it_costs_at_most_three_times_an_empty_python(
    home: Path, store: sqlite3.Connection
) -> None:
    """Least of many runs, taken in turn, so that a busy machine burdens both alike."""
    event = json.dumps(EVENT).encode()

    def cost(run: Any) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    empty, ours = [], []
    for number in range(100):
        empty.append(cost(lambda: subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)))
        ours.append(cost(lambda: hook(home, event)))
        if number >= 10 and min(ours) <= 3 * min(empty):
            return
    pytest.fail(f"{min(ours)} s of the processor, an empty Python {min(empty)} s")


def test_a_store_of_an_older_torch_takes_reports(home: Path, store: sqlite3.Connection) -> None:
    """Until a command of this one has opened it, it does not keep the server."""
    store.execute("ALTER TABLE hook_events DROP COLUMN server")
    assert_silent(hook(home, json.dumps(EVENT).encode(), env={"TMUX_PANE": "%7"}))
    told = {**EVENT, "hook_event_name": "Stop"}
    assert_silent(hook(home, json.dumps(told).encode(), env={"TMUX_PANE": "%7"}))
    assert [row[3] for row in rows(store)] == ["UserPromptSubmit", "Stop"]


def test_reports_of_another_server_are_not_those_of_a_pane_with_the_same_id(
    home: Path, store: sqlite3.Connection
) -> None:
    """Ids of panes begin again when a server has ended, and the path of its socket is the same."""
    for pid, session in (("123", "old"), ("456", "new"), ("no", "unknown")):
        env = {"TMUX": f"/tmp/s,{pid},0", "TMUX_PANE": "%1"}
        event = {**EVENT, "hook_event_name": "Stop", "session_id": session}
        assert_silent(hook(home, json.dumps(event).encode(), env=env))
    with Store() as opened:
        for pid, kept in (("123", ["old", "unknown"]), ("456", ["new", "unknown"])):
            found = opened.hooks.after(f"/tmp/s|{pid}|17", "%1", 0)
            assert [one.session for one in found] == kept
