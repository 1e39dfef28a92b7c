"""``torch doctor``: what stands in the way, and what to do about it."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent
from conftest import SOURCE, TMUX, TMUX_VERSION, TmuxServer, Torch
from torch_cli.schedule.service import service
from torch_cli.settings import settings_file
from torch_cli.store import Store


def findings(torch: Torch, subject: str, **more: Any) -> list[dict[str, str]]:
    said = torch("doctor", "--json", **more).json
    assert said["schema"] == "torch.doctor/1"
    return [found for found in said["findings"] if found["subject"] == subject]


def finding(torch: Torch, subject: str, **more: Any) -> dict[str, str]:
    (found,) = findings(torch, subject, **more)
    return found


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory, first on the PATH, for programs of the test."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_all_is_well(torch: Torch, tmux: TmuxServer) -> None:
    tmux.new_session()
    with Store():
        pass
    done = torch("doctor")
    assert done.code == 0, done.out
    assert "ok       tmux          tmux 3" in done.out
    assert "answers: 1 pane\n" in done.out
    assert "its integrity was checked" in done.out
    assert "failure" not in done.out


def test_quiet_says_only_what_is_wrong(torch: Torch, programs: Path) -> None:
    program(programs, "claude", "echo '0.0.1 (Claude Code)'")
    done = torch("doctor", "-q")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines() if line[0] != " "] == [
        "warning",
        "warning",
    ]


def test_no_tmux(torch: Torch, tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path), "TORCH_TMUX": ""}
    found = finding(torch, "tmux", env=env)
    assert found["level"] == "failure"
    assert "apt-get install tmux" in found["advice"]
    assert torch("doctor", env=env).code == 1


def test_a_tmux_that_is_too_old(torch: Torch, programs: Path) -> None:
    program(programs, "tmux", "echo tmux 2.9")
    found = finding(torch, "tmux", env={"TORCH_TMUX": ""})
    assert (found["level"], "too old" in found["message"]) == ("failure", True)


@pytest.mark.parametrize(
    ("env", "level"),
    [
        ({"LANG": ""}, "warning"),
        ({"LANG": "C"}, "warning"),
        ({"LANG": "C.UTF-8", "LC_ALL": "POSIX"}, "warning"),
        ({"LANG": "xx_YY.UTF-8"}, "warning"),
        ({"LANG": "POSIX", "LC_ALL": "C.UTF-8"}, "ok"),
    ],
)
def test_a_locale_that_is_not_utf_8_is_a_warning(
    torch: Torch, env: dict[str, str], level: str
) -> None:
    assert finding(torch, "locale", env=env)["level"] == level


def test_no_server_is_no_fault(torch: Torch) -> None:
    assert finding(torch, "server")["level"] == "note"


def test_a_server_that_tmux_names_and_that_is_gone(tmux: TmuxServer) -> None:
    dead = f"{tmux.directory}/gone,1,0"
    done = Torch(tmux.socket)
    argv = [word for word in done.argv("doctor", "--json") if word not in ("-L", "t")]
    said = subprocess.run(argv, env={**os.environ, "TMUX": dead}, capture_output=True, check=False)
    assert said.returncode == 1
    (found,) = [f for f in json.loads(said.stdout)["findings"] if f["subject"] == "server"]
    assert found["level"] == "failure"
    assert "Unset TMUX" in found["advice"]


def test_a_socket_directory_that_others_may_use(torch: Torch, tmux: TmuxServer) -> None:
    tmux.new_session()
    folder = tmux.directory / f"tmux-{os.getuid()}"
    folder.chmod(0o777)
    found = finding(torch, "server")
    folder.chmod(0o700)
    assert found["level"] == "failure"
    said = "unsafe permissions" if TMUX_VERSION >= (3, 3) else "Permission denied"
    assert said in found["message"]


def test_another_tmux_than_the_servers(torch: Torch, tmux: TmuxServer, programs: Path) -> None:
    tmux.new_session()
    program(programs, "new", f'[ "$4" = -V ] && exec echo tmux 99.9\nexec {TMUX} "$@"')
    found = findings(torch, "server", env={"TORCH_TMUX": "new"})
    assert [f["level"] for f in found] == ["warning", "ok"]
    assert "the tmux that Torch runs is 99.9" in found[0]["message"]


def test_a_state_directory_that_cannot_be_written(torch: Torch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in ("/proc/torch", str(tmp_path / "file"), str(tmp_path / "file/below")):
        found = finding(torch, "state", env={"TORCH_HOME": home})
        assert found["level"] == "failure"
        assert "TORCH_HOME" in found["advice"]


def test_a_full_disk(torch: Torch) -> None:
    """A limit that holds for root as well: no file may grow."""

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    done = subprocess.run(
        torch.argv("doctor", "--json"), capture_output=True, preexec_fn=no_room, check=False
    )
    assert done.returncode == 1
    (found,) = [f for f in json.loads(done.stdout)["findings"] if f["subject"] == "state"]
    assert found["level"] == "failure"


def test_a_store_that_others_can_read(torch: Torch, tmp_path: Path) -> None:
    with Store():
        pass
    (tmp_path / "torch" / "torch.db").chmod(0o644)
    levels = [found["level"] for found in findings(torch, "state")]
    assert levels == ["ok", "warning"]


def test_a_damaged_store(torch: Torch, tmp_path: Path) -> None:
    with Store():
        pass
    file = tmp_path / "torch" / "torch.db"
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
    found = finding(torch, "store")
    assert found["level"] == "failure"
    file.write_bytes(b"no database at all" * 100)
    assert finding(torch, "store")["level"] == "failure"


def test_nothing_is_made_by_looking(torch: Torch, tmp_path: Path) -> None:
    torch("doctor")
    assert not (tmp_path / "torch").exists()
    assert list((tmp_path / "home").iterdir()) == []


def test_a_program_in_a_version_that_is_known(torch: Torch, programs: Path) -> None:
    program(programs, "claude", "echo '2.1.330 (Claude Code)'")
    found = finding(torch, "claude")
    assert found["level"] == "ok"
    assert found["message"] == f"{programs}/claude, version 2.1.330"
    assert finding(torch, "claude chord")["level"] == "note"


def test_a_program_in_a_version_that_is_not_known(torch: Torch, programs: Path) -> None:
    program(programs, "claude", "echo '9.9.9 (Claude Code)'")
    found = finding(torch, "claude")
    assert found["level"] == "warning"
    assert "9.9.9; the profile was proven with 2.1.330" in found["message"]
    chord = finding(torch, "claude chord")
    assert (chord["level"], chord["advice"]) == ("warning", "torch agent-setup claude")


def test_a_program_that_does_not_start(torch: Torch, programs: Path) -> None:
    program(programs, "claude", "exit 1")
    assert finding(torch, "claude")["level"] == "warning"


def test_a_program_that_is_not_installed(torch: Torch, programs: Path) -> None:
    for name in (TMUX, "sh"):
        found = shutil.which(name)
        assert found
        (programs / Path(name).name).symlink_to(found)
    missing = finding(torch, "programs", env={"PATH": str(programs)})
    assert (missing["level"], "claude" in missing["message"]) == ("note", True)
    assert findings(torch, "claude chord", env={"PATH": str(programs)}) == []


def test_hooks_and_chord_that_are_installed(torch: Torch, programs: Path, tmp_path: Path) -> None:
    program(programs, "claude", "echo '2.1.330 (Claude Code)'")
    assert finding(torch, "claude hooks")["level"] == "note"
    assert torch("agent-setup", "claude", "--yes").code == 0
    assert finding(torch, "claude hooks")["level"] == "ok"
    assert finding(torch, "claude chord")["level"] == "ok"


def test_hooks_that_an_earlier_torch_installed_and_such_that_the_program_does_not_know(
    torch: Torch, programs: Path, tmp_path: Path
) -> None:
    program(programs, "claude", "echo '2.1.77 (Claude Code)'")
    assert torch("agent-setup", "claude", "--yes").code == 0
    assert finding(torch, "claude hooks")["level"] == "ok"
    program(programs, "claude", "echo '2.1.330 (Claude Code)'")
    found = finding(torch, "claude hooks")
    assert (found["level"], found["advice"]) == ("note", "torch agent-setup claude")
    assert "not for StopFailure" in found["message"]
    assert torch("agent-setup", "claude", "--yes").code == 0
    program(programs, "claude", "echo '2.0.42 (Claude Code)'")
    found = findings(torch, "claude hooks")[0]
    assert found["level"] == "warning"
    assert "2.0.42 does not know PermissionRequest, StopFailure, SubagentStart" in found["message"]


def test_a_chord_in_a_version_that_nobody_has_tried_is_not_called_well(
    torch: Torch, programs: Path
) -> None:
    """Not beside a warning that says that the version is not proven."""
    program(programs, "claude", "echo '9.9.9 (Claude Code)'")
    assert torch("agent-setup", "claude", "--yes").code == 0
    assert finding(torch, "claude")["advice"].endswith("torch profile verify claude")
    chord = finding(torch, "claude chord")
    assert (chord["level"], chord["advice"]) == ("warning", "torch profile verify claude")
    assert "nobody has tried version 9.9.9" in chord["message"]


def test_hooks_that_call_a_torch_that_is_gone(torch: Torch, programs: Path, tmp_path: Path) -> None:
    program(programs, "claude", "echo '2.1.330 (Claude Code)'")
    settings = {"hooks": {"Stop": [{"hooks": [{"command": "'/old place/torch' hook"}]}]}}
    (tmp_path / "home" / ".claude").mkdir()
    (tmp_path / "home" / ".claude" / "settings.json").write_text(json.dumps(settings))
    found = finding(torch, "claude hooks")
    assert found["level"] == "failure"
    assert "/old place/torch" in found["message"]


def test_a_profile_that_cannot_be_read_is_named(torch: Torch, tmp_path: Path) -> None:
    folder = tmp_path / "torch" / "config" / "profiles"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text("nmae = 'mine'")
    found = finding(torch, "profile mine")
    assert found["level"] == "warning"
    assert "nmae" in found["message"]


@pytest.mark.parametrize(
    ("version", "notes", "safe"), [("3.2a", 1, 1), ("3.3a", 0, 1), ("3.6b", 0, 1), ("3.7", 0, 0)]
)
def test_a_tmux_that_can_die_of_control_clients_is_named(
    torch: Torch, programs: Path, version: str, notes: int, safe: int
) -> None:
    program(programs, "tmux", f'[ "$4" = -V ] && exec echo tmux {version}; exit 1')
    done = torch("doctor", "--json", env={"TORCH_TMUX": ""})
    found = done.json["findings"]
    subjects = ("tmux panes", "tmux clients")
    tmux = [one for one in found if one["subject"] in subjects and "can end" in one["message"]]
    assert [one["level"] for one in tmux].count("note") == notes  # with what to do about it
    assert [one["level"] for one in tmux].count("ok") == safe


def test_git_and_the_settings_of_checkpoints(
    torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = finding(torch, "checkpoints")
    assert (found["level"], found["message"]) == ("ok", "of agents' directories, every 30 min")
    config = tmp_path / "torch/config/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[checkpoint]\nevry = '5m'\n")
    found = finding(torch, "checkpoints")
    assert (found["level"], found["advice"]) == ("warning", "Did you mean 'every'?")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tmux").symlink_to(TMUX)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert "git is not on the PATH" in finding(torch, "checkpoints")["message"]
    assert finding(torch, "git")["level"] == "warning"


def test_an_agent_outside_git_has_no_checkpoints(demo: DemoAgent, tmp_path: Path) -> None:
    found = finding(demo.torch, "outside git")
    assert found["level"] == "warning"
    assert f"no checkpoints of {demo.directory} ({demo.name})" in found["message"]
    assert "torch checkpoint init DIR --shadow" in found["advice"]
    assert demo.torch("checkpoint", "init", str(demo.directory), "--shadow").code == 0
    assert findings(demo.torch, "outside git") == []


def test_the_channels_of_notices(torch: Torch, tmp_path: Path) -> None:
    found = finding(torch, "notices")
    assert found["level"] == "ok"
    assert found["message"].startswith("by tmux, bell ")
    config = tmp_path / "torch/config/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[notify]\ncomand = ['x']\n")
    found = finding(torch, "notices")
    assert (found["level"], found["advice"]) == ("warning", "Did you mean 'command'?")
    config.write_text("[notify]\ntmux = false\nbell = false\ndesktop = false\n")
    assert finding(torch, "notices")["level"] == "note"


def test_no_two_rows_have_one_name(torch: Torch, tmux: TmuxServer) -> None:
    tmux.new_session()
    with Store():
        pass
    subjects = [one["subject"] for one in torch("doctor", "--json").json["findings"]]
    assert sorted(set(subjects)) == sorted(subjects)


def test_python_and_git_are_named_with_their_versions(torch: Torch) -> None:
    assert finding(torch, "python")["message"].endswith(sys.executable)
    assert finding(torch, "git")["message"].startswith("git version 2")


def test_what_torch_top_needs_is_named(torch: Torch, tmp_path: Path) -> None:
    assert finding(torch, "torch top")["message"].startswith("Textual ")
    text = """
import importlib.metadata as real
def version(name):
    raise real.PackageNotFoundError(name)
real.version = version
"""
    (tmp_path / "sitecustomize.py").write_text(text)
    found = finding(torch, "torch top", env={"PYTHONPATH": f"{tmp_path}:{SOURCE}"})
    assert (found["level"], "not installed" in found["message"]) == ("note", True)
    assert f"{sys.executable} -m pip install textual" in found["advice"]


def test_whether_agents_come_back_after_a_restart(
    torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert not findings(torch, "resurrect"), "the default needs no words"
    file = Path(settings_file())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[health]\nresurect = true\n")
    found = finding(torch, "resurrect")
    assert (found["level"], "Did you mean 'resurrect'?" in found["advice"]) == ("warning", True)
    file.write_text("[health]\nresurrect = true\n")
    found = finding(torch, "resurrect")
    assert (found["level"], found["advice"]) == ("note", "torch daemon install")
    unit = Path(service().path)
    unit.parent.mkdir(parents=True)
    unit.write_text("")
    assert finding(torch, "resurrect")["level"] == "ok"


def test_the_scheduler_and_what_starts_it(torch: Torch, programs: Path) -> None:
    program(programs, "crontab", "echo '* * * * * /bin/torch tick --quiet # torch tick'")
    found = finding(torch, "scheduler")
    assert (found["level"], "torch daemon start" in found["advice"]) == ("note", True)
    assert found["message"] == "none is running; your crontab runs 'torch tick' every minute"
    assert torch("daemon", "start").code == 0
    found = finding(torch, "scheduler")
    assert torch("daemon", "stop").code == 0
    assert (found["level"], found["message"].split(",")[0]) == ("ok", "daemon")
