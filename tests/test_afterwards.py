"""Messages of unknown fate that their program reports, or has written down, later."""

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, accept_profiles
from test_delivery_faults import DIE, STOCK, send_with
from torch_cli.store import Store
from torch_cli.store.messages import Message

LOST = "please do it by and by"


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    """An agent whose program is said to keep a transcript as Claude Code does."""
    profiles = Path(os.environ["TORCH_HOME"]) / "config/profiles"
    profiles.mkdir(parents=True)
    stock = (STOCK / "demo.toml").read_text()
    answer = '[answer]\ntranscript = "claude"\n'
    assert "[answer]\n" in stock
    (profiles / "demo.toml").write_text(stock.replace("[answer]\n", answer))
    accept_profiles()
    tmux.new_session("other", "exec cat")
    tmux.cmd("set-environment", "-g", "CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    return spawn_demo(tmux, torch, tmp_path / "project")


def lose(demo: DemoAgent, text: str = LOST) -> Message:
    """Leave a message of unknown fate: its sender was killed, and a person cleared the box."""
    killed = send_with(demo, text, DIE.replace("attempting", "seen"))
    assert killed.returncode == -signal.SIGKILL, killed
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "C-u")
    demo.tmux.wait_for_text(demo.pane, "Type a message")
    with Store() as store:
        identity = store.messages.latest()[0].id
    assert demo.send("next").code == 0
    assert state_of(identity).state == "unknown"
    with Store() as store:
        return store.messages.get(identity)


def state_of(identity: str) -> Message:
    with Store() as store:
        return store.messages.get(identity)


def write_down(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "claude/projects/project"
    folder.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    line = {"type": "user", "timestamp": at, "message": {"role": "user", "content": text}}
    with (folder / "session.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def test_a_message_that_the_transcript_has_later_is_confirmed(
    demo: DemoAgent, tmp_path: Path
) -> None:
    lost = lose(demo)
    write_down(tmp_path, "something else")
    assert demo.torch("tick").code == 0
    assert state_of(lost.id).state == "unknown"
    write_down(tmp_path, LOST)
    assert demo.torch("tick").code == 0
    found = state_of(lost.id)
    assert (found.state, found.reason) == ("confirmed", "found afterwards")
    assert "the program's transcript has the text" in found.evidence
    assert demo.submitted() == ["next"], "nothing was typed for it"


def test_a_message_that_a_hook_reports_later_is_confirmed(demo: DemoAgent) -> None:
    lost = lose(demo)
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", LOST)
    demo.tmux.wait_for_text(demo.pane, LOST)  # in one read with Enter it would be a paste
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "Enter")
    demo.tmux.wait_until(lambda: demo.submitted() == ["next", LOST], "the report")
    demo.wait_for("idle")
    assert demo.torch("tick").code == 0
    assert state_of(lost.id).state == "confirmed"


def test_what_another_message_with_the_same_text_may_have_brought_proves_nothing(
    demo: DemoAgent, tmp_path: Path
) -> None:
    lost = lose(demo)
    assert demo.send(LOST).code == 0
    write_down(tmp_path, LOST)
    assert demo.torch("tick").code == 0
    assert state_of(lost.id).state == "unknown"


def test_a_message_that_a_hook_refused_is_not_confirmed_by_ours(
    demo: DemoAgent, tmp_path: Path
) -> None:
    """Hooks of one event run beside each other, so ours has reported it."""
    lost = lose(demo)
    write_down(tmp_path, "something else")
    words = f"UserPromptSubmit operation blocked by hook:\nno\n\nOriginal prompt: {LOST}"
    line = {"type": "system", "subtype": "informational", "content": words}
    line["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    with (tmp_path / "claude/projects/project/session.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    event = json.dumps({"hook_event_name": "UserPromptSubmit", "prompt": LOST})
    environ = {
        "TMUX": f"{demo.pane.socket_path},{demo.pane.server_pid},0",
        "TMUX_PANE": demo.pane.id,
    }
    assert demo.torch("hook", input=event, env=environ).code == 0
    assert demo.torch("tick").code == 0
    assert state_of(lost.id).state == "unknown"
