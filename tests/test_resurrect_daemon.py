"""``[health] resurrect = true``: the daemon brings agents back when it starts, once."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import SOURCE, TmuxServer, Torch, wait_until
from test_resurrect import PATH, agent_now, program_of, windows
from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.health.resurrection import Resurrection
from torch_cli.lifecycle.resurrect import resurrecting
from torch_cli.schedule.logs import log_file
from torch_cli.settings import settings_file
from torch_cli.store import Store
from torch_cli.store.events import RESURRECT, Event
from torch_cli.watch.kept import read


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the daemon find the demo agent, as the one finds it who has started the agents."""
    monkeypatch.setenv("PATH", PATH["PATH"])


def configure(text: str) -> None:
    file = Path(settings_file())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def events(*verbs: str) -> list[Event]:
    with Store() as store:
        return store.events.read(verbs=verbs)


def arranged() -> set[str]:
    """Return the identities of the agents whose sessions the daemon has seen."""
    with Store() as store:
        texts = [store.arrangements.get(one) for one in store.arrangements.sockets()]
    return {one for text in texts for session in read(text) for one in session.agents}


def end_everything(tmux: TmuxServer, daemon: scheduler.Daemon, *names: str) -> None:
    """Kill the tmux server, the programs and the daemon, as a power cut does.

    The daemon has seen first how their sessions are arranged.
    """
    wait_until(lambda: not {agent_now(one).identity for one in names} - arranged(), what="a look")
    server = procs.identify(int(tmux.cmd("display-message", "-p", "#{pid}")))
    assert server is not None
    gone = [server, *map(program_of, names)]
    daemon.kill()
    for one in gone:
        os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(procs.alive, gone)), what="the end of all")


def starts(agent: DemoAgent) -> int:
    return len(agent.events("start"))


def test_agents_are_back_once(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    """In their session, each once, told why; what was stopped stays; a task stays its agent's."""
    names = ("pm", "dev", "left")
    agents = [spawn_demo(tmux, torch, tmp_path / one, "--work", "0", name=one) for one in names]
    configure("[health]\nresurrect = true\n")
    daemon = scheduler.start(torch)
    assert torch("stop", "left").code == 0
    task = torch("task", "add", "the list", "--json").json["id"]
    assert torch("task", "claim", task, env={"TORCH_AGENT": "dev"}).code == 0
    end_everything(tmux, daemon, "pm", "dev")
    daemon = scheduler.start(torch)
    wait_until(lambda: events(RESURRECT), what="the event")
    second = torch("daemon", "run", "--quiet")
    assert (second.code, "already working" in second.err) == (4, True)
    assert windows(tmux) == ["agents:pm", "agents:dev"]
    for agent in agents[:2]:
        (told,) = (text for text in agent.submitted() if "was restarted" in text)
        # "killed" if the server had not noticed by then that the daemon's client was gone.
        assert re.search("its tmux server was (gone|killed); the daemon was started", told)
        assert task in told or agent.name == "pm"
    (event,) = events(RESURRECT)
    assert event.detail["words"] == "2 of 2 agents are back"
    with Store() as store:
        held = store.tasks.get(task)
    assert held is not None
    assert held.holder == "dev"
    assert daemon.stop() == 0
    daemon = scheduler.start(torch)
    assert torch("resurrect", "--json", "--server-gone").out == ""
    assert daemon.stop() == 0
    assert [starts(one) for one in agents] == [2, 2, 1]
    assert len(events(RESURRECT)) == 1


@pytest.mark.parametrize("others", [False, True])
def test_a_window_that_was_the_last_of_its_server_may_have_been_closed(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, others: bool
) -> None:
    """Whether a person did that nobody knows. With another window it was not by closing this one.

    The person can have it back. Nor do the shells beside it come back by themselves.
    """
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--work", "0")
    tmux.cmd("split-window", "-d", "-t", demo.pane.id, "cat")
    if others:
        tmux.new_session("mine", "cat")
    configure("[health]\nresurrect = true\n")
    daemon = scheduler.start(torch)
    wait_until(arranged, what="a look")
    assert daemon.stop() == 0
    program = program_of("demo")
    tmux.cmd(*(["kill-server"] if others else ["kill-window", "-t", demo.pane.id]))
    wait_until(lambda: not procs.alive(program), what="its end")
    daemon = scheduler.start(torch)
    (event,) = wait_until(lambda: events(RESURRECT), what="the event")
    assert daemon.stop() == 0
    if others:
        assert event.detail["back"] == ["demo"]
        assert starts(demo) == 2
        return
    assert "may have been closed" in event.detail["failed"]["demo"]
    assert not tmux.run("list-sessions").stdout
    planned = torch("resurrect", "--server-gone", "--dry-run")
    assert planned.code == 10
    assert "'torch resurrect' starts it" in planned.out + planned.err
    assert torch("resurrect", "--json").code == 0
    assert starts(demo) == 2


def test_without_the_setting_nothing_is_done(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--work", "0")
    end_everything(tmux, scheduler.start(torch), "demo")
    daemon = scheduler.start(torch)
    wait_until(lambda: events("end"), what="the daemon having looked")
    assert daemon.stop() == 0
    assert not events(RESURRECT)
    assert starts(demo) == 1
    assert not tmux.run("list-sessions").stdout


def test_no_living_session_is_touched_and_the_reasons_are_told(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """A session that a person has begun since, a directory that is gone: neither is forced."""
    agents = [
        spawn_demo(tmux, torch, tmp_path / one, "--work", "0", name=one) for one in ("dev", "qa")
    ]
    words = ("--profile", "demo", "--dir", str(tmp_path / "dev"), "--session", "other")
    assert torch("spawn", "alone", *words, "--wait", "0").code == 0
    assert torch("spawn", "lost", *words[:2], "--dir", str(tmp_path), "--session", "lost").code == 0
    told = tmp_path / "told"
    command = ["/bin/sh", "-c", f"cat >> {told}"]
    configure(f"[health]\nresurrect = true\n[notify]\ncommand = {json.dumps(command)}\n")
    end_everything(tmux, scheduler.start(torch), "dev", "qa", "alone", "lost")
    (tmp_path / "qa").rmdir()
    mine = tmux.new_session("agents", "cat", window="mine")
    with Store() as store:
        store.database.write("UPDATE agents SET directory = ? WHERE name = 'lost'", "/nowhere")
    daemon = scheduler.start(torch)
    (event,) = wait_until(lambda: events(RESURRECT), what="the event")
    log = Path(log_file())
    wait_until(lambda: "1 of 4 agents are back" in log.read_text(), what="the daemon's word")
    wait_until(lambda: told.exists() and told.read_text().endswith("\n"), what="the notice")
    assert daemon.stop() == 0
    (notice,) = map(json.loads, told.read_text().splitlines())
    assert (notice["severity"], notice["words"]) == ("high", event.detail["words"])
    assert event.detail["back"] == ["alone"]
    assert "a session 'agents' was begun since" in event.detail["failed"]["dev"]
    assert "/nowhere" in event.detail["failed"]["lost"]
    assert "1 of 4 agents are back" in event.detail["words"]
    assert windows(tmux) == ["agents:mine", "other:alone"]
    assert [starts(one) for one in agents] == [1, 1]
    since = torch("since", "1h", "--json").json
    assert {one["who"] for one in since["failed"] if "not brought back" in one["words"]} == {
        *("dev", "lost", "qa")
    }
    assert "1 of 4 agents" in torch("events", "--kind", "restart").out
    done = torch("resurrect", "--json")
    assert done.code == 10
    assert agent_now("dev").server == mine.server, "a person may have it so"


def test_two_daemons_at_once(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    """Both are started in the same moment: one works, and starts the agent once."""
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--work", "0")
    configure("[health]\nresurrect = true\n")
    tmux.new_session("mine", "cat")
    end_everything(tmux, scheduler.start(torch), "demo")
    words = torch.argv("daemon", "run", "--quiet")
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    both = [subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL) for _ in range(2)]
    wait_until(lambda: events(RESURRECT), what="the event")
    wait_until(lambda: any(one.poll() is not None for one in both), what="the end of one")
    (working,) = (one for one in both if one.poll() is None)
    working.terminate()
    assert sorted(one.wait(60) for one in both) == [0, 4]
    assert starts(demo) == 2
    assert len(events(RESURRECT)) == 1


def test_one_at_a_time(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    """While a person brings them back, the daemon does not, and says so."""
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--work", "0")
    configure("[health]\nresurrect = true\n")
    tmux.new_session("mine", "cat")
    end_everything(tmux, scheduler.start(torch), "demo")
    with resurrecting():
        daemon = scheduler.start(torch)
        wait_until(
            lambda: "agents were not brought back" in Path(log_file()).read_text(),
            what="the daemon's word",
        )
    assert daemon.stop() == 0
    assert starts(demo) == 1


def test_what_keeps_it_from_looking_is_reported_and_tried_again(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here a tmux that is too old: the agent is not left out as if its server answered."""
    spawn_demo(tmux, torch, tmp_path / "project", "--work", "0")
    configure("[health]\nresurrect = true\n")
    program = program_of("demo")
    tmux.cmd("kill-server")
    wait_until(lambda: not procs.alive(program), what="its end")
    old = tmp_path / "old-tmux"
    old.write_text('#!/bin/sh\ncase "$*" in *-V) echo tmux 3.0 ;; *) exit 1 ;; esac\n')
    old.chmod(0o755)
    resurrection = Resurrection()
    with Store() as store:
        with monkeypatch.context() as patch:
            patch.setenv("TORCH_TMUX", str(old))
            with pytest.raises(TorchError):
                list(resurrection.run(store))
        assert not resurrection.settled
        assert [one.what for one in resurrection.run(store)] == [RESURRECT]
        wait_until(lambda: list(resurrection.run(store)) or resurrection.settled, what="its end")


@pytest.mark.parametrize("text", ["resurrect = 1", "resurect = true"])
def test_a_wrong_setting_stops_only_this(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, text: str
) -> None:
    configure(f"[health]\n{text}\n")
    with Store():
        pass
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--work", "0")
    daemon = scheduler.start(torch)
    wait_until(lambda: "health.resur" in Path(log_file()).read_text(), what="the error")
    assert torch("send", "demo", "a word").code == 0
    assert daemon.stop() == 0
    assert "a word" in demo.submitted()[-1]
