"""Messages that a person removes from the box: that they failed is said only if it is sure."""

import contextlib
import json
import os
import signal
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch
from test_delivery_faults import ADD_AFTER_THE_PASTE, DIE, STOCK, send_with
from torch_cli import paths, procs
from torch_cli.delivery.removed import REASON
from torch_cli.store import Store
from torch_cli.store.messages import Message

TEXT = "please do it"

ERASE = """
from torch_cli.delivery import job, procedure
procedure.SEE = 3.0
saw_part = job.Job.saw_part
def seen(self):
    saw_part(self)
    tmux("send-keys", "-t", os.environ["PANE"], "C-u")
job.Job.saw_part = seen
"""
"""A person erases the box once our text was seen there with theirs."""


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    """An agent whose program keeps a transcript as Claude Code does, and names it."""
    profiles = Path(os.environ["TORCH_HOME"]) / "config/profiles"
    profiles.mkdir(parents=True)
    stock = (STOCK / "demo.toml").read_text()
    (profiles / "demo.toml").write_text(
        stock.replace("[answer]\n", '[answer]\ntranscript = "claude"\n')
    )
    tmux.new_session("other", "exec cat")
    tmux.cmd("set-environment", "-g", "CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    demo = spawn_demo(tmux, torch, tmp_path / "project")
    name_session(demo, tmp_path)
    write_down(tmp_path, "an earlier message")
    return demo


def name_session(demo: DemoAgent, tmp_path: Path) -> None:
    process = procs.identify(demo.pane.pid)
    assert process is not None
    path = tmp_path / "claude/sessions" / f"{process.pid}.json"
    path.parent.mkdir(parents=True)
    record = {"pid": process.pid, "procStart": process.started, "sessionId": "session"}
    path.write_text(json.dumps(record))


def write_down(tmp_path: Path, text: str, **more: object) -> None:
    folder = tmp_path / "claude/projects/project"
    folder.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    line = {"type": "user", "timestamp": at, "message": {"role": "user", "content": text}, **more}
    with (folder / "session.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def lose(demo: DemoAgent, text: str = TEXT) -> str:
    """Kill a sender while its text is in the box, and clear that as a person; return the id."""
    killed = send_with(demo, text, DIE.replace("attempting", "seen"))
    assert killed.returncode == -signal.SIGKILL, killed
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "C-u")
    demo.tmux.wait_for_text(demo.pane, "Type a message")
    with Store() as store:
        return store.messages.latest()[0].id


def message(identity: str) -> Message:
    with Store() as store:
        return store.messages.get(identity)


def test_a_text_that_was_erased_has_failed(demo: DemoAgent) -> None:
    lost = lose(demo)
    assert demo.send("next").code == 0
    assert (message(lost).state, message(lost).reason) == ("failed", REASON)
    assert demo.submitted() == ["next"]


def test_a_text_that_was_erased_among_other_text_has_failed(demo: DemoAgent) -> None:
    done = send_with(demo, TEXT, ADD_AFTER_THE_PASTE + ERASE, ADDED=" or not")
    assert done.stdout.startswith(f"failed: {REASON}"), done
    assert done.returncode == 1
    assert demo.submitted() == []
    assert demo.send("next").code == 0


@pytest.mark.parametrize("text", [TEXT, f"{TEXT} or not", "something else"])
def test_what_was_submitted_meanwhile_may_have_been_ours(
    text: str, demo: DemoAgent, tmp_path: Path
) -> None:
    """A person may have changed it before Enter; of what they wrote, nobody can tell."""
    lost = lose(demo)
    write_down(tmp_path, text)
    assert demo.send("next").code == 0
    assert message(lost).state == ("confirmed" if text == TEXT else "unknown")


def test_a_message_that_waits_in_the_programs_queue_may_be_ours(
    demo: DemoAgent, tmp_path: Path
) -> None:
    lost = lose(demo)
    queued = {"operation": "enqueue", "content": f"{TEXT} or not", "message": None}
    write_down(tmp_path, "", **{**queued, "type": "queue-operation"})
    assert demo.send("next").code == 0
    assert message(lost).state == "unknown"


def test_a_transcript_that_is_not_shown_to_be_the_programs_proves_nothing(
    demo: DemoAgent, tmp_path: Path
) -> None:
    lost = lose(demo)
    for record in (tmp_path / "claude/sessions").iterdir():
        record.unlink()
    assert demo.send("next").code == 0
    assert message(lost).state == "unknown"


def test_a_transcript_that_cannot_be_read_whole_proves_nothing(
    demo: DemoAgent, tmp_path: Path
) -> None:
    lost = lose(demo)
    transcript = tmp_path / "claude/projects/project/session.jsonl"
    transcript.unlink()
    for _ in range(5):
        write_down(tmp_path, "x" * (1 << 20), type="assistant")
    assert demo.send("next").code == 0
    assert message(lost).state == "unknown"


def test_a_text_that_was_never_seen_in_the_box_may_be_anywhere(demo: DemoAgent) -> None:
    """A dialog may have swallowed it."""
    clear = 'tmux("send-keys", "-t", os.environ["PANE"], "C-u")'
    fault = f"""
from torch_cli.delivery import procedure
procedure.SEE = 3.0
paste = gate.paste
def pasted(*a, **k):
    done = paste(*a, **k)
    {clear}
    while {TEXT!r} in tmux("capture-pane", "-p", "-t", os.environ["PANE"]):
        pass
    return done
gate.paste = pasted
"""
    done = send_with(demo, TEXT, fault)
    assert done.stdout.startswith("unknown: the text was pasted, and never seen in the box"), done
    assert demo.send("next").code == 0
    with Store() as store:
        assert store.messages.latest(limit=2)[1].state == "unknown"


def test_after_a_key_a_text_that_is_gone_may_have_been_submitted(demo: DemoAgent) -> None:
    lost = lose(demo)
    with contextlib.closing(sqlite3.connect(paths.database(), isolation_level=None)) as store:
        store.execute("UPDATE messages SET attempts = 1 WHERE id = ?", (lost,))
    assert demo.send("next").code == 0
    assert message(lost).state == "unknown"
