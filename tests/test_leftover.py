"""A start that is killed between its window and its registration: the next one takes its place."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent import spawn_demo, whole_lines
from conftest import PATIENCE, SOURCE, Result, TmuxServer, Torch, wait_until
from test_resurrect import PATH, kill_server, windows
from torch_cli import procs
from torch_cli.lifecycle import leftover
from torch_cli.lifecycle.arrangement import keep
from torch_cli.store import Store

KILLED = """
import os, signal, sys
from torch_cli.store.windows import Windows
from torch_cli.store.agents import Agents
die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
{where} = die
sys.argv[0] = "torch"
from torch_cli.__main__ import main
main()
"""
"""A torch that is killed just before it records the window, or registers the agent."""

MOMENTS = ("Windows.add", "Agents.add")


def killed_start(torch: Torch, tmp_path: Path, where: str, *options: str) -> Path:
    """Have a start of the agent dev killed at ``where``; return the log of its program."""
    log = tmp_path / "dev.log"
    (tmp_path / "dev").mkdir(exist_ok=True)
    words = ["spawn", "dev", "--profile", "demo", "--session", "work", *options]
    words += ["--dir", str(tmp_path / "dev"), "--", "--log", str(log)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(where=where), *torch.argv(*words)[3:]],
        env={**os.environ, **PATH, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == -9, done
    wait_until(lambda: started(log), what="the program of the killed start")
    return log


def started(log: Path) -> list[int]:
    return [one["pid"] for one in whole_lines(log) if one["event"] == "start"]


def running(log: Path) -> list[int]:
    return [pid for pid in started(log) if str(log) in (procs.arguments(pid) or ())]


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("where", MOMENTS)
def test_the_next_start_takes_the_place_of_one_that_was_killed(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, where: str, ended: bool
) -> None:
    """Also if its program has ``ended`` since: its pane stays, and has the name of the agent."""
    log = killed_start(torch, tmp_path, where)
    (orphan,) = running(log)
    if ended:
        os.kill(orphan, signal.SIGKILL)
        dead = ("list-panes", "-t", "=work:=dev", "-F", "#{pane_dead}")
        wait_until(lambda: tmux.cmd(*dead) == "1", what="its end")
    done = spawn(torch, tmp_path)
    assert done.code == 0, done.out + done.err
    (now,) = running(log)
    assert now == done.json["pid"] != orphan
    assert "an interrupted start had left its window" in str(done.json["notes"])
    assert windows(tmux) == ["work:dev"]


def spawn(torch: Torch, tmp_path: Path, **env: str) -> Result:
    words = ["--profile", "demo", "--session", "work", "--dir", str(tmp_path / "dev"), "--json"]
    return torch("spawn", "dev", *words, "--", "--log", str(tmp_path / "dev.log"), env=PATH | env)


def test_a_program_that_was_an_agent_is_left_alone(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    (tmp_path / "dev").mkdir()
    first = spawn(torch, tmp_path)
    assert first.code == 0, first.out + first.err
    assert torch("stop", "dev", "--forget").code == 0
    done = spawn(torch, tmp_path)
    assert (done.code, done.json["error"]["code"]) == (2, "name-taken")
    assert running(tmp_path / "dev.log") == [first.json["pid"]]


def test_the_agent_of_another_state_file_is_left_alone(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    log = killed_start(torch, tmp_path, "Agents.add")
    (orphan,) = running(log)
    done = spawn(torch, tmp_path, TORCH_HOME=str(tmp_path / "other"))
    assert (done.code, done.json["error"]["code"]) == (2, "name-taken")
    assert running(log) == [orphan]


def test_an_old_leftover_is_left_alone(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    """A person may have found it, and work in it."""
    log = killed_start(torch, tmp_path, "Agents.add")
    with monkeypatch.context() as patch:
        patch.setattr(leftover, "LEFTOVER_SECONDS", 0.0)
        assert leftover.Start("dev").close_leftovers(store, tmux.socket) == []
    assert len(running(log)) == 1
    assert len(leftover.Start("dev").close_leftovers(store, tmux.socket)) == 1


def test_a_shell_of_an_agent_s_name_does_not_keep_it_from_coming_back(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, store: Store
) -> None:
    """The window of an interrupted start was kept as a shell when the server was killed again."""
    for name in ("pm", "dev"):
        spawn_demo(tmux, torch, tmp_path / name, "--work", "0", name=name)
    kill_server(tmux, "pm", "dev")
    assert torch("restart", "pm", "--yes", env=PATH).code == 0
    tmux.new_window("agents", "dev")
    keep(store)
    kill_server(tmux, "pm")
    done = torch("resurrect", "--json", env=PATH)
    assert done.code == 0, done.out + done.err
    assert sorted(windows(tmux)) == ["agents:dev", "agents:dev-shells", "agents:pm"]
