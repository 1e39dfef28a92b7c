"""Commands that have done something when the state file fails say what they have done."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, wait_until
from torch_cli import paths, procs


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def fill() -> None:
    """Let nothing more be written to the list of events, as on a full disk."""
    full = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    with contextlib.closing(sqlite3.connect(paths.database(), isolation_level=None)) as store:
        store.execute(f"CREATE TRIGGER full BEFORE INSERT ON events {full}")


def test_a_key_that_cannot_be_recorded_is_not_pressed(demo: DemoAgent) -> None:
    """Nobody else would know of it, and press it again."""
    demo.open_dialog()
    hash_ = demo.torch("state", demo.name, "--json").json["dialog"]["hash"]
    fill()
    done = demo.torch("press", demo.name, "Escape", "--dialog", hash_)
    assert done.code == 1
    assert f"nothing was pressed in pane {demo.pane.id}, and then: the state file" in done.err
    assert demo.torch("state", demo.name, "--json").json["dialog"]["hash"] == hash_
    assert not demo.events("typed")


def test_an_agent_that_was_ended_is_named(demo: DemoAgent) -> None:
    fill()
    done = demo.torch("stop", demo.name)
    assert done.code == 1
    assert "agent 'demo' was ended, and then: the state file" in done.err
    wait_until(lambda: procs.identify(demo.pane.pid) is None, what="its end")


def test_an_agent_that_is_only_forgotten_is_not_called_ended(demo: DemoAgent) -> None:
    fill()
    done = demo.torch("stop", demo.name, "--forget")
    assert done.code == 1
    assert done.err.startswith("torch: the state file")
    assert procs.identify(demo.pane.pid) is not None


def test_a_command_that_was_typed_is_named(tmux: TmuxServer, torch: Torch) -> None:
    pane = tmux.new_session("shell", "bash --norc")
    assert torch("state", pane.id).code == 0
    fill()
    done = torch("run", pane.id, "true")
    assert done.code == 1
    assert f"the command was typed into pane {pane.id}, and then: the state file" in done.err


def test_a_move_that_was_made_is_named(demo: DemoAgent) -> None:
    demo.tmux.new_session("other", "exec cat")
    fill()
    done = demo.torch("move", demo.name, "--session", "other")
    assert done.code == 1
    assert "agent 'demo' is in other:" in done.err
    assert "and then: the state file" in done.err
