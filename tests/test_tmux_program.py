"""``TORCH_TMUX``: the tmux that Torch runs, in every command and for the agents that it spawns."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import SOURCE, TMUX, TmuxServer, Torch
from torch_cli import procs
from torch_cli.tmux.process import program

ROOT = SOURCE.parent


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """Where the tmux that ``wrapper`` makes writes down its arguments."""
    return tmp_path / "used"


@pytest.fixture
def wrapper(tmp_path: Path, used: Path) -> Path:
    """A tmux in a place that is on nobody's PATH, and that has blanks in it."""
    file = tmp_path / "an other" / "my tmux"
    file.parent.mkdir()
    script(file, f'echo "$*" >> {shlex.quote(str(used))}; exec {shlex.quote(TMUX)} "$@"')
    return file


@pytest.fixture
def path(tmp_path: Path, used: Path) -> str:
    """A PATH on which ``tmux`` is a trap."""
    trap = tmp_path / "trap" / "tmux"
    trap.parent.mkdir()
    script(trap, f"echo TRAPPED >> {shlex.quote(str(used))}; exit 1")
    return f"{trap.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"


def script(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def test_every_command_runs_the_tmux_that_is_named(
    tmux: TmuxServer, torch: Torch, wrapper: Path, used: Path, path: str, tmp_path: Path
) -> None:
    env = {"TORCH_TMUX": str(wrapper), "PATH": path}
    words = ["spawn", "dev", "--profile", "demo", "--dir", str(tmp_path), "--session", "agents"]
    for command in (
        words,
        ["window", "other", "--dir", str(tmp_path), "--session", "agents"],
        ["doctor"],
        ["send", "dev", "hello"],
        ["send", "dev", "-", "--when", "idle"],
        ["ask", "dev", "hello?"],
        ["run", "agents:other", "--", "true"],
        ["wait", "dev", "--for", "idle", "--timeout", "60"],
        ["capture", "dev"],
        ["state"],
        ["ps"],
        ["log", "dev"],
        ["log", "dev", "--off"],
        ["stop", "dev"],
    ):
        used.unlink(missing_ok=True)
        # A text of this size is loaded by a process of its own.
        done = torch(*command, env=env, input="line\n" * 2000)
        assert done.code == 0, (command, done, tmux.screens())
        assert "TRAPPED" not in used.read_text(), command


def test_a_spawned_agent_is_told_of_it_by_its_full_path(
    tmux: TmuxServer, torch: Torch, wrapper: Path, path: str, tmp_path: Path
) -> None:
    tmux.new_session("agents", "cat")
    env = {"TORCH_TMUX": "./an other/my tmux", "PATH": path}
    words = ["spawn", "dev", "--profile", "demo", "--dir", "/tmp", "--session", "agents", "--json"]
    done = torch(*words, env=env, cwd=tmp_path)
    assert done.code == 0, done
    environment = procs.environment(tmux.pane(done.json["pane"]).pid) or {}
    assert environment["TORCH_TMUX"] == str(wrapper)


@pytest.mark.parametrize(
    ("chosen", "meant"),
    [
        ("", "tmux"),
        ("tmux-3.5a", "tmux-3.5a"),
        ("/opt/t/tmux", "/opt/t/tmux"),
        ("~/bin/tmux", "HOME/bin/tmux"),
        ("bin/tmux", "HERE/bin/tmux"),
    ],
)
def test_it_is_a_name_or_a_path(
    chosen: str, meant: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_TMUX", chosen)
    meant = meant.replace("HOME", os.environ["HOME"]).replace("HERE", str(tmp_path))
    assert program() == meant


@pytest.mark.parametrize("kind", ["nothing", "no such name", "a directory", "not executable"])
def test_one_that_cannot_be_run_is_said_so(torch: Torch, tmp_path: Path, kind: str) -> None:
    if kind == "a directory":
        (tmp_path / kind).mkdir()
    if kind == "not executable":
        (tmp_path / kind).write_text("#!/bin/sh\n")
    named = kind if kind == "no such name" else str(tmp_path / kind)
    done = torch("send", "%0", "hello", "--json", env={"TORCH_TMUX": named})
    assert (done.code, done.json["error"]["code"]) == (3, "no-tmux")
    assert done.json["error"]["message"].startswith(f"TORCH_TMUX names '{named}'")
    examined = torch("doctor", env={"TORCH_TMUX": named})
    assert examined.code == 1
    assert f"failure  tmux          TORCH_TMUX names '{named}'" in examined.out


@pytest.mark.parametrize("said", ["", "grep (GNU grep) 3.8", "tmux"])
def test_doctor_says_so_of_a_program_that_is_no_tmux(
    torch: Torch, tmp_path: Path, said: str
) -> None:
    script(tmp_path / "grep", f"echo {shlex.quote(said)}")
    done = torch("doctor", env={"TORCH_TMUX": str(tmp_path / "grep")})
    assert done.code == 1, done
    assert f"{tmp_path}/grep does not print its version as tmux does" in done.out


def test_doctor_names_the_program_and_its_version(torch: Torch, wrapper: Path) -> None:
    version = subprocess.check_output([TMUX, "-V"], text=True).strip()
    done = torch("doctor", env={"TORCH_TMUX": str(wrapper)})
    assert f"ok       tmux          {version}, {wrapper} (TORCH_TMUX)\n" in done.out
    of_the_path = torch("doctor", env={"TORCH_TMUX": "", "PATH": f"{wrapper.parent}:/bin"})
    assert "TORCH_TMUX" not in of_the_path.out.partition("\n")[0]


@pytest.mark.parametrize(
    ("says", "status", "words"),
    [
        ("echo tmux 3.1c", 1, "tmux 3.1c is too old"),
        ("exit 1", 1, "not a tmux that can be run"),
        (f"exec {shlex.quote(TMUX)} -V", 0, ""),
    ],
)
def test_prepare_looks_at_the_one_that_is_named(
    tmp_path: Path, says: str, status: int, words: str
) -> None:
    script(tmp_path / "my tmux", says)
    done = subprocess.run(
        [ROOT / "scripts" / "prepare", "tools"],
        env={**os.environ, "TORCH_TMUX": str(tmp_path / "my tmux")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, words in done.stderr) == (status, True), done
