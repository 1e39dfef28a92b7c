"""The scripts of the page on coming from other scripts, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, SOURCE, TmuxServer, Torch

PAGE = Path(__file__).parents[1] / "docs" / "coming-from.md"

_SCRIPT = re.compile(r"^## `(\S+) .*?^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A directory with the scripts of the page, and with ``torch``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    found = dict(_SCRIPT.findall(PAGE.read_text(encoding="utf-8")))
    assert sorted(found) == ["schedule_with_note", "send-claude-message"]
    found["torch"] = (
        f"#!/bin/sh\nPYTHONPATH='{SOURCE}' exec '{sys.executable}' -m torch_cli \"$@\"\n"
    )
    for name, text in found.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def run(scripts: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "TORCH_TMUX_SOCKET": "t"}
    return subprocess.run(
        words, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_the_old_scripts_names_send_and_schedule(demo: DemoAgent, scripts: Path) -> None:
    sent = run(scripts, "send-claude-message", "demo", "- run", "the tests")
    assert sent.returncode == 0, sent.stderr
    assert demo.submitted() == ["- run the tests"]
    target = demo.tmux.cmd("display-message", "-p", "-t", demo.pane.id, "#S:#I").strip()
    assert run(scripts, "send-claude-message", target, "again").returncode == 0
    assert demo.submitted()[1:] == ["again"]
    assert run(scripts, "send-claude-message", "nobody", "x").returncode == 3
    assert run(scripts, "send-claude-message", "demo").returncode == 2

    made = run(scripts, "schedule_with_note", "30", "How far are you?", "demo")
    assert made.returncode == 0, made.stderr
    listed = demo.torch("-L", "t", "checkin", "list", "--json").json
    assert (listed["target"], listed["note"]) == ("demo", "How far are you?")


def test_the_team_in_place_of_conductor_is_without_mistakes(torch: Torch, tmp_path: Path) -> None:
    (found,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.DOTALL)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "torch.toml").write_text(found, encoding="utf-8")
    checked = torch("config", "check", "--dir", str(tmp_path), "--json")
    assert checked.code == 0, checked.err
    assert {one["name"] for one in checked.json["members"]} == {"cart", "web"}
