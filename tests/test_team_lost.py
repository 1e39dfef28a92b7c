"""Processes of a team come back with the agents of their session, and with them alone."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import Result, TmuxServer, Torch, wait_until
from repository import Repository
from test_arrangement import kill_everything, objects
from test_up import ENV
from torch_cli import procs
from torch_cli.errors import NOT_BACK
from torch_cli.lifecycle.prospect import prospects
from torch_cli.lifecycle.rebuild_plan import lost_processes
from torch_cli.lifecycle.resurrect import Raised
from torch_cli.store import Store
from torch_cli.teams.lost import _take_place, raise_processes
from torch_cli.tmux.panes import Pane

SERVE = "import os, time; print('serving', os.environ['GREETING']); time.sleep(600)"

STUBBORN = """["sh", "-c", "trap '' HUP; while true; do sleep 1; done"]"""

TEAM = """\
[team]
name = "shop"

[[process]]
name = "server"
command = ["{python}", "-u", "-c", "{serve}"]
ready = "serving"
env = {{ GREETING = "hello" }}

[[process]]
name = "closed"
command = ["sleep", "600"]

[[agent]]
name = "dev"
profile = "demo"
args = ["--log", "{log}/dev.log"]
"""


@pytest.fixture
def team(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> Repository:
    """A team that is up, with a shell beside its server, and a window that a person has closed."""
    text = TEAM.format(python=sys.executable, serve=SERVE, log=tmp_path)
    project = Repository.make(tmp_path / "my 'project' 🙂", {"torch.toml": text})
    done = torch("up", "--dir", str(project.path), env=ENV)
    assert done.code == 0, done.out + done.err
    tmux.cmd("split-window", "-d", "-h", "-t", window(tmux, "server").id, "-c", str(tmp_path))
    tmux.cmd("kill-pane", "-t", window(tmux, "closed").id)
    assert torch("tick").code == 0
    return project


def window(tmux: TmuxServer, name: str) -> Pane:
    return next(one for one in tmux.panes() if one.window == name)


def layout(tmux: TmuxServer) -> list[tuple[str, str | None]]:
    """Return the panes in their order: their window, and their directory."""
    return [(one.window, procs.directory(one.pid)) for one in tmux.panes()]


def resurrect(torch: Torch, *words: str) -> Result:
    return torch("resurrect", "--json", *words, env=ENV)


def processes(done: Result) -> dict[str, tuple[Any, Any]]:
    found = [one for one in objects(done.out) if "process" in one]
    return {one["process"]: (one.get("what", one.get("course")), one["why"]) for one in found}


def test_a_process_is_back_in_its_place(tmux: TmuxServer, torch: Torch, team: Repository) -> None:
    before = layout(tmux)
    kill_everything(tmux)
    planned = resurrect(torch, "--dry-run")
    assert (planned.code, processes(planned)) == (0, {"server": ("raise", None)})
    assert not tmux.run("list-sessions").stdout, "a dry run starts nothing"
    done = resurrect(torch)
    assert done.code == 0, done.out + done.err
    assert processes(done) == {"server": ("back", None)}, "what a person closed stays closed"
    assert layout(tmux) == before
    first, shell, _ = tmux.panes()
    assert "serving hello" in tmux.screen(first)
    assert "python" not in shell.command
    with Store() as store:
        (known,) = (one for one in store.teams.processes() if one.name == "server")
        assert (known.pane, known.pane_pid) == (first.id, first.pid)
        assert store.windows.created(first.server, first.window_id)
    again = torch("up", "--dir", str(team.path), "--dry-run", "--only", "server", env=ENV)
    assert "running" in again.out
    assert processes(resurrect(torch)) == {}
    down = torch("down", "--dir", str(team.path), "--force", "--deadline", "0", env=ENV)
    assert down.code == 0, down.out + down.err
    assert [one.pid for one in tmux.panes()] == [shell.pid], "a person's shell stays"


def test_a_file_that_nobody_has_accepted_starts_nothing(
    tmux: TmuxServer, torch: Torch, team: Repository, tmp_path: Path
) -> None:
    """Agents write that file, too. The agents themselves come back."""
    kill_everything(tmux)
    path = team.path / "torch.toml"
    path.write_text(path.read_text().replace('"hello"', '"goodbye"'))
    planned = resurrect(torch, "--dry-run")
    assert (planned.code, processes(planned)["server"][0]) == (NOT_BACK, "cannot")
    done = torch("resurrect", env=ENV)
    assert done.code == NOT_BACK
    assert "failed    shop:server  process of its team:" in done.out
    assert "it has changed since it was accepted" in done.out
    assert "torch trust --dir" in done.err
    assert "back      dev" in done.out
    assert "serving" not in tmux.screens()
    shells = [one for one in tmux.panes() if one.window == "server-shells"]
    assert [procs.directory(one.pid) for one in shells] == [str(team.path), str(tmp_path)]

    fixed = torch("up", "--dir", str(team.path), "--only", "server", env=ENV)
    assert fixed.code == 0, fixed.out + fixed.err
    assert "serving goodbye" in tmux.screens()


def test_what_a_person_ended_stays(tmux: TmuxServer, torch: Torch, team: Repository) -> None:
    kill_everything(tmux)
    down = torch("down", "--dir", str(team.path), "--only", "server", "--deadline", "0")
    assert down.code == 0, down.out + down.err
    done = resurrect(torch)
    assert (done.code, processes(done)) == (0, {}), done.out + done.err
    assert "serving" not in tmux.screens()
    windows = [one.window for one in tmux.panes()]
    assert windows == ["server", "server", "dev"], "two plain shells now, where it was"


def test_nothing_is_opened_in_a_session_that_somebody_has_begun(
    tmux: TmuxServer, torch: Torch, team: Repository
) -> None:
    kill_everything(tmux)
    theirs = tmux.new_session("shop", "exec sh")
    done = resurrect(torch, "--server-gone")
    assert (done.code, processes(done)) == (NOT_BACK, {}), done.out + done.err
    assert [one.id for one in tmux.panes()] == [theirs.id]


def test_a_process_that_has_outlived_tmux_is_not_there_twice(
    tmux: TmuxServer, torch: Torch, team: Repository
) -> None:
    path = team.path / "torch.toml"
    path.write_text(path.read_text().replace('["sleep", "600"]', STUBBORN))
    up = torch("up", "--dir", str(team.path), "--only", "closed", env=ENV)
    assert up.code == 0, up.out + up.err
    old = procs.identify(window(tmux, "closed").pid)
    assert old is not None
    assert torch("tick").code == 0
    server = procs.identify(int(tmux.cmd("display-message", "-p", "#{pid}")))
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not procs.alive(server), what="the server's end")
    assert procs.alive(old)
    done = resurrect(torch)
    assert processes(done)["closed"] == ("back", None), done.out + done.err
    assert not procs.alive(old)


def test_what_another_up_has_started_meanwhile_is_not_started_again(
    tmux: TmuxServer, torch: Torch, team: Repository
) -> None:
    kill_everything(tmux)
    with Store() as store:
        lost = lost_processes(store, list(prospects(store, store.agents.all())))
        assert [one.name for one in lost] == ["server"]
        assert torch("up", "--dir", str(team.path), "--only", "server", env=ENV).code == 0
        (one,) = raise_processes(store, lost, lambda words: None, {})
    assert one.what is Raised.RUNS
    assert [pane.window for pane in tmux.panes()] == ["server"]


def test_a_shell_that_a_person_uses_meanwhile_is_theirs(tmux: TmuxServer, store: Store) -> None:
    """Then the process has a window of its own, and its name."""
    holder = tmux.new_session("shop", "exec sh", window="server-shells")
    pane = tmux.new_window("shop", "server", "sleep", "600")
    tmux.cmd("send-keys", "-t", holder.id, "sleep 600", "Enter")
    wait_until(lambda: procs.descendants(holder.pid), what="the person's command")
    _take_place(store, pane, holder.id)
    assert [(one.id, one.window) for one in tmux.panes()] == [
        (holder.id, "server-shells"),
        (pane.id, "server"),
    ]


def test_a_shell_that_nobody_uses_makes_place(tmux: TmuxServer, store: Store) -> None:
    holder = tmux.new_session("shop", "exec sh", window="server-shells")
    pane = tmux.new_window("shop", "server", "sleep", "600")
    tmux.new_window("shop", "last", "sleep", "600")
    _take_place(store, pane, holder.id)
    now = [(one.id, one.window, one.window_index) for one in tmux.panes()]
    assert now[0] == (pane.id, "server", holder.window_index)
    assert [one[1] for one in now] == ["server", "last"]
