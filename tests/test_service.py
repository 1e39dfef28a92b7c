"""The daemon as the system's: its unit, its readiness, its log."""

import configparser
import os
import plistlib
import shlex
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import PATIENCE, Torch, wait_until
from torch_cli.schedule import journal, logs, service
from torch_cli.schedule.notify import notify, watchdog_seconds

ODD = 'it\'s 100% "odd" $x \\ 🚀'


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short path, for a socket."""
    with tempfile.TemporaryDirectory(prefix="tt", dir="/tmp") as name:
        yield Path(name)


def parsed(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


def unquoted(word: str) -> str:
    """Return a word as systemd reads it: its specifiers and variables undone."""
    (read,) = shlex.split(word.replace("$$", "\0"))
    return read.replace("%%", "%").replace("\0", "$")


def test_the_unit_names_this_torch_and_its_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / ODD))
    unit = service.service("linux")
    found = parsed(unit.text)
    assert found["Service"]["Type"] == "notify"
    words = shlex.split(found["Service"]["ExecStart"].replace("$$", "$"))
    assert os.access(words[0], os.X_OK)
    assert words[-4:] == ["daemon", "run", "--quiet", "--if-needed"]
    lines = [line for line in unit.text.splitlines() if line.startswith("Environment=")]
    values = [unquoted(line.partition("=")[2]) for line in lines]
    assert f"TORCH_HOME={tmp_path / ODD}" in values
    assert unit.path.endswith(".config/systemd/user/torch.service")


def test_the_launchd_agent_is_a_sound_plist(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / ODD))
    agent = service.service("darwin")
    found = plistlib.loads(agent.text.encode())
    assert found["ProgramArguments"][-4:] == ["daemon", "run", "--quiet", "--if-needed"]
    assert found["EnvironmentVariables"]["TORCH_HOME"] == str(tmp_path / ODD)
    assert found["RunAtLoad"] is True
    assert found["AbandonProcessGroup"] is True, "a tmux server that it started lives on"
    assert "not been tested on macOS" in agent.caution
    assert service.service("linux").caution == ""


def test_install_writes_what_dry_run_shows_and_starts_nothing(torch: Torch) -> None:
    dry = torch("daemon", "install", "--dry-run", "--json").json
    assert not Path(dry["path"]).exists()
    done = torch("daemon", "install", "--json")
    assert done.code == 0
    assert Path(dry["path"]).read_text() == dry["text"]
    assert done.json["next"]
    assert torch("daemon", "status").code == 3
    assert torch("daemon", "install", "--uninstall").code == 0
    assert not Path(dry["path"]).exists()
    assert torch("daemon", "install", "--uninstall").code == 0


def test_a_place_that_cannot_be_written_is_said(torch: Torch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = torch("daemon", "install", env={"XDG_CONFIG_HOME": str(tmp_path / "file")})
    assert done.code == 1
    assert "nothing was installed" in done.err


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(monkeypatch: pytest.MonkeyPatch, short: Path, abstract: bool) -> None:
    if abstract and not os.path.exists("/proc"):
        return  # abstract sockets are Linux's alone
    name = f"torch-test-{os.getpid()}" if abstract else f"{short}/s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}" if abstract else name)
        listener.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        assert notify("READY=1")
        assert listener.recv(100) == b"READY=1"
    assert not notify("READY=1"), "nobody listens"
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert not notify("READY=1")


def test_the_watchdog_is_told_twice_as_often_as_it_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watchdog_seconds() is None
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    assert watchdog_seconds() == 30
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_seconds() is None
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_seconds() == 30
    monkeypatch.setenv("WATCHDOG_USEC", "nonsense")
    assert watchdog_seconds() is None


def test_a_daemon_is_ready_when_it_says_so(torch: Torch, short: Path) -> None:
    import subprocess

    name = f"{short}/s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        listener.settimeout(PATIENCE)
        environment = {**os.environ, "NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000"}
        daemon = subprocess.Popen(torch.argv("daemon", "run", "-q"), env=environment)
        try:
            assert b"READY=1" in listener.recv(200)
            assert torch("daemon", "status", "--json").json["pid"] == daemon.pid
            assert listener.recv(200) == b"WATCHDOG=1"
        finally:
            daemon.terminate()
            assert daemon.wait(PATIENCE) == 0


def test_the_service_takes_the_place_of_a_daemon_started_by_hand(
    torch: Torch, tmp_path: Path
) -> None:
    """To systemd a service that ends before it is ready has failed, and is repeated for ever."""
    control = tmp_path / "bin" / ("launchctl" if sys.platform == "darwin" else "systemctl")
    control.parent.mkdir()
    control.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    control.chmod(0o755)
    path = {"PATH": f"{control.parent}:{os.environ['PATH']}"}
    assert torch("daemon", "start").code == 0
    done = torch("daemon", "install", "--now", env=path)
    assert done.code == 0, done.err
    assert torch("daemon", "status").code == 3, "the way is free for that of the system"
    assert "torch" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("there", [True, False])
def test_the_service_is_removed_also_if_the_system_does_not_end_it(
    torch: Torch, tmp_path: Path, there: bool
) -> None:
    control = tmp_path / "bin" / ("launchctl" if sys.platform == "darwin" else "systemctl")
    control.parent.mkdir()
    if there:
        control.write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
        control.chmod(0o755)
    unit = Path(torch("daemon", "install", "--json").json["path"])
    path = {"PATH": str(control.parent)}
    done = torch("daemon", "install", "--uninstall", "--now", "--json", env=path)
    assert done.code == 1
    assert ("no bus" in done.json["error"]["message"]) == there
    assert done.json["error"]["message"].endswith(f"{unit} was removed")
    assert control.name in done.json["error"]["hint"]
    assert not unit.exists()


def test_a_service_that_is_not_needed_is_ready_before_it_ends(torch: Torch, short: Path) -> None:
    name = f"{short}/s"
    assert torch("daemon", "start").code == 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        listener.settimeout(PATIENCE)
        try:
            run = ("daemon", "run", "--quiet", "--if-needed")
            assert torch(*run, env={"NOTIFY_SOCKET": name}).code == 0
            assert listener.recv(200) == b"READY=1"
        finally:
            assert torch("daemon", "stop").code == 0


def test_no_line_is_lost_between_the_tail_and_what_follows_nor_at_a_rotation(torch: Torch) -> None:
    log = Path(logs.log_file())
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("1\n2\n")
    tail = logs.Tail()
    assert tail.last(1) == ["2"]
    with log.open("a") as file:
        file.write("3\n4 is ")
    following = tail.follow()
    assert next(following) == "3"
    with log.open("a") as file:
        file.write("whole\n5\n")
    log.rename(f"{log}.1")
    log.write_text("6\n")
    assert [next(following) for _ in range(3)] == ["4 is whole", "5", "6"]


def test_the_log_is_rotated_and_read_over_the_border(
    monkeypatch: pytest.MonkeyPatch, torch: Torch
) -> None:
    monkeypatch.setattr(journal, "FILE_SIZE", 2_000)
    written = journal.Journal(as_json=False, bodies=False, echo=False)
    for number in range(200):
        written.say("counted", number=number)
    files = sorted(Path(logs.log_file()).parent.glob("daemon.log*"))
    assert len(files) == 1 + journal.FILES
    assert all(file.stat().st_size <= 2_000 for file in files)
    lines = torch("daemon", "logs", "-n", "40").out.splitlines()
    assert [line.rpartition("=")[2] for line in lines] == [str(n) for n in range(160, 200)]


def test_a_followed_log_goes_on_through_a_rotation(torch: Torch, tmp_path: Path) -> None:
    import subprocess

    log = Path(logs.log_file())
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("old\n")
    out = tmp_path / "followed"
    with out.open("wb") as target:
        follower = subprocess.Popen(torch.argv("daemon", "logs", "-n", "1", "-f"), stdout=target)
    try:
        wait_until(lambda: out.read_text() == "old\n")

        def seen(text: str) -> bool:
            return out.read_text().endswith(text)

        with log.open("a") as file:
            file.write("one\n")
        wait_until(lambda: seen("one\n"))
        log.rename(f"{log}.1")
        log.write_text("two\n")
        wait_until(lambda: seen("one\ntwo\n"))
    finally:
        follower.terminate()
        follower.wait(PATIENCE)


def test_restart_starts_a_daemon_anew_or_one_where_none_ran(torch: Torch) -> None:
    first = torch("daemon", "restart", "--json").json
    assert (first["started"], first["schema"]) == (True, "torch.daemon/1")
    again = torch("daemon", "restart")
    assert (again.code, again.out.partition("  ")[0]) == (0, "restarted"), again.err
    assert torch("daemon", "status", "--json").json["pid"] not in (None, first["pid"])


@pytest.mark.skipif(sys.platform == "darwin", reason="launchctl takes other words")
def test_restart_has_the_system_start_the_daemon_that_it_is_to_start(
    torch: Torch, tmp_path: Path
) -> None:
    control = tmp_path / "bin" / "systemctl"
    control.parent.mkdir()
    run = shlex.join(torch.argv("daemon", "run", "-q"))
    asked = tmp_path / "asked"
    control.write_text(
        f'#!/bin/sh\necho "$2" >>{asked}\n[ "$2" != restart ] || setsid {run} >/dev/null 2>&1 &\n'
    )
    control.chmod(0o755)
    path = {"PATH": f"{control.parent}:{os.environ['PATH']}"}
    unit = torch("daemon", "install", "--json", env=path).json["path"]
    done = torch("daemon", "restart", env=path)
    assert (done.code, f"as {unit} says" in done.err) == (0, True), done.err
    assert asked.read_text().split() == ["daemon-reload", "restart"]
    Path(unit).write_text("[Unit]\nDescription=another state\n")
    assert torch("daemon", "restart", env=path).code == 0
    assert asked.read_text().split() == ["daemon-reload", "restart"], "not that one"
    control.write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
    assert torch("daemon", "install", env=path).code == 0
    done = torch("daemon", "restart", env=path)
    assert (done.code, "no bus; it is started without that" in done.err) == (0, True), done.err
