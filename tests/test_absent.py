"""Messages that a person erases from the box, or submits with a text of their own."""

import contextlib
import json
import os
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, accept_profiles, wait_until
from test_delivery_faults import ADD_AFTER_THE_PASTE, DIE, STOCK, send_with
from torch_cli import paths, procs
from torch_cli.delivery.absent import REASON
from torch_cli.delivery.proof import AMONG_OTHERS
from torch_cli.store import Store
from torch_cli.store.messages import Message

TEXT = "please do it"

ERASE = """
from torch_cli.delivery import job, procedure
procedure.PASTE_SHOWS_SECONDS = 6.0
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
    accept_profiles()
    tmux.new_session("other", "exec cat")
    tmux.cmd("set-environment", "-g", "CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    demo = spawn_demo(tmux, torch, tmp_path / "project")
    name_session(demo, tmp_path)
    write_down(tmp_path, "an earlier message")
    return demo


def name_session(demo: DemoAgent, tmp_path: Path, **more: object) -> None:
    process = procs.identify(demo.pane.pid)
    assert process is not None
    path = tmp_path / "claude/sessions" / f"{process.pid}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"pid": process.pid, "procStart": process.started, "sessionId": "session"}
    path.write_text(json.dumps(record | more))


def write_down(tmp_path: Path, text: object, **more: object) -> None:
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
    return latest().id


def send_next(demo: DemoAgent, text: str = "next") -> None:
    """Deliver a message, which the program writes into its transcript as it does with each."""
    before = demo.submitted().count(text)
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(demo.send, text)
        wait_until(lambda: sent.done() or demo.submitted().count(text) > before, what=text)
        write_down(demo.directory.parent, text)
        assert sent.result().code == 0


def latest() -> Message:
    with Store() as store:
        return store.messages.latest()[0]


SWALLOW = f"""
from torch_cli.delivery import procedure
procedure.PASTE_SHOWS_SECONDS = 3.0
def shown():
    return {TEXT!r} in tmux("capture-pane", "-p", "-t", os.environ["PANE"])
paste = gate.paste
def pasted(*a, **k):
    done = paste(*a, **k)
    while not shown():
        pass
    tmux("send-keys", "-t", os.environ["PANE"], "C-u")
    while shown():
        pass
    return done
gate.paste = pasted
"""
"""The text is gone before anybody has looked, as if a dialog had taken it."""


def message(identity: str) -> Message:
    with Store() as store:
        return store.messages.get(identity)


def test_a_text_that_was_erased_has_failed(demo: DemoAgent) -> None:
    lost = lose(demo)
    send_next(demo)
    assert (message(lost).state, message(lost).reason) == ("failed", REASON)
    assert demo.submitted() == ["next"]


def test_a_text_that_was_erased_among_other_text_has_failed(demo: DemoAgent) -> None:
    done = send_with(demo, TEXT, ADD_AFTER_THE_PASTE + ERASE, ADDED=" or not")
    assert done.stdout.startswith(f"failed: {REASON}"), done
    assert done.returncode == 1
    assert demo.submitted() == []
    send_next(demo)


def test_a_person_is_given_the_time_to_erase_their_own_text(demo: DemoAgent) -> None:
    lost = lose(demo)
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", "a draft")
    demo.tmux.wait_for_text(demo.pane, "a draft")
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(demo.send, "next")
        wait_until(lambda: latest().id != lost, what="the next message")
        seen = time.monotonic()
        # At the first look the draft is there.
        wait_until(lambda: message(lost).state == "unknown" or time.monotonic() > seen + 1)
        demo.tmux.cmd("send-keys", "-t", demo.pane.id, "C-u")
        wait_until(lambda: sent.done() or demo.submitted(), what="next")
        write_down(demo.directory.parent, "next")
        assert sent.result().code == 0
    assert (message(lost).state, message(lost).reason) == ("failed", REASON)
    assert demo.submitted() == ["next"]


@pytest.mark.parametrize("text", [TEXT, f"{TEXT} or not", "something else"])
def test_what_was_submitted_meanwhile_may_have_been_ours(
    text: str, demo: DemoAgent, tmp_path: Path
) -> None:
    """A person may have changed it before Enter; of what they wrote, nobody can tell."""
    lost = lose(demo)
    write_down(tmp_path, text)
    send_next(demo)
    assert message(lost).state == ("confirmed" if text == TEXT else "unknown")


def test_a_message_that_waits_in_the_programs_queue_may_be_ours(
    demo: DemoAgent, tmp_path: Path
) -> None:
    lost = lose(demo)
    queued = {"operation": "enqueue", "content": f"{TEXT} or not", "message": None}
    write_down(tmp_path, "", **{**queued, "type": "queue-operation"})
    send_next(demo)
    assert message(lost).state == "unknown"


def test_a_transcript_that_is_not_shown_to_be_the_programs_proves_nothing(
    demo: DemoAgent, tmp_path: Path
) -> None:
    lost = lose(demo)
    for record in (tmp_path / "claude/sessions").iterdir():
        record.unlink()
    send_next(demo)
    assert message(lost).state == "unknown"


def test_a_transcript_that_cannot_be_read_whole_proves_nothing(
    demo: DemoAgent, tmp_path: Path
) -> None:
    lost = lose(demo)
    transcript = tmp_path / "claude/projects/project/session.jsonl"
    transcript.unlink()
    for _ in range(5):
        write_down(tmp_path, "x" * (1 << 20), type="assistant")
    send_next(demo)
    assert message(lost).state == "unknown"


def test_a_program_that_did_not_show_the_text_may_not_have_read_it_yet(demo: DemoAgent) -> None:
    done = send_with(demo, TEXT, SWALLOW)
    assert done.stdout.startswith("unknown: the text was pasted, and never seen in the box"), done
    send_next(demo)
    with Store() as store:
        assert store.messages.latest(limit=2)[1].state == "unknown"


def test_a_text_that_was_never_seen_has_failed_once_the_program_has_gone_on(
    demo: DemoAgent, tmp_path: Path
) -> None:
    done = send_with(demo, TEXT, SWALLOW)
    assert done.stdout.startswith("unknown"), done
    name_session(demo, tmp_path, status="idle", statusUpdatedAt=(time.time() + 60) * 1000)
    send_next(demo)
    with Store() as store:
        lost = store.messages.latest(limit=2)[1]
    assert (lost.state, lost.reason) == ("failed", REASON)


def test_an_answer_to_a_question_may_have_been_ours(demo: DemoAgent, tmp_path: Path) -> None:
    """A dialog takes a text, too, and what becomes of it is a tool's result."""
    lost = lose(demo)
    said = {"type": "tool_result", "content": [{"type": "text", "text": f"The user: {TEXT}"}]}
    write_down(tmp_path, [said])
    send_next(demo)
    assert message(lost).state == "unknown"


def test_another_answer_is_not_ours(demo: DemoAgent, tmp_path: Path) -> None:
    lost = lose(demo)
    said = {"type": "tool_result", "content": [{"type": "text", "text": "done"}]}
    write_down(tmp_path, [said])
    send_next(demo)
    assert message(lost).state == "failed"


@pytest.mark.parametrize("written", [True, False])
def test_a_text_that_a_person_submitted_with_theirs_has_arrived(
    written: bool, demo: DemoAgent, tmp_path: Path
) -> None:
    text = "please look at the tests, and mend what fails"
    killed = send_with(demo, text, DIE.replace("attempting", "seen"))
    assert killed.returncode == -signal.SIGKILL, killed
    with Store() as store:
        lost = store.messages.latest()[0].id
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", " now")
    demo.tmux.wait_for_text(demo.pane, f"{text} now")
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "Enter")
    demo.tmux.wait_until(lambda: demo.submitted() == [f"{text} now"], "the message")
    if written:
        write_down(tmp_path, f"{text} now")
    send_next(demo)
    found = message(lost)
    # Without it, a hook of the person's may have refused the message.
    wanted = ("confirmed", AMONG_OTHERS) if written else ("unknown", found.reason)
    assert (found.state, found.reason) == wanted
    assert demo.submitted() == [f"{text} now", "next"]


def test_after_a_key_a_text_that_is_gone_may_have_been_submitted(demo: DemoAgent) -> None:
    lost = lose(demo)
    with contextlib.closing(sqlite3.connect(paths.database(), isolation_level=None)) as store:
        store.execute("UPDATE messages SET attempts = 1 WHERE id = ?", (lost,))
    send_next(demo)
    assert message(lost).state == "unknown"


def test_such_a_text_is_found_afterwards_by_the_id_in_its_envelope(
    demo: DemoAgent, tmp_path: Path
) -> None:
    text = f"[from dev · message · m-0123456789ab]\n{TEXT}"
    lost = lose(demo, text)
    for record in (tmp_path / "claude/sessions").iterdir():
        record.unlink()
    send_next(demo)
    assert message(lost).state == "unknown"
    write_down(tmp_path, f"{text} or not")
    assert demo.torch("tick").code == 0
    assert message(lost).state == "unknown", "the id is another's"
    with contextlib.closing(sqlite3.connect(paths.database(), isolation_level=None)) as store:
        store.execute(
            "UPDATE messages SET typed = CAST(replace(typed, 'm-0123456789ab', id) AS BLOB)"
        )
    write_down(tmp_path, f"{message(lost).typed} or not")
    assert demo.torch("tick").code == 0
    assert message(lost).state == "confirmed"


def test_a_message_that_its_transcript_does_not_have_is_not_called_delivered(
    demo: DemoAgent, tmp_path: Path
) -> None:
    """Claude Code reports what it queues, and drops it on Esc: a hook or an echo is no proof."""
    lost = demo.send("please do it twice")
    assert (lost.code, lost.json["state"]) == (5, "unknown")
    assert "the program's own transcript does not have the text" in lost.json["reason"]
    assert demo.torch("tick").code == 0
    assert message(lost.json["id"]).state == "unknown", "the hook has reported it all the same"
    write_down(tmp_path, "please do it twice")
    assert demo.torch("tick").code == 0
    assert message(lost.json["id"]).state == "confirmed"
