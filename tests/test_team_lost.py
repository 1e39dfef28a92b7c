"""Processes of a team come back with the agents of their session, and with them alone."""

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
from torch_cli.store import Store
from torch_cli.teams.lost import _Place
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.socket import Socket

SERVE = "import os, time; print('serving', os.environ['GREETING']); time.sleep(600)"

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
    path.write_text(path.read_text().replace("'serving'", "'changed'"))
    planned = resurrect(torch, "--dry-run")
    assert (planned.code, processes(planned)["server"][0]) == (NOT_BACK, "cannot")
    done = torch("resurrect", env=ENV)
    assert done.code == NOT_BACK
    assert "failed    shop:server  process of its team:" in done.out
    assert "it has changed since it was accepted" in done.out
    assert "torch trust --dir" in done.err
    assert "back      dev" in done.out
    assert "changed" not in tmux.screens()
    shells = [one for one in tmux.panes() if one.window == "server"]
    assert [procs.directory(one.pid) for one in shells] == [str(team.path), str(tmp_path)]


def test_a_shell_that_a_person_uses_meanwhile_is_theirs(tmux: TmuxServer, store: Store) -> None:
    """Then the process has a window of its own, and its name."""
    holder = tmux.new_session("shop", "exec sh", window="server")
    tmux.cmd("send-keys", "-t", holder.id, "sleep 600", "Enter")
    wait_until(lambda: procs.descendants(holder.pid), what="the person's command")
    with _Place(store, Socket(path=holder.socket_path), holder.id) as place:
        pane = tmux.new_window("shop", "server", "sleep", "600")
        place.take(pane)
    assert [(one.id, one.window) for one in tmux.panes()] == [
        (holder.id, "server-shells"),
        (pane.id, "server"),
    ]


def test_a_place_that_nothing_took_keeps_its_name(tmux: TmuxServer, store: Store) -> None:
    holder = tmux.new_session("shop", "exec sh", window="server")
    with _Place(store, Socket(path=holder.socket_path), holder.id):
        assert tmux.pane(holder.id).window == "server-shells"
    assert tmux.pane(holder.id).window == "server"
