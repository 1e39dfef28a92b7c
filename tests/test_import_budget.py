"""What the commands that must be fast may not import: imports cost more than all of tmux."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import SOURCE, TmuxServer, Torch

HEAVY = (
    *("apscheduler", "dotenv", "git", "libtmux", "platformdirs", "psutil", "redis", "rich"),
    *("sqlalchemy", "tomlkit", "tzlocal"),
)
"""Packages of others; each costs as much as an empty Python or more."""

SLOW = (
    *("asyncio", "dataclasses", "difflib", "logging", "subprocess", "tempfile", "tomllib"),
    "zoneinfo",
)
"""Parts of Python that cost a tenth of that or more, and that a delivery can do without."""

TEAMS = (
    *("torch_cli.lifecycle", "torch_cli.tasks", "torch_cli.teamfile", "torch_cli.teams"),
    *("torch_cli.roster.authority", "torch_cli.roster.edges", "torch_cli.roster.membership"),
    "torch_cli.roster.project",
)
"""What is about teams, and not about one agent."""

ENTRY = "from torch_cli.__main__ import main; main()"


def imported(*arguments: str, given: str = "", env: dict[str, str] | None = None) -> set[str]:
    """Return the modules that ``torch ARGUMENTS`` imports beyond those of an empty Python."""
    return _modules(ENTRY, arguments, given, env or {}) - _modules("pass", (), "", {})


def _modules(code: str, arguments: Sequence[str], given: str, env: dict[str, str]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, *arguments],
        input=given,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE), **env},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(re.findall(r"^import time:[^|]*\|[^|]*\|\s*(\S+)$", done.stderr, re.MULTILINE))


def found(modules: set[str], packages: Sequence[str]) -> list[str]:
    """Return which of ``packages``, or of what is in them, are among ``modules``."""
    return sorted(
        module
        for module in modules
        if any(module == package or module.startswith(f"{package}.") for package in packages)
    )


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def test_a_delivery_imports_nothing_heavy(demo: DemoAgent) -> None:
    modules = imported("send", "demo", "hello")
    assert "torch_cli.delivery.procedure" in modules
    assert demo.submitted() == ["hello"]
    others = (*TEAMS, "torch_cli.demo_agent", "torch_cli.tmux.window")
    assert not found(modules, [*HEAVY, *SLOW, *others, "click", "hashlib", "pathlib"])


def test_a_question_imports_nothing_heavy(demo: DemoAgent) -> None:
    modules = imported("ask", "demo", "hello")
    assert "torch_cli.delivery.ask" in modules
    assert demo.submitted() == ["hello"]
    others = (*TEAMS, "torch_cli.demo_agent", "torch_cli.tmux.window")
    assert not found(modules, [*HEAVY, *SLOW, *others, "click", "hashlib", "pathlib"])


def test_a_check_in_without_a_cron_expression_imports_no_scheduler(demo: DemoAgent) -> None:
    modules = imported("checkin", "add", "demo", "How far?", "--in", "30m")
    assert "torch_cli.schedule.checkin" in modules
    assert not found(modules, [*HEAVY, "logging", "tzlocal", *TEAMS])


@pytest.mark.parametrize(
    "words",
    ["state demo", "ps", "capture demo", "task add build", "spawn two --profile demo --wait 0"],
)
def test_what_is_called_often_does_without_libtmux(
    demo: DemoAgent, tmp_path: Path, words: str
) -> None:
    arguments = words.split()
    if arguments[0] == "spawn":
        arguments += ["-S", demo.pane.socket_path, "--dir", str(tmp_path)]
    assert not found(imported(*arguments), ["libtmux", "torch_cli.tmux.server"])


@pytest.mark.parametrize("words", ["ps", "ps --json", "status", "status --line"])
def test_a_look_at_all_agents_imports_nothing_heavy(demo: DemoAgent, words: str) -> None:
    modules = imported(*words.split())
    assert "torch_cli.watch.sweep" in modules
    others = (*TEAMS, "torch_cli.demo_agent", "torch_cli.store.checkins", "torch_cli.tmux.window")
    assert not found(modules, [*HEAVY, *SLOW, "click", "inspect", *others])


def test_a_hook_imports_next_to_nothing(demo: DemoAgent) -> None:
    given = '{"hook_event_name": "Stop", "session_id": "s"}'
    modules = imported("hook", given=given, env={"TMUX_PANE": demo.pane.id})
    assert {"sqlite3", "json"} <= modules, "it wrote the event down"
    python = ("argparse", "click", "hashlib", "inspect", "pathlib", "typing")
    own = ("torch_cli.cli", "torch_cli.delivery", "torch_cli.store", "torch_cli.tmux")
    assert not found(modules, [*HEAVY, *SLOW, *python, *own])


def test_a_hook_without_a_store_does_not_open_one() -> None:
    assert not found(imported("hook", given="{}"), ["json", "sqlite3"])


def test_the_version_is_said_without_click() -> None:
    modules = imported("--version")
    own = {module for module in modules if module.startswith("torch_cli")}
    assert own == {"torch_cli", "torch_cli.__main__"}
    assert not found(modules, [*HEAVY, *SLOW, "click"])


def test_help_loads_no_part_that_does_the_work() -> None:
    modules = imported("send", "--help")
    assert "click" in modules
    rooms = ("programs", "roster", "delivery", "store", "watch", "shell", "schedule", "checkpoint")
    work = [*(f"torch_cli.{room}" for room in rooms), *TEAMS]
    assert not found(modules, [*HEAVY, *SLOW, *work, "json", "sqlite3", "tomllib"])
