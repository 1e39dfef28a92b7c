"""``torch uninstall``: what Torch has put there goes, and everything else stays byte for byte."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import test_crontab
from agent import DemoAgent
from conftest import PATIENCE, Torch, wait_until
from repository import Repository
from torch_cli import paths

file = test_crontab.file

ZSHRC = b'setopt no_beep\n  eval "$(torch completion zsh)"\n# eval torch\nalias t=torch'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home, with start-up files of theirs."""
    place = tmp_path / "person"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    (place / ".zshrc").write_bytes(ZSHRC)
    (place / ".tmux.conf").write_bytes(b"set -g mouse on")
    (place / ".claude").mkdir()
    (place / ".claude" / "settings.json").write_bytes(b'{"model": "opus"}')
    return place


@pytest.fixture
def control(file: Path) -> Path:
    """Stands in for systemctl and launchctl, so that no test touches the caller's own services."""
    program = Path(os.environ["PATH"].split(os.pathsep)[0])
    program /= "launchctl" if sys.platform == "darwin" else "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >>"{file}.asked"\n')
    program.chmod(0o755)
    return program


@pytest.fixture
def everything(
    home: Path, file: Path, control: Path, torch: Torch, tmp_path: Path
) -> Iterator[dict[str, Path]]:
    """All of it installed, with the files that it is in."""
    file.write_bytes(b"0 4 * * * backup\n")
    project = tmp_path / "project"
    (project / ".claude").mkdir(parents=True)
    assert torch("crontab", "install").code == 0
    assert torch("shell", "tmux", "--install").code == 0
    assert torch("agent-setup", "claude", "--yes").code == 0
    assert torch("agent-setup", "claude", "--project", str(project), "--yes").code == 0
    fish = home / ".config" / "fish" / "completions" / "torch.fish"
    fish.parent.mkdir(parents=True)
    fish.write_text(torch("completion", "fish").out)
    unit = Path(torch("daemon", "install", "--json").json["path"])
    assert torch("daemon", "start").code == 0
    yield {
        "crontab": file,
        "unit": unit,
        "fish": fish,
        "bindings": home / ".claude" / "keybindings.json",
        "local": project / ".claude" / "settings.local.json",
    }
    torch("daemon", "stop")


def names(out: str) -> list[str]:
    return [part["name"] for part in json.loads(out)["parts"]]


PARTS = ["service", "daemon", "crontab", "hooks", "tmux", "completion"]


def test_all_of_it_goes_and_the_rest_is_as_it_was(
    everything: dict[str, Path], home: Path, torch: Torch
) -> None:
    dry = torch("uninstall", "--dry-run", "--json")
    assert (dry.code, names(dry.out)) == (0, PARTS)
    assert not any(part["removed"] for part in dry.json["parts"])
    assert all(path.exists() for path in everything.values())
    assert torch("daemon", "status").code == 0
    done = torch("uninstall", "--yes")
    assert done.code == 0, done.err
    assert [f"removed: {name}" in done.err for name in PARTS] == [True] * len(PARTS)
    assert everything.pop("crontab").read_bytes() == b"0 4 * * * backup\n"
    assert [path for path in everything.values() if path.exists()] == []
    assert (home / ".zshrc").read_bytes() == ZSHRC.replace(ZSHRC.splitlines(True)[1], b"")
    assert (home / ".tmux.conf").read_bytes() == b"set -g mouse on"
    assert (home / ".claude" / "settings.json").read_bytes() == b'{"model": "opus"}'
    assert torch("daemon", "status").code == 3
    assert os.path.exists(paths.database()), "the state is a person's data, and was not asked for"
    again = torch("uninstall", "--yes")
    assert (again.code, "Nothing of Torch's is installed." in again.err) == (0, True)


def test_what_cannot_be_removed_keeps_nothing_else(
    everything: dict[str, Path], home: Path, torch: Torch
) -> None:
    settings = home / ".claude" / "settings.json"
    settings.write_bytes(b"{ broken")
    everything["crontab"].with_name("crontab.refuse").touch()
    done = torch("uninstall", "--yes", "--json")
    assert done.code == 1
    problems = {part["name"]: part["problem"] for part in done.json["parts"] if part["problem"]}
    assert set(problems) == {"hooks", "crontab"}
    assert str(settings) in problems["hooks"]
    assert settings.read_bytes() == b"{ broken"
    removed = [part["name"] for part in done.json["parts"] if part["removed"]]
    assert removed == ["service", "daemon", "tmux", "completion"]
    words = torch("uninstall", "--yes")
    assert words.code == 1
    assert str(settings) in words.err


def test_nothing_is_removed_without_consent(everything: dict[str, Path], torch: Torch) -> None:
    refused = torch("uninstall")
    assert (refused.code, "nothing was removed" in refused.err) == (2, True)
    person, terminal = pty.openpty()
    with subprocess.Popen(
        torch.argv("uninstall"), stdin=terminal, stdout=terminal, stderr=terminal
    ) as asked:
        os.close(terminal)
        os.write(person, b"n\n")
        assert asked.wait(PATIENCE) == 1
    os.close(person)
    assert all(path.exists() for path in everything.values())
    assert torch("daemon", "status").code == 0


@pytest.mark.usefixtures("file")
def test_where_nothing_is_there_nothing_is_made(torch: Torch, tmp_path: Path) -> None:
    # Elsewhere this would delete the checkpoints of the repository that the tests run in.
    done = torch("uninstall", "--state", "--checkpoints", "--yes", "--json", cwd=tmp_path)
    assert (done.code, done.json["parts"]) == (0, [])
    assert not os.path.exists(paths.database())


@pytest.mark.usefixtures("file")
def test_checkpoints_go_if_that_is_asked_for(torch: Torch, tmp_path: Path) -> None:
    assert torch("tick").code == 0  # so that there is a state, which knows what was recorded
    repository = Repository.make(tmp_path / "project", {"a": "1"})
    for text in ("2", "3"):
        (repository.path / "a").write_text(text)
        assert torch("checkpoint", "now", str(repository.path)).code == 0
    head = repository.git("rev-parse", "HEAD")
    assert torch("uninstall", "--yes", "--json").json["parts"] == []
    done = torch("uninstall", "--checkpoints", "--yes", "--json", cwd=tmp_path)
    assert [part["what"] for part in done.json["parts"]] == [f"2 checkpoints in {repository.path}"]
    assert repository.git("for-each-ref", "refs/torch") == ""
    (repository.path / "a").write_text("4")
    assert torch("checkpoint", "now", str(repository.path)).code == 0
    Path(paths.database()).unlink()  # then nothing knows of it but who stands there
    done = torch("uninstall", "--checkpoints", "--yes", "--json", cwd=repository.path)
    assert [part["removed"] for part in done.json["parts"]] == [True]
    assert repository.git("for-each-ref", "refs/torch") == ""
    assert repository.git("rev-parse", "HEAD") == head
    assert (repository.path / "a").read_text() == "4"


@pytest.mark.usefixtures("file")
def test_the_state_goes_only_once_nobody_lives(demo: DemoAgent, torch: Torch) -> None:
    own = Path(paths.state_dir()) / "notes-of-mine"
    own.write_text("keep me")
    request = Path(paths.answers()) / "1-per_1.open"
    request.parent.mkdir()
    request.write_text("a command")
    refused = torch("uninstall", "--state", "--yes")
    assert refused.code == 1
    assert f"'{demo.name}' still lives" in refused.err
    assert os.path.exists(paths.database())
    assert demo.torch("stop", demo.name).code == 0
    done = torch("uninstall", "--state", "--yes")
    assert done.code == 0, done.err
    wait_until(lambda: not os.path.exists(paths.database()), what="the end of the state file")
    assert own.read_text() == "keep me"
    assert str(own) in done.err
    assert not request.parent.exists()


@pytest.mark.usefixtures("file")
def test_an_agent_may_not(demo: DemoAgent, torch: Torch) -> None:
    refused = torch("uninstall", "--yes", env={"TORCH_AGENT": demo.name})
    assert (refused.code, "only people" in refused.err) == (2, True)
