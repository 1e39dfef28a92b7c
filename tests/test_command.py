"""``torch command``: a program's own command, proven by what it does to the screen."""

from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def test_a_command_is_run_and_its_effect_is_the_proof(demo: DemoAgent) -> None:
    done = demo.torch("command", "demo", "/frobnicate it", "--json")
    assert (done.code, done.json["state"]) == (0, "submitted"), done
    assert done.json["evidence"] == ["the box is empty and the screen above it has changed"]
    assert "Unknown command: /frobnicate" in demo.screen()
    assert not demo.events("submit")


def test_a_command_that_ends_the_program_has_had_its_effect(demo: DemoAgent) -> None:
    done = demo.torch("command", "demo", "/exit", "--json")
    assert (done.code, done.json["state"]) == (0, "submitted"), done
    assert done.json["evidence"][0].startswith("the program ")


def test_a_command_waits_for_the_end_of_the_turn(demo: DemoAgent) -> None:
    assert demo.send("DELAY(1) hello").code == 0
    assert demo.torch("command", "demo", "/frobnicate", "--json").code == 0
    assert demo.events("answer")


def test_a_dialog_gets_no_command(demo: DemoAgent) -> None:
    demo.open_dialog()
    done = demo.torch("command", "demo", "/frobnicate", "--json")
    assert (done.code, done.json["state"]) == (4, "held")
    assert not demo.events("paste", "typed", "approved")


@pytest.mark.parametrize("text", ["clear", "/", "/1", "/a\nb", "", " /clear"])
def test_what_is_no_command_is_refused(demo: DemoAgent, text: str) -> None:
    done = demo.torch("command", "demo", text, "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "no-command")
    assert not demo.events("paste", "typed")
