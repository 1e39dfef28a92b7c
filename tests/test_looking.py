"""Looking on: capture, state, wait, ps, adopt."""

import os
import signal
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, wait_until
from torch_cli.cli.group import COMMANDS


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def test_capture_gives_exactly_the_last_lines_history_included(
    tmux: TmuxServer, torch: Torch
) -> None:
    shown = "i=1; while [ $i -le 100 ]; do echo line $i; i=$((i+1)); done; echo; echo; exec cat"
    pane = tmux.new_session("main", "sh", "-c", shown, size=(40, 10))
    tmux.wait_for_text(pane, "line 100")
    every = [f"line {number}" for number in range(1, 101)]
    for count in (1, 5, 50, 100):
        assert torch("capture", pane.id, "-n", str(count)).out.splitlines() == every[-count:]
    assert torch("capture", pane.id, "-n", "500").out.splitlines() == every
    assert torch("capture", pane.id, "--history", "--json").json["lines"] == every
    assert torch("capture", pane.id).out.splitlines()[-1] == "line 100"


def test_capture_joins_wrapped_lines_and_keeps_colours_when_asked(
    tmux: TmuxServer, torch: Torch
) -> None:
    shown = "printf '\\033[31mred\\033[0m '; printf 'word%.0s' $(seq 30); echo; exec cat"
    pane = tmux.new_session("main", "sh", "-c", shown, size=(40, 10))
    tmux.wait_for_text(pane, "red")
    tmux.wait_until(lambda: "word" * 5 in tmux.screen(pane), "the words")
    assert len(torch("capture", pane.id).out.splitlines()) == 4
    assert torch("capture", pane.id, "--join").out == "red " + "word" * 30 + "\n"
    assert "\x1b[31mred" in torch("capture", pane.id, "--ansi").out


def test_state_tells_the_state_its_evidence_and_since_when(demo: DemoAgent) -> None:
    idle = demo.torch("state", demo.name, "--json").json
    assert (idle["schema"], idle["state"], idle["draft"]) == ("torch.state/1", "idle", "")
    assert idle["evidence"]
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", "half a thought")
    demo.tmux.wait_for_text(demo.pane, "half a thought")
    later = demo.torch("state", demo.name, "--json").json
    assert (later["state"], later["draft"]) == ("idle", "half a thought")
    assert later["since"] == idle["since"]


def test_since_is_not_carried_over_a_turn_that_nobody_watched(demo: DemoAgent) -> None:
    before = demo.torch("state", demo.name, "--json").json["since"]
    assert demo.send("hello").code == 0
    wait_until(lambda: demo.events("answer"), what="the answer")
    demo.wait_for("idle")
    assert demo.torch("state", demo.name, "--json").json["since"] > before


def test_wait_sees_the_states_come_and_go(demo: DemoAgent) -> None:
    assert demo.send("DELAY(1) DIALOG(true) go").code == 0
    done = demo.torch("wait", demo.name, "--for", "waiting", "--timeout", "20", "--json")
    assert done.json["dialog"]["question"] == "Do you want to proceed?"
    late = demo.torch("wait", demo.name, "--for", "idle", "--timeout", "0.2", "--json")
    assert (late.code, late.json["error"]["code"]) == (6, "timed-out")
    assert "waiting" in late.json["error"]["message"]
    os.kill(demo.pane.pid, signal.SIGKILL)
    gone = demo.torch("wait", demo.name, "--for", "exited,dead", "--timeout", "20", "--json")
    assert gone.json["state"] in ("exited", "dead")


def test_wait_refuses_what_is_no_state(demo: DemoAgent) -> None:
    done = demo.torch("wait", demo.name, "--for", "idel", "--timeout", "1", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")


def test_ps_lists_agents_and_says_which_have_vanished(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    other = spawn_demo(tmux, torch, tmp_path / "other", name="other")
    assert demo.send("hello").code == 0
    tmux.cmd("kill-pane", "-t", other.pane.id)
    header, first, second = torch("ps").out.splitlines()
    assert header.split()[:4] == ["NAME", "ROLE", "PROFILE", "STATE"]
    assert first.split()[0] == "demo"
    assert "confirmed" in first
    assert "vanished" in second
    # Nothing but the vanished one is hindered.
    assert torch("state", "--json").code == 0


def test_an_adopted_agent_is_addressed_by_its_name(demo: DemoAgent) -> None:
    pane = demo.tmux.new_session("mine", "exec cat")
    demo.tmux.wait_until(lambda: demo.tmux.pane(pane.id).command == "cat", "cat")
    unknown = demo.torch("adopt", pane.id, "cat", "--json")
    assert (unknown.code, unknown.json["error"]["code"]) == (3, "not-an-agent")
    assert demo.torch("adopt", pane.id, "demo", "--profile", "demo").code == 2, "taken"
    assert demo.torch("adopt", demo.pane.id, "twice", "--json").json["error"]["code"] == "adopted"
    assert demo.torch("adopt", pane.id, "cat", "--profile", "demo").code == 0
    assert demo.torch("state", "cat", "--json").json["pane"] == pane.id


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_begins_with_examples(torch: Torch, command: str) -> None:
    done = torch(command, "--help")
    assert done.code == 0, done.err
    assert f"torch {command}" in done.out
    if command != "hook":
        assert "Examples:" in done.out or "Commands:" in done.out


def test_a_reader_that_goes_away_is_no_error(demo: DemoAgent) -> None:
    import subprocess

    words = demo.torch.argv("capture", demo.name, "--history")
    line = "exec 3>&1; { " + " ".join(f"'{word}'" for word in words) + "; echo $? >&2; } | true"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.stderr.split()[-1] == "0"
