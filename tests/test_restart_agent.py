"""``torch restart``: the same agent in a new program, and what becomes of what was on its way."""

import itertools
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent, on_its_way, spawn_demo
from conftest import TmuxServer, Torch, wait_until
from test_stop import child_in, mule
from test_task import agent
from torch_cli import paths, procs
from torch_cli.errors import NotFoundError
from torch_cli.lifecycle.notice import restart_notice, take_out_earlier
from torch_cli.lifecycle.restart import in_its_conversation, plan_restart, restart
from torch_cli.lifecycle.resume import arguments_for, chosen, earlier, without_said
from torch_cli.lifecycle.spawn import SpawnOrder
from torch_cli.lifecycle.survivors import survivors
from torch_cli.programs.conversation import latest_in, transcript_of
from torch_cli.programs.loading import load_profile
from torch_cli.roster.actor import Actor
from torch_cli.roster.conversation import follow
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import Task
from torch_cli.tasks import life
from torch_cli.watch.end import end_of

CLAUDE, CODEX = load_profile("claude", None), load_profile("codex", None)
PATH = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"}


def agent_now(name: str = "demo") -> Agent:
    with Store() as store:
        found = store.agents.get(name)
    assert found is not None
    return found


def again(torch: Torch, *options: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    done = torch("restart", "demo", "--yes", "--json", *options, env={**PATH, **(env or {})})
    assert done.code == 0, done.out + done.err
    answer: dict[str, Any] = done.json
    return answer


def test_the_agent_stays_who_it_is(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    """Its identity, its task, its arguments and its session stay, and it is told once."""
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--frame", "0.01")
    before = agent_now()
    with Store() as store:
        task = life.add(store, Task(id="", title="the parser"))
        assert life.claim(store, before, Actor(None), task, ()) is not None
    done = again(torch)
    now = agent_now()
    assert (now.identity, now.session) == (before.identity, "agents")
    assert now.arguments == before.arguments
    assert "--frame" in now.arguments
    assert now.pane != before.pane
    assert done["pid"] == now.pane_pid != before.pane_pid
    assert done["resumed"] is False
    assert "'demo'" in done["why_new"]
    wait_until(lambda: any("Your program was restarted" in one for one in demo.submitted()))
    (told,) = (one for one in demo.submitted() if "Your program was restarted" in one)
    assert "a person asked for it" in told
    assert "the parser" in told
    windows = tmux.cmd("list-windows", "-t", "agents", "-F", "#{window_name}").split()
    assert windows == ["demo"], "the old window is closed"


def test_without_consent_nothing_happens(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    spawn_demo(tmux, torch, tmp_path / "project")
    before = agent_now()
    refused = torch("restart", "demo", "--json", env=PATH)
    assert refused.json["error"]["code"] == "no-consent"
    assert "new conversation" in refused.json["error"]["message"]
    assert agent_now() == before
    assert procs.alive(procs.Process(before.program_pid, before.program_started))


def test_what_does_not_end_is_not_forced_to(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    mule("deaf")
    words = ("--profile", "mule", "--dir", str(tmp_path), "--wait", "0", "--json")
    pane = tmux.pane(torch("spawn", "mule", *words).json["pane"])
    child = procs.identify(child_in(tmux, pane))
    before = agent_now("mule")
    left = torch("restart", "mule", "--yes", "--json")
    assert (left.code, left.json["error"]["code"]) == (4, "still-running")
    assert agent_now("mule") == before
    assert procs.alive(procs.Process(before.program_pid, before.program_started))
    assert child is not None
    assert procs.alive(child)


def test_a_program_is_not_what_an_earlier_one_has_left(
    demo: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a process began is known to some microseconds only, and differs from look to look."""
    begun, looks = procs.begun, itertools.count()

    def seems_earlier(process: procs.Process) -> float | None:
        at = begun(process)
        return None if at is None else at - next(looks) / 1000

    monkeypatch.setattr(procs, "begun", seems_earlier)
    assert survivors(agent_now()) == ()


def test_a_command_that_outlives_its_program_is_told_and_not_ended(
    demo: DemoAgent, torch: Torch
) -> None:
    """As one of Claude Code's is, which has a session of its own."""
    given = procs.environment(agent_now().program_pid)
    assert given is not None
    another = given | {"TORCH_AGENT": "another"}
    commands = [
        subprocess.Popen(["sleep", "600"], env=variables, start_new_session=True)
        for variables in (given, another)
    ]
    try:
        demo.kill()
        done = again(torch)
        assert done["left"] == [{"pid": commands[0].pid, "program": "sleep"}]
        wait_until(lambda: any(f"sleep ({commands[0].pid})" in one for one in demo.submitted()))
        assert commands[0].poll() is None
    finally:
        for command in commands:
            command.kill()
            command.wait()


@pytest.mark.parametrize("gone", ["program", "pane", "server"])
def test_what_has_fallen_is_started_again(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch, gone: str
) -> None:
    before = agent_now()
    if gone == "program":
        demo.kill()
    elif gone == "pane":
        tmux.new_session("mine", "cat")
        tmux.cmd("kill-pane", "-t", demo.pane.id)
    else:
        tmux.cmd("kill-server")
    program = procs.Process(before.program_pid, before.program_started)
    wait_until(lambda: not procs.alive(program), what="its end")
    again(torch)
    assert agent_now().identity == before.identity
    assert torch("state", "demo", "--json").json["state"] in ("idle", "working")


def test_variables_are_kept_by_name_alone(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    words = ("--profile", "demo", "--dir", str(tmp_path), "--env", "SHOP_KEY=s3cret-value")
    assert torch("spawn", "demo", *words, env=PATH).code == 0
    with sqlite3.connect(paths.database()) as store:
        assert "s3cret-value" not in "\n".join(store.iterdump())
    again(torch)
    program = procs.environment(agent_now().program_pid) or {}
    assert program["SHOP_KEY"] == "s3cret-value", "taken from the program that ran"
    os.kill(agent_now().program_pid, 9)
    wait_until(lambda: procs.environment(agent_now().program_pid) is None, what="its end")
    refused = torch("restart", "demo", "--yes", "--json", env=PATH)
    assert refused.json["error"]["code"] == "no-variable", refused
    again(torch, env={"SHOP_KEY": "another"})
    assert (procs.environment(agent_now().program_pid) or {})["SHOP_KEY"] == "another"


def test_what_was_on_its_way_is_accounted_for(demo: DemoAgent, torch: Torch) -> None:
    """A text that was typed and not proven is unknown, and not typed again; one that waits goes."""
    typed = on_its_way(agent_now())
    done = again(torch)
    assert done["unknown"] == [typed]
    lost = torch("receipt", typed, "--json").json
    assert lost["state"] == "unknown"
    assert "gone" in lost["reason"]
    torch("tick", "--json")
    wait_until(lambda: demo.submitted().count("not typed yet") == 1, what="the one that waits")
    assert "perhaps typed" not in demo.submitted()


def test_an_adopted_agent_is_not_restarted(tmux: TmuxServer, torch: Torch) -> None:
    pane = tmux.new_session("mine", "sh")
    assert torch("adopt", pane.id, "shell", "--profile", "shell").code == 0
    refused = torch("restart", "shell", "--yes", "--json")
    assert refused.json["error"]["code"] == "adopted"
    assert not tmux.pane(pane.id).dead


def test_two_at_once_start_one_program(demo: DemoAgent, torch: Torch) -> None:
    """The second is refused while the first is at it."""
    with Store() as store:
        first = plan_restart(store, "demo")
        told: list[str] = []

        def meanwhile(step: str) -> None:
            if step.startswith("starting"):
                other = torch("restart", "demo", "--yes", "--json", env=PATH)
                told.append(other.json["error"]["code"])

        restart(store, first, on_step=meanwhile)
    assert told == ["locked"]
    assert len(demo.events("start")) == 2


def test_the_arguments_that_choose_a_conversation_are_replaced() -> None:
    given = ["--resume", "old", "--model", "opus", "-c", "--session-id=x", "--fork-session"]
    assert arguments_for(CLAUDE, "new", given) == ["--resume", "new", "--model", "opus"]
    assert arguments_for(CLAUDE, "", ["--resume", "--model", "opus"]) == ["--model", "opus"]
    assert arguments_for(CODEX, "new", ["resume", "old", "-m", "o"]) == ["resume", "new", "-m", "o"]


def write_transcript(home: Path, name: str, place: str, *said: str) -> Path:
    path = home / ".claude" / "projects" / "-p" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"type": "user", "cwd": place, "message": {"content": one}} for one in said]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in [{"type": "summary"}, *lines]))
    return path


def test_the_last_conversation_is_that_of_the_directory(tmp_path: Path) -> None:
    here, environ = str(tmp_path / "shop"), {"HOME": str(tmp_path)}
    (tmp_path / "shop").mkdir()
    for at, (name, place, said) in enumerate(
        [("old", here, "a"), ("newer", here, "b"), ("else", "/tmp", "c"), ("empty", here, "")]
    ):
        path = write_transcript(tmp_path, name, place, *filter(None, [said]))
        os.utime(path, (1000.0 + at, 1000.0 + at))
    assert latest_in("claude", here, environ) == "newer"
    assert transcript_of("claude", "old", environ).endswith("old.jsonl")
    assert not transcript_of("claude", "../-p/old", environ)
    assert not transcript_of("claude", "*", environ)


@pytest.mark.parametrize(
    ("damage", "resumes"),
    [
        (lambda text: text[: -len(text) // 4], True),
        (lambda text: b"\0\xff" + text[3:], True),
        (lambda text: b"", False),
        (lambda text: bytes(range(256)) * 4, False),
        (lambda text: b"[1]\n", False),
    ],
    ids=["cut off", "its first line", "empty", "garbage", "no record"],
)
def test_a_conversation_of_which_nothing_can_be_read_is_not_continued(
    tmp_path: Path, damage: Callable[[bytes], bytes], resumes: bool
) -> None:
    """Claude Code ends then; what else is damaged it leaves out."""
    path = write_transcript(tmp_path, "one", "/tmp", "a", "b")
    path.write_bytes(damage(path.read_bytes()))
    environ = {"HOME": str(tmp_path)}
    found = earlier(CLAUDE, "one", environ)
    assert (found.conversation, "empty or damaged" in found.why) == (
        ("one", False) if resumes else ("", True)
    )
    if resumes:
        assert chosen(CLAUDE, "one", "/tmp", environ) == "one"
    else:
        with pytest.raises(NotFoundError, match="empty or damaged"):
            chosen(CLAUDE, "one", "/tmp", environ)


def test_an_agent_that_ended_before_it_was_told_is_told_of_its_last_restart_alone(
    store: Store,
) -> None:
    """What an earlier notice says of its conversation may be wrong by now."""
    dev = agent(store, "dev")
    store.messages.accept(restart_notice(store, dev._replace(conversation="one"), "first"))
    take_out_earlier(store, dev)
    assert store.messages.waiting(dev.identity) == []
    store.messages.accept(restart_notice(store, dev._replace(created=dev.created + 9), "second"))
    (left,) = store.messages.waiting(dev.identity)
    assert "new conversation" in left.body


def test_a_message_that_was_said_is_no_argument_any_more(tmp_path: Path) -> None:
    write_transcript(tmp_path, "one", "/tmp", "Fix the parser.", "plan")
    environ = {"HOME": str(tmp_path)}
    given = ["--permission-mode", "plan", "--verbose", "Fix the parser."]
    assert without_said(CLAUDE, "one", given, environ) == given[:3]
    assert without_said(CLAUDE, "two", given, environ) == given


def report_start(at: Agent, session: str, source: str) -> None:
    """Record what the hook of a program in the agent's pane reports."""
    with sqlite3.connect(paths.database()) as store:
        detail = json.dumps({"source": source})
        row = (time.time(), at.socket, at.pane, "demo", "SessionStart", session, "", detail)
        columns = "at, socket, pane, agent, name, session, prompt, detail"
        store.execute(f"INSERT INTO hook_events({columns}) VALUES (?,?,?,?,?,?,?,?)", row)


def test_the_conversation_of_a_running_agent_is_the_one_that_it_has_now(
    demo: DemoAgent, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After ``/resume`` in it: it is named, and no other agent is brought back in it."""
    home, program = tmp_path / "home", tmp_path / "bin" / "claude"
    monkeypatch.setenv("HOME", str(home))
    write_transcript(home, "c-1", str(tmp_path), "hello")
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    spawn_demo(demo.tmux, torch, tmp_path / "other", name="fallen").kill()
    with Store() as store:
        store.database.write("UPDATE agents SET profile = 'claude', conversation = 'c-0'")
        store.database.write("UPDATE agents SET conversation = 'c-1' WHERE name = 'fallen'")
        report_start(agent_now(), "c-1", "resume")
        wait_until(lambda: end_of(store, agent_now("fallen")) is not None, what="its end")
    out = torch("resurrect", "--dry-run", "--json").out
    found = {one["agent"]: one for one in map(json.loads, out.splitlines())}
    assert (found["demo"]["course"], found["demo"]["conversation"]) == ("runs", "c-1")
    assert found["fallen"]["error"]["code"] == "in-use"
    assert "agent 'demo' has the conversation c-1" in found["fallen"]["error"]["message"]


def test_a_program_below_the_agent_does_not_change_its_conversation(demo: DemoAgent) -> None:
    """Reports of ``/clear`` count, those of another program's start in the pane do not."""
    at = agent_now()._replace(profile="claude")

    def reports(session: str, source: str) -> None:
        report_start(at, session, source)

    with Store() as store:
        assert follow(store, at).conversation == ""
        reports("first", "startup")
        reports("below", "startup")
        assert follow(store, at).conversation == "first"
        reports("second", "clear")
        reports("below", "startup")
        assert follow(store, at).conversation == "second"
        assert agent_now().conversation == "second", "recorded"


def test_up_resume_continues_what_was_stopped(
    demo: DemoAgent, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that a person stopped begins anew, unless it is asked for its conversation."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    place = tmp_path / "work"
    place.mkdir()
    write_transcript(home, "c-1", str(place), "hello")
    with Store() as store:
        known = agent_now()._replace(
            name="dev", profile="claude", directory=str(place), conversation="c-1", identity=""
        )
        store.agents.add(known._replace(pane="%99", program_pid=2**22 + 1))
        store.agents.stopped("dev")
        order = SpawnOrder("dev", "claude", str(place))
        assert in_its_conversation(store, order, stopped=False).conversation == ""
        assert in_its_conversation(store, order, stopped=True).conversation == "c-1"
