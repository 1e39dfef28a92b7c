"""What stands in the way, seen from the command line: a clear word, and nothing typed."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, SOURCE, TmuxServer, Torch, wait_until
from torch_cli import paths


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def code(result: object) -> tuple[int, str]:
    """Return the exit status and the error's word."""
    return result.code, result.json["error"]["code"]  # type: ignore[attr-defined]


def fake_tmux(folder: Path, script: str) -> dict[str, str]:
    """Return an environment in which ``tmux`` is a script."""
    folder.mkdir()
    program = folder / "tmux"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "TORCH_TMUX": ""}


def test_without_tmux_it_says_so(torch: Torch, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = torch(
        "send", "%0", "hello", "--json", env={"PATH": str(tmp_path / "empty"), "TORCH_TMUX": ""}
    )
    assert code(done) == (3, "no-tmux")


def test_a_tmux_that_is_too_old_is_refused(torch: Torch, tmp_path: Path) -> None:
    script = 'case " $* " in *" -V "*) echo tmux 3.1c;; *) echo usage >&2; exit 1;; esac'
    env = fake_tmux(tmp_path / "bin", script)
    assert code(torch("send", "%0", "hello", "--json", env=env)) == (2, "old-tmux")


def test_without_a_server_it_says_so_and_starts_none(tmux: TmuxServer, torch: Torch) -> None:
    assert code(torch("send", "%0", "hello", "--json")) == (3, "no-server")
    dead = torch("ps", env={"TMUX": "/nowhere/socket,1,0"})
    assert dead.code == 0
    assert tmux.run("-N", "list-sessions").returncode != 0


@pytest.mark.parametrize("target", ["dem", "agents:dem", "agent", "%99", "agents:9"])
def test_nothing_is_found_by_a_part_of_its_name(demo: DemoAgent, target: str) -> None:
    assert code(demo.torch("send", target, "hello", "--json")) == (3, "no-target")
    assert not demo.events("paste", "typed")


def test_an_ambiguous_name_is_refused(demo: DemoAgent) -> None:
    for session in ("one", "two"):
        demo.tmux.new_session(session, "cat", window="twin")
    assert code(demo.torch("send", "twin", "hello", "--json")) == (2, "ambiguous")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"a\0b", "control-character"),
        (b"a\x1b[201~b", "control-character"),
        (b"a\x7fb", "control-character"),
        (b"caf\xe9", "not-utf8"),
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"x" * 1_000_000, "too-large"),
    ],
)
def test_what_cannot_arrive_intact_is_refused(demo: DemoAgent, body: bytes, word: str) -> None:
    done = demo.torch("send", demo.name, "-", "--json", input=body)
    assert code(done) == (2, word)
    assert not demo.events("paste", "typed")
    assert demo.torch("receipt").code == 3, "nothing was accepted"


@pytest.mark.parametrize("name", ["a b", 'it\'s "q"', "a:b", "a.b", "#(touch pwned)", "🎉", "50%"])
def test_a_window_may_be_called_anything(demo: DemoAgent, name: str, tmp_path: Path) -> None:
    demo.tmux.cmd("rename-window", "-t", demo.pane.id, name.replace("#", "##"))
    done = demo.torch("send", f"agents:{name}", "hello", "--json", cwd=tmp_path)
    assert done.code == 0, done.out
    assert demo.submitted() == ["hello"]
    assert not (tmp_path / "pwned").exists()


def test_another_panes_directory_with_a_newline_does_not_matter(
    demo: DemoAgent, tmp_path: Path
) -> None:
    odd = tmp_path / "new\nline"
    odd.mkdir()
    demo.tmux.new_window("agents", "odd", "cat", directory=str(odd))
    assert demo.send("hello").code == 0
    assert demo.torch("ps", "--json").json["name"] == demo.name


def test_a_stopped_server_does_not_hang_torch(demo: DemoAgent) -> None:
    server = int(demo.tmux.cmd("display-message", "-p", "#{pid}"))
    os.kill(server, signal.SIGSTOP)
    try:
        done = demo.torch("send", demo.name, "hello", "--json")
    finally:
        os.kill(server, signal.SIGCONT)
    assert code(done) == (6, "timed-out")
    assert not demo.events("paste", "typed")


def test_a_damaged_state_file_is_said_and_left_as_it_is(tmux: TmuxServer, torch: Torch) -> None:
    file = Path(paths.database())
    file.parent.mkdir(parents=True)
    file.write_bytes(b"this is no database " * 100)
    before = file.read_bytes()
    done = torch("ps", "--json")
    assert code(done) == (1, "store")
    assert "damaged" in done.json["error"]["hint"]
    assert file.read_bytes() == before


def test_a_state_file_of_a_newer_torch_is_left_alone(torch: Torch) -> None:
    assert torch("ps").code == 0
    with sqlite3.connect(paths.database()) as database:
        database.execute("PRAGMA user_version = 99")
    done = torch("ps", "--json")
    assert code(done) == (1, "store")
    assert "newer" in done.json["error"]["message"]


def test_a_locked_state_file_is_waited_for(demo: DemoAgent) -> None:
    holder = sqlite3.connect(paths.database(), isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    release = threading.Timer(2.0, holder.execute, ["ROLLBACK"])
    release.start()
    assert demo.send("hello").code == 0
    release.join()
    holder.close()
    assert demo.submitted() == ["hello"]


def test_a_full_disk_is_said_and_nothing_is_typed(demo: DemoAgent) -> None:
    """RLIMIT_FSIZE stands for the full disk: it binds root, too."""
    size = 65_536  # bytes of a file: less than the write-ahead log takes for the message

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    done = subprocess.run(
        [*demo.torch.argv("send", demo.name, "-", "--json")],
        input=b"x" * 90_000,
        capture_output=True,
        preexec_fn=full,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done
    assert b'"code": "store"' in done.stdout
    assert not demo.events("paste", "typed")


def test_a_state_directory_that_may_not_be_written_is_said(torch: Torch) -> None:
    """Where not even root may write: a file system of the kernel's, or a sealed one."""
    sealed = "/proc/torch" if sys.platform.startswith("linux") else "/System/torch"
    for command in (("ps",), ("send", "%0", "hello"), ("window", "dev")):
        done = torch(*command, "--json", env={"TORCH_HOME": sealed})
        assert code(done) == (1, "store")
        assert "TORCH_HOME" in done.json["error"]["hint"]


def test_an_interrupted_wait_ends_with_130_and_no_traceback(demo: DemoAgent) -> None:
    words = demo.torch.argv("wait", demo.name, "--for", "dead", "--timeout", "60")
    clients = ("list-clients", "-F", "#{client_control_mode}")
    wait_until(lambda: "1" not in demo.tmux.cmd(*clients), what="the end of those before")
    with subprocess.Popen(
        words,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    ) as waiting:
        wait_until(lambda: "1" in demo.tmux.cmd(*clients), what="its control client")
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 130
    assert "Traceback" not in said
