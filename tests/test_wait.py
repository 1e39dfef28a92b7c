"""``torch wait``: what ends it early, and what a person sees meanwhile."""

import subprocess
import time

import pytest

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, TmuxServer, Torch
from test_since import in_a_terminal


def test_an_agent_that_is_dead_is_not_waited_for(demo: DemoAgent) -> None:
    demo.tmux.cmd("set-option", "-p", "-t", demo.pane.id, "remain-on-exit", "on")
    demo.kill()
    demo.wait_for("dead")
    began = time.monotonic()
    done = demo.torch("wait", demo.name, "--for", "idle,waiting", "--timeout", f"{PATIENCE}")
    assert time.monotonic() - began < PATIENCE / 2
    assert done.code == 3
    assert "'demo' is dead (" in done.err
    assert "torch restart demo" in done.err
    done = demo.torch("wait", demo.name, "--for", "hibernated", "--timeout", "0", "--json")
    assert (done.code, done.json["error"]["code"]) == (6, "timed-out")


def test_one_that_dies_meanwhile_ends_the_wait(demo: DemoAgent) -> None:
    demo.tmux.cmd("set-option", "-p", "-t", demo.pane.id, "remain-on-exit", "on")
    words = demo.torch.argv("wait", demo.name, "--for", "working", "--timeout", "120", "--json")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(2)
        demo.kill()
        said, _ = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 3
    assert '"code": "dead"' in said


def test_a_person_is_told_that_it_waits(demo: DemoAgent) -> None:
    words = demo.torch.argv("wait", demo.name, "--for", "working", "--timeout", "2")
    shown = in_a_terminal(words)
    assert "waiting for demo: it is idle" in shown
    assert "2 s at most" in shown


def test_one_that_asks_nothing_is_not_answered_for_another(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch
) -> None:
    other = spawn_demo(tmux, torch, demo.directory, name="docs")
    done = torch("answer", other.name)
    assert (done.code, done.out) == (4, "")
    assert "'docs' asks nothing: it is idle" in done.err
    demo.open_dialog()
    done = torch("answer", other.name, "--json")
    error = done.json["error"]
    assert (done.code, error["code"]) == (4, "no-dialog")
    assert error["message"] == "'docs' asks nothing; demo does"
    assert torch("answer", demo.name).code == 8
