"""The conversations of Gemini CLI, opencode, Kilo and Qwen Code, as their own files keep them."""

import hashlib
import json
import os
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conftest import Torch, wait_until
from test_task import agent
from torch_cli import paths, procs
from torch_cli.lifecycle.resume import (
    arguments_for,
    check_alone,
    check_not_unknown,
    chosen,
    earlier,
    own_id,
    without_said,
)
from torch_cli.programs.conversation import began_since, latest_in, transcript_of, used_at
from torch_cli.programs.loading import load_profile
from torch_cli.roster.conversation import follow
from torch_cli.store import Store
from torch_cli.store.agents import Agent

GEMINI, OPENCODE = load_profile("gemini", None), load_profile("opencode", None)
KILO, QWEN = load_profile("kilo", None), load_profile("qwen", None)

ONE, TWO = "0040f54c-3260-41e1-b75d-f0ad2912bbae", "0040f54c-aaaa-41e1-b75d-f0ad2912bbae"
"""Their first eight digits are the same, and so are the ends of their files' names."""


def chat(home: Path, session: str, place: str, at: float, *said: str, kind: str = "main") -> Path:
    """Write a chat as Gemini CLI does (0.61.0)."""
    began = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    project = hashlib.sha256(os.path.realpath(place).encode()).hexdigest()
    head = {"sessionId": session, "projectHash": project, "startTime": began, "kind": kind}
    context = {"type": "user", "content": [{"text": "<session_context>"}]}
    users = [{"type": "user", "content": [{"text": one}]} for one in said]
    answers = [{"type": "gemini", "content": "OK."} for _ in said]
    lines = [head, {"$set": {"messages": [context]}}, *users, *answers]
    path = home / ".gemini" / "tmp" / "work" / "chats" / f"session-{at:.0f}-{session[:8]}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    os.utime(path, (at + 1, at + 1))
    return path


def recording(home: Path, session: str, place: str, at: float, *said: str) -> Path:
    """Write a chat as Qwen Code does (0.24.4)."""
    begun: dict[str, object] = {"type": "system", "subtype": "ui_telemetry", "cwd": place}
    lines = [begun] + [
        {"type": "user", "cwd": place, "message": {"role": "user", "parts": [{"text": one}]}}
        for one in said
    ]
    path = home / ".qwen" / "projects" / "-work" / "chats" / f"{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps({'sessionId': session, **line})}\n" for line in lines))
    os.utime(path, (at, at))
    return path


def sessions(
    home: Path,
    *rows: tuple[str, str | None, str, int],
    said: str = "hello",
    program: str = "opencode",
) -> None:
    """Write sessions as opencode does (1.18.33): id, parent, directory, and when it was used."""
    path = home / ".local" / "share" / program / f"{program}.db"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("CREATE TABLE session(id, parent_id, directory, time_updated, time_archived)")
        store.execute("CREATE TABLE message(id, session_id, time_created, data)")
        store.execute("CREATE TABLE part(id, message_id, data)")
        for session, parent, place, used in rows:
            values = (session, parent, os.path.realpath(place), used)
            store.execute("INSERT INTO session VALUES (?, ?, ?, ?, NULL)", values)
            user = json.dumps({"role": "user"})
            store.execute("INSERT INTO message VALUES (?, ?, 1, ?)", (session, session, user))
            part = json.dumps({"type": "text", "text": said})
            store.execute("INSERT INTO part VALUES (?, ?, ?)", (session, session, part))


def test_a_chat_of_gemini_is_found_by_its_whole_id(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    path = chat(tmp_path, ONE, str(tmp_path), 1000, "hello")
    chat(tmp_path, TWO, str(tmp_path), 2000)
    assert transcript_of("gemini", ONE, environ) == str(path)
    assert earlier(GEMINI, ONE, environ).conversation == ONE
    assert earlier(GEMINI, TWO, environ).conversation == "", "nobody has said anything in it"
    assert not transcript_of("gemini", "0040f54c", environ)
    assert not transcript_of("gemini", "*", environ)
    elsewhere = {"HOME": "/nowhere", "GEMINI_CLI_HOME": str(tmp_path)}
    assert transcript_of("gemini", ONE, elsewhere) == str(path)


def test_the_last_chat_is_that_of_the_directory(tmp_path: Path) -> None:
    here, environ = str(tmp_path), {"HOME": str(tmp_path)}
    chat(tmp_path, ONE, here, 1000, "hello")
    chat(tmp_path, "b" * 36, "/tmp", 2000, "hello")
    chat(tmp_path, "c" * 36, here, 3000, "hello", kind="subagent")
    chat(tmp_path, "d" * 36, here, 4000)
    assert latest_in("gemini", here, environ) == ONE
    assert chosen(GEMINI, "last", here, environ) == ONE


def test_only_the_one_chat_since_a_start_is_its_own(tmp_path: Path) -> None:
    here, environ = str(tmp_path), {"HOME": str(tmp_path)}
    chat(tmp_path, "a" * 36, here, 1000, "before")
    assert began_since("gemini", here, environ, 1500) == ""
    chat(tmp_path, "b" * 36, "/tmp", 2000, "elsewhere")
    chat(tmp_path, ONE, here, 2000)
    assert began_since("gemini", here, environ, 1500) == ONE
    chat(tmp_path, "c" * 36, here, 2500)
    assert began_since("gemini", here, environ, 1500) == "", "it may be either"
    assert began_since("gemini", here, environ, 1500, but=["c" * 36]) == ONE
    assert began_since("claude", here, environ, 1500) == ""


def test_a_damaged_chat_is_none(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    path = chat(tmp_path, ONE, str(tmp_path), 1000, "hello")
    whole = path.read_bytes()
    assert "deleted" not in earlier(GEMINI, TWO, environ).why
    path.write_bytes(whole.partition(b"\n")[2])
    assert "another one, started in the same directory" in earlier(GEMINI, ONE, environ).why
    for damage in (b"", b"[1]\n", bytes(range(256)) * 4, b"\0" + whole):
        path.write_bytes(damage)
        assert not transcript_of("gemini", ONE, environ)
        assert not latest_in("gemini", str(tmp_path), environ)
    path.write_bytes(whole[:-9])
    assert transcript_of("gemini", ONE, environ), "cut off at its end"


def test_a_chat_of_qwen_is_found_if_somebody_has_said_something_in_it(tmp_path: Path) -> None:
    here, environ = str(tmp_path), {"HOME": str(tmp_path)}
    assert not latest_in("qwen", here, environ)
    path = recording(tmp_path, ONE, here, 1000, "Fix it now.")
    recording(tmp_path, "b" * 36, "/tmp", 2000, "hello")
    recording(tmp_path, TWO, here, 3000)
    assert transcript_of("qwen", ONE, environ) == str(path)
    assert transcript_of("qwen", ONE, {"QWEN_HOME": str(tmp_path / ".qwen")}) == str(path)
    assert earlier(QWEN, TWO, environ).conversation == "", "nobody has said anything in it"
    assert latest_in("qwen", here, environ) == ONE
    assert used_at("qwen", ONE, environ) == 1000
    given = ["--model", "m", "Fix it now."]
    assert without_said(QWEN, ONE, given, environ) == given[:2]
    begun = ["--session-id", "old", "-i", "Fix it now.", "-y"]
    assert arguments_for(QWEN, ONE, begun) == ["--resume", ONE, "-y"]
    whole = path.read_bytes()
    for damage in (b"", b"[1]\n", bytes(range(256)) * 4):
        path.write_bytes(damage)
        assert not transcript_of("qwen", ONE, environ)
    path.write_bytes(b"\0 damaged\n" + whole)
    assert transcript_of("qwen", ONE, environ)


def test_a_session_of_kilo_is_found_in_a_file_of_its_own(tmp_path: Path) -> None:
    here, environ = str(tmp_path), {"HOME": str(tmp_path)}
    sessions(tmp_path, ("ses_other", None, here, 9000))
    assert not transcript_of("kilo", "ses_other", environ)
    rows = (("ses_one", None, here, 3000), ("ses_sub", "ses_one", here, 4000))
    sessions(tmp_path, *rows, program="kilo")
    assert earlier(KILO, "ses_one", environ).conversation == "ses_one"
    assert earlier(KILO, "ses_sub", environ).conversation == ""
    assert latest_in("kilo", here, environ) == "ses_one"
    assert used_at("kilo", "ses_one", environ) == 3.0
    assert used_at("kilo", "ses_none", environ) == 0.0


@pytest.mark.parametrize("version", ["0.60.9", "0.61.0", "1.0.0-nightly.2", ""])
def test_an_id_is_given_only_to_versions_that_take_it(tmp_path: Path, version: str) -> None:
    """The others would not start with an argument that they do not know."""
    package = tmp_path / "node_modules" / "gemini-cli"
    (package / "bundle").mkdir(parents=True)
    (package / "bundle" / "gemini.js").write_text("")
    if version:
        (package / "package.json").write_text(json.dumps({"version": version}))
    program = tmp_path / "gemini"
    program.symlink_to(package / "bundle" / "gemini.js")
    one, two = own_id(GEMINI, ["-y"], str(program)), own_id(GEMINI, ["-y"], str(program))
    assert bool(one) == (version in ("0.61.0", "1.0.0-nightly.2"))
    assert one != two or not one
    for chooses in ("--resume", "-r=latest", "--session-id=x"):
        assert own_id(GEMINI, [chooses], str(program)) == ""
    assert own_id(OPENCODE, [], str(program)) == ""


def test_an_agent_begins_under_an_id_of_its_own(
    store: Store, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once are told apart, and neither is said to continue anything."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    package = tmp_path / "gemini-cli"
    package.mkdir()
    (package / "package.json").write_text('{"version": "0.61.0"}')
    program = package / "gemini.js"
    asked = '[ "$1" = --version ] && exec echo 0.61.0'
    program.write_text(f'#!/bin/sh\n{asked}\necho "$@" >> {tmp_path}/given\nexec sleep 60\n')
    program.chmod(0o755)
    (tmp_path / "gemini").symlink_to(program)
    words = ("--profile", "gemini", "--dir", str(tmp_path), "--wait", "0", "--", "-y")
    assert [torch("spawn", name, *words).code for name in ("one", "two")] == [0, 0]
    given = tmp_path / "given"
    wait_until(lambda: given.exists() and given.read_text().count("\n") == 2, what="their starts")
    known = {one.name: one.conversation for one in store.agents.all()}
    lines = sorted(given.read_text().splitlines())
    assert lines == sorted(f"--session-id {id_} -y" for id_ in known.values())
    assert known["one"] != known["two"]


def test_a_session_of_opencode_is_found_unless_it_is_a_sub_agents(tmp_path: Path) -> None:
    here, environ = str(tmp_path), {"HOME": str(tmp_path)}
    assert not transcript_of("opencode", "ses_one", environ)
    sessions(
        tmp_path,
        ("ses_one", None, here, 1),
        ("ses_else", None, "/tmp", 2),
        ("ses_sub", "ses_one", here, 3),
    )
    assert earlier(OPENCODE, "ses_one", environ).conversation == "ses_one"
    assert earlier(OPENCODE, "ses_sub", environ).conversation == ""
    assert earlier(OPENCODE, "ses_none", environ).conversation == ""
    assert latest_in("opencode", here, environ) == "ses_one"
    moved = {"XDG_DATA_HOME": str(tmp_path / ".local" / "share")}
    assert transcript_of("opencode", "ses_one", moved)


@pytest.mark.parametrize("content", [b"", b"no database", bytes(4096)])
def test_a_file_that_is_no_database_has_no_session(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ".local" / "share" / "opencode" / "opencode.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    environ = {"HOME": str(tmp_path)}
    assert not transcript_of("opencode", "ses_one", environ)
    assert not latest_in("opencode", str(tmp_path), environ)


def test_the_first_message_is_not_said_again(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    chat(tmp_path, ONE, str(tmp_path), 1000, "Fix it now.")
    sessions(tmp_path, ("ses_one", None, str(tmp_path), 1), said="Fix it now.")
    given = ["--model", "m", "Fix it now."]
    assert without_said(GEMINI, ONE, given, environ) == given[:2]
    assert without_said(OPENCODE, "ses_one", given, environ) == given[:2]
    assert arguments_for(GEMINI, ONE, ["-i", "Fix it now.", "-y"]) == ["--resume", ONE, "-y"]
    begun = ["--session", "old", "--prompt", "Fix it now.", "-m", "m"]
    assert arguments_for(OPENCODE, "ses_one", begun) == ["--session", "ses_one", "-m", "m"]


def told(at: Agent, name: str, session: str) -> None:
    """Record what the plugin in the agent's pane reports."""
    with closing(sqlite3.connect(paths.database())) as store, store:
        row = (time.time(), at.socket, at.pane, at.name, name, session, "", "{}")
        columns = "at, socket, pane, agent, name, session, prompt, detail"
        store.execute(f"INSERT INTO hook_events({columns}) VALUES (?,?,?,?,?,?,?,?)", row)


def test_the_conversation_of_opencode_is_the_one_that_is_spoken_in(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    here = str(tmp_path)
    sessions(
        tmp_path,
        ("ses_one", None, here, 1),
        ("ses_two", None, here, 2),
        ("ses_sub", "ses_two", here, 3),
    )
    dev = agent(store, "dev")._replace(profile="opencode", program_pid=2**22 + 1)
    seen = []
    for name, session in (
        ("session.idle", "ses_two"),
        ("chat.message", "ses_one"),
        ("chat.message", "ses_two"),
        ("chat.message", "ses_sub"),
        ("chat.message", "ses_gone"),
    ):
        told(dev, name, session)
        dev = follow(store, dev)
        seen.append(dev.conversation)
    assert seen == ["", "ses_one", "ses_two", "ses_two", "ses_two"]


def test_the_conversation_of_gemini_is_known_once_it_is_ready_and_then_stays(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before that, the one chat there may be another's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    dev = agent(store, "dev")._replace(
        profile="gemini", program_pid=2**22 + 1, directory=str(tmp_path), ready=None
    )
    chat(tmp_path, ONE, str(tmp_path), dev.created + 1)
    assert follow(store, dev).conversation == ""
    dev = follow(store, dev._replace(ready=dev.created + 3))
    assert dev.conversation == ONE
    chat(tmp_path, "c" * 36, str(tmp_path), dev.created + 9, "another's")
    assert follow(store, dev).conversation == ONE


def install_gemini(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a program of that name, which only waits, on the path, and ``home`` as home."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    program = home / "gemini"
    program.write_text("#!/bin/sh\nsleep 60\n")
    program.chmod(0o755)


def test_no_agent_is_started_in_a_conversation_that_another_has(
    store: Store, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_gemini(tmp_path, monkeypatch)
    chat(tmp_path, ONE, str(tmp_path), 1000, "hello")
    me = procs.identify(os.getpid())
    assert me is not None
    agent(store, "dev")
    store.database.write(
        "UPDATE agents SET conversation = ?, program_pid = ?, program_started = ?",
        *(ONE, me.pid, me.started),
    )
    done = torch(
        *("spawn", "other", "--profile", "gemini", "--dir", str(tmp_path)),
        *("--resume", "last", "--json"),
    )
    assert (done.code, done.json["error"]["code"]) == (4, "in-use"), done
    assert "agent 'dev' has the conversation" in done.json["error"]["message"]
    assert store.agents.get("other") is None
    store.database.write("UPDATE agents SET program_pid = ?", 2**22 + 1)
    check_alone(store, "other", ONE)


def test_none_is_started_in_a_conversation_that_may_be_open_where_nobody_knows(
    store: Store, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was used since an agent of that program began whose own conversation is not known."""
    install_gemini(tmp_path, monkeypatch)
    me = procs.identify(os.getpid())
    assert me is not None
    began = procs.begun(me)
    assert began is not None
    path = chat(tmp_path, ONE, str(tmp_path), began + 5, "hello")
    chat(tmp_path, "c" * 36, str(tmp_path), began + 6)
    agent(store, "dev")
    store.database.write(
        "UPDATE agents SET conversation = '', program_pid = ?, program_started = ?, profile = ?,"
        " directory = ?, created = ?, ready = ?",
        *(me.pid, me.started, "gemini", str(tmp_path), began, began + 1),
    )
    words = ("spawn", "other", "--profile", "gemini", "--dir", str(tmp_path), "--wait", "0")
    done = torch(*words, "--resume", ONE, "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "in-use"), done
    assert "agent 'dev' may have the conversation" in done.json["error"]["message"]
    assert store.agents.get("other") is None
    store.database.write("UPDATE agents SET conversation = ?", "d" * 36)
    done = torch(*words, "--resume", ONE, "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "in-use"), done
    assert "by /clear for example" in done.json["error"]["message"]
    told(store.agents.all()[0], "SessionStart", "d" * 36)
    check_not_unknown(store, GEMINI, ONE, str(tmp_path), {"HOME": str(tmp_path)})
    store.database.write("DELETE FROM hook_events")
    os.utime(path, (began - 60, began - 60))
    done = torch(*words, "--resume", ONE, "--json")
    assert done.code == 0, done


def test_a_program_may_begin_its_conversation_before_it_is_registered(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(procs, "environment", lambda pid: {"HOME": str(tmp_path)})
    me = procs.identify(os.getpid())
    assert me is not None
    now = time.time()
    dev = agent(store, "dev")._replace(
        profile="gemini", program_pid=me.pid, program_started=me.started, directory=str(tmp_path)
    )
    dev = dev._replace(created=now, ready=now + 1)
    chat(tmp_path, "c" * 36, str(tmp_path), now - 10**6, "before it")
    chat(tmp_path, ONE, str(tmp_path), now - 0.01)
    assert follow(store, dev).conversation == ONE
