"""``torch resurrect``: what has fallen comes back once, and what was ended stays."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent, on_its_way, spawn_demo
from conftest import SOURCE, TmuxServer, Torch, wait_until
from test_stop import child_in, mule
from torch_cli import procs
from torch_cli.lifecycle import resurrect as module
from torch_cli.lifecycle.prospect import prospects
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.restarts import GIVEN_UP, Restart

PATH = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"}


def agent_now(name: str) -> Agent:
    with Store() as store:
        found = store.agents.get(name)
    assert found is not None
    return found


def program_of(name: str) -> procs.Process:
    agent = agent_now(name)
    return procs.Process(agent.program_pid, agent.program_started)


def objects(out: str) -> dict[str, dict[str, Any]]:
    return {one["agent"]: one for one in map(json.loads, out.splitlines())}


def raise_all(torch: Torch, *options: str, code: int = 0) -> dict[str, dict[str, Any]]:
    done = torch("resurrect", "--json", *options, env=PATH)
    assert done.code == code, done.out + done.err
    return objects(done.out)


def windows(tmux: TmuxServer) -> list[str]:
    return tmux.cmd("list-windows", "-a", "-F", "#{session_name}:#{window_name}").split()


def kill_server(tmux: TmuxServer, *names: str) -> None:
    programs = [program_of(name) for name in names]
    tmux.cmd("kill-server")
    for program in programs:
        wait_until(lambda one=program: not procs.alive(one), what="its end")  # type: ignore[misc]


def three(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> list[DemoAgent]:
    return [
        spawn_demo(tmux, torch, tmp_path / name, "--work", "0", name=name)
        for name in ("pm", "dev", "qa")
    ]


def test_after_kill_server_all_come_back_in_their_order(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Each once, as itself, in its session; it is told; a message on its way is not repeated."""
    agents = three(tmux, torch, tmp_path)
    before = {one.name: agent_now(one.name) for one in agents}
    typed = on_its_way(before["dev"])
    kill_server(tmux, *before)
    planned = raise_all(torch, "--dry-run")
    assert {one["course"] for one in planned.values()} == {"raise"}
    assert not tmux.run("list-sessions").stdout, "a dry run starts nothing"
    done = raise_all(torch)
    assert {one["what"] for one in done.values()} == {"back"}
    assert done["dev"]["unknown"] == [typed]
    assert windows(tmux) == ["agents:pm", "agents:dev", "agents:qa"]
    for one in agents:
        now = agent_now(one.name)
        assert (now.identity, now.arguments) == (
            before[one.name].identity,
            before[one.name].arguments,
        )
        assert procs.directory(now.program_pid) == str(one.directory)
        told = [text for text in one.submitted() if "its tmux server was gone" in text]
        assert len(told) == 1, one.submitted()
        assert len(one.events("start")) == 2
    torch("tick", "--json")
    dev = agents[1]
    wait_until(lambda: dev.submitted().count("not typed yet") == 1, what="the one that waits")
    assert "perhaps typed" not in dev.submitted()
    again = raise_all(torch)
    assert {one["what"] for one in again.values()} == {"runs"}
    assert all(len(one.events("start")) == 2 for one in agents)


def test_a_dead_agent_does_not_inherit_what_is_said_in_its_old_pane(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """tmux counts panes from the beginning again, so another agent gets the same pane."""
    spawn_demo(tmux, torch, tmp_path / "one", "--work", "0", name="one")
    where = agent_now("one")
    assert torch("send", "one", "hello").code == 0
    kill_server(tmux, "one")
    spawn_demo(tmux, torch, tmp_path / "two", "--work", "0", name="two")
    assert (agent_now("two").socket, agent_now("two").pane) == (where.socket, where.pane)
    assert torch("send", "two", "hello").code == 0
    now = agent_now("two")
    with Store() as store:
        both = [
            {one.session for one in store.hooks.after(server, where.pane, 0)}
            for server in (where.server, now.server)
        ]
    assert both[0], "what it had reported is kept"
    assert both[1], "and so is what the other reports"
    assert both[0].isdisjoint(both[1])


def test_what_a_person_ended_stays(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    """Stopped, ended by itself, closed, given up, frozen: none comes back; a crash does."""
    tmux.new_session("mine", "cat")
    agents = {
        name: spawn_demo(tmux, torch, tmp_path / name, "--work", "0", name=name)
        for name in ("stopped", "left", "closed", "given-up", "frozen", "crashed")
    }
    assert torch("stop", "stopped").code == 0
    tmux.cmd("send-keys", "-t", agents["left"].pane.id, "C-d")
    wait_until(lambda: tmux.pane(agents["left"].pane.id).dead, what="its end")
    tmux.cmd("kill-pane", "-t", agents["closed"].pane.id)
    assert torch("freeze", "frozen").code == 0
    with Store() as store:  # as after five restarts in ten minutes
        lost = Restart("", agent_now("given-up").identity, time.time(), GIVEN_UP)
        store.restarts.add(lost)
    for name in ("given-up", "frozen", "crashed"):
        agents[name].kill()
    stay = ("left", "closed", "given-up", "frozen")
    expected = dict.fromkeys(stay, "stays") | {"crashed": "raise"}
    planned = raise_all(torch, "--dry-run")
    assert {name: one["course"] for name, one in planned.items()} == expected
    torch("tick")  # a scheduler has seen it before the server was killed
    tmux.cmd("kill-server")
    done = raise_all(torch)
    assert {name: one["what"] for name, one in done.items()} == expected | {"crashed": "back"}
    assert windows(tmux) == ["agents:crashed"]


@pytest.mark.parametrize(
    ("fall", "end", "what"),
    [
        ("ended", "exited", "stays"),
        ("closed", "killed", "stays"),
        ("crashed", "killed", "back"),
        ("server", "pane-gone", "back"),
    ],
)
def test_what_an_earlier_version_recorded_counts(
    demo: DemoAgent, torch: Torch, fall: str, end: str, what: str
) -> None:
    """It wrote how a program had ended twice: with the change of state, and as an event of its own,
    in which a server that was just ending looked like a closed pane.
    """
    one, code = agent_now("demo"), 0 if end == "exited" else None
    with Store() as store:
        state = {"state": "exited", "since": time.time(), "evidence": "", "rule": "", "fall": fall}
        store.events.add("state", "demo", state, agent=one.identity)
        detail = {"cause": end, "code": code, "signal": None, "words": "so it was"}
        store.events.add("end", "demo", detail, agent=one.identity)
    kill_server(demo.tmux, "demo")
    done = raise_all(torch)["demo"]
    assert done["what"] == what
    if what == "stays":
        assert done["why"].endswith("before")


def test_after_a_restart_of_the_machine(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    """Everything was killed at once, and the directory of the sockets is gone."""
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--work", "0")
    agent, program = agent_now("demo"), program_of("demo")
    server = procs.identify(int(tmux.cmd("display-message", "-p", "#{pid}")))
    assert server is not None
    for one in (program, server):
        os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: not procs.alive(server) and not procs.alive(program))
    assert Path(agent.socket).exists(), "a socket that nobody listens at"
    shutil.rmtree(Path(agent.socket).parent)
    with Store() as store:
        store.database.write("UPDATE agents SET created = 1000.0")
    done = raise_all(torch)
    assert done["demo"]["what"] == "back", done
    (told,) = (text for text in demo.submitted() if "Your program was restarted" in text)
    assert "the machine was restarted; a person asked for it" in told
    assert agent_now("demo").socket == agent.socket


def test_what_cannot_be_brought_back_is_listed(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Each with its reason, and nothing that is there now is touched."""
    names = ("dir", "name", "variable")
    for name in names:
        (tmp_path / name).mkdir()
        words = ("--profile", "demo", "--dir", str(tmp_path / name), "--session", name)
        given = ("--env", "SHOP_KEY=s3cret") if name == "variable" else ()
        assert torch("spawn", name, *words, *given, "--wait", "0", env=PATH).code == 0
    assert torch("adopt", tmux.new_session("mine", "sh").id, "own", "--profile", "shell").code == 0
    kill_server(tmux, *names)
    (tmp_path / "dir").rmdir()
    mine = tmux.new_session("name", "cat", window="name")
    planned = raise_all(torch, "--dry-run", code=10)
    assert planned["name"]["course"] == "raise"
    done = raise_all(torch, code=10)
    assert {one["what"] for one in done.values()} == {"failed"}
    codes = {name: one["error"]["code"] for name, one in done.items()}
    assert codes["own"] == "adopted"
    assert codes["variable"] == "no-variable"
    assert "SHOP_KEY" in done["variable"]["why"]
    assert str(tmp_path / "dir") in done["dir"]["why"]
    assert codes["name"] == "name-taken"
    assert [pane.id for pane in tmux.panes()] == [mine.id]
    back = torch("resurrect", env=PATH | {"SHOP_KEY": "another"})
    assert "each that is back gets a message that says why" in back.err
    assert back.code == 10, back
    assert "1 of 4 agents are back" in back.err
    assert (procs.environment(agent_now("variable").program_pid) or {})["SHOP_KEY"] == "another"


def test_a_server_without_its_socket_is_left_alone(demo: DemoAgent, torch: Torch) -> None:
    """Its programs live and would be started twice."""
    socket = Path(agent_now("demo").socket)
    socket.rename(socket.with_name("moved"))
    done = raise_all(torch, code=10)
    socket.with_name("moved").rename(socket)
    assert done["demo"]["error"]["code"] == "no-socket"
    assert procs.alive(program_of("demo"))
    assert len(demo.events("start")) == 1


def test_a_program_that_outlives_its_server_is_ended(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some ignore that their terminal is gone. There is one of it afterwards."""
    mule("deaf")
    words = ("--profile", "mule", "--dir", str(tmp_path), "--wait", "0")
    pane = tmux.pane(torch("spawn", "mule", *words, "--json").json["pane"])
    child_in(tmux, pane)
    before = program_of("mule")
    server = int(tmux.cmd("display-message", "-p", "#{pid}"))
    os.kill(server, signal.SIGKILL)
    monkeypatch.setattr(module, "ORPHAN_SECONDS", 0.1)
    with Store() as store:
        found = list(prospects(store, store.agents.all()))
        assert [one.orphan for one in found] == [before]
        (outcome,) = module.resurrect(store, found, seconds=0)
    assert not procs.alive(before)
    assert isinstance(outcome, module.RaisedAgent)
    assert outcome.what is module.Raised.STARTING
    assert procs.alive(program_of("mule"))


def test_an_interrupt_that_another_thread_gets_takes_effect(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Python handles it in the main thread, which is waiting and is not woken by it. The same is so
    for one that comes just before the wait: seen once in 13 runs under load.
    """
    spawn_demo(tmux, torch, tmp_path / "project", "--start-delay", "30", wait="0")
    kill_server(tmux, "demo")
    before = set(threading.enumerate())

    def starting() -> threading.Thread | None:
        new = set(threading.enumerate()) - before - {threading.current_thread()}
        return next((one for one in new if one.ident is not None), None)  # one may be half begun

    def interrupt() -> None:
        thread = wait_until(starting, what="a thread that waits for the program")
        assert thread is not None
        assert thread.ident is not None
        signal.pthread_kill(thread.ident, signal.SIGINT)

    sender = threading.Thread(target=interrupt)
    with Store() as store:
        found = list(prospects(store, store.agents.all()))
        sender.start()
        with pytest.raises(KeyboardInterrupt):
            list(module.resurrect(store, found))
        sender.join()
        waiting = store.messages.waiting(agent_now("demo").identity)
    assert ["Your program was restarted" in one.body for one in waiting] == [True], waiting


def test_an_interrupt_starts_nothing_twice(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    """What was started goes on, and is told later; two at once are refused."""
    spawn_demo(tmux, torch, tmp_path / "project", "--start-delay", "30", wait="0")
    kill_server(tmux, "demo")
    with module.resurrecting():
        second = torch("resurrect", "--json", env=PATH)
        assert (second.code, second.json["error"]["code"]) == (4, "locked")
    before = agent_now("demo")
    first = subprocess.Popen(
        torch.argv("resurrect", "--json"),
        env={**os.environ, "PYTHONPATH": str(SOURCE), **PATH},
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: agent_now("demo").created != before.created, what="its second start")
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate(timeout=60)
    assert (first.returncode, json.loads(said)["error"]["code"]) == (130, "interrupted")
    now = agent_now("demo")
    assert raise_all(torch)["demo"]["what"] == "runs"
    assert (agent_now("demo"), windows(tmux)) == (now, ["agents:demo"])
    with Store() as store:
        waiting = store.messages.waiting(agent_now("demo").identity)
    assert ["Your program was restarted" in one.body for one in waiting] == [True], waiting
