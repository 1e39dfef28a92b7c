"""The delivery procedure on a real tmux server: what arrives, what is withheld, what is said."""

import ctypes
import locale
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import DemoAgent, spawn_demo
from conftest import KEEPS_DEAD, TMUX, TmuxServer, Torch, wait_until
from torch_cli.store import Store

STEPS = ("accepted", "attempting", "seen", "submitting")


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


AWKWARD = {
    "short": "hello",
    "40 characters": "forty characters, more or less, in a row",
    "2,000 characters": "word " * 400,
    "10,000 characters": "0123456789" * 1000,
    "5 lines": "one\ntwo\nthree\nfour\nfive",
    "3 lines": "one\n\n  three",
    "200 lines": "\n".join(f"line {n}" for n in range(200)),
    "quotes": 'it\'s "quoted" `so` $HOME ${x} $(touch x)',
    "a format": "#(touch x) #{pane_id} } , [ \\ ^$ {",
    "a key's name": "Enter",
    "control key's name": "C-c",
    "trailing semicolon": "ls;",
    "leading dash": "-n --help",
    "hash": "#note",
    "at": "@file",
    "a path": "/tmp/foo is where it is",
    "shell": "!touch x",
    "slash": "/unknown thing",
    "trailing backslash": "tail \\",
    "emoji": "👩‍👩‍👧‍👦 and 🎉",
    "CJK": "日本語のテキスト、全角。",
    "combining": "e\u0301 a\u0308",
    "a dialog's words": "Do you want to proceed?\n ❯ 1. Yes\n   2. No",
    "the prompt": "»\u00a0not the box",
    "percent": "100 %d %s %%",
}


def test_awkward_contents_arrive_once_and_exact(demo: DemoAgent) -> None:
    for what, text in AWKWARD.items():
        before = len(demo.submitted())
        done = demo.send(text)
        assert done.code == 0, (what, done.out, demo.screen())
        assert done.json["state"] == "confirmed", (what, done.json)
        texts = demo.submitted()[before:]
        assert [t.strip() for t in texts] == [text.strip()], what
        demo.wait_for("idle")
    assert not (demo.directory / "x").exists()
    assert not demo.events("ran", "swallowed")
    assert all("key" in event for event in demo.events("typed"))


locale.setlocale(locale.LC_CTYPE, "C.UTF-8" if sys.platform == "linux" else "UTF-8")
WIDTH = ctypes.CDLL(None).wcwidth
"""What tmux asks the system. A letter of a Unicode newer than the system's has no width, and is not
shown: Torch then leaves the text in the box, which is right, and not what is tested here."""


@settings(max_examples=25)
@given(
    text=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn"]).filter(
            lambda char: WIDTH(ord(char)) >= 0
        )
        | st.sampled_from("\n\t \\#!/{}$`'\";"),
        min_size=1,
        max_size=300,
    )
)
def test_any_text_arrives_once_and_exact(demo: DemoAgent, text: str) -> None:
    before = len(demo.submitted())
    done = demo.send(text)
    if done.code == 2:
        return  # refused, and said so
    assert done.code == 0, (text, done.out, demo.screen())
    expected = text.replace("\r", "\n").replace("\t", "    ").strip()
    assert [t.strip() for t in demo.submitted()[before:]] == [expected]


def test_a_dialog_is_never_answered(demo: DemoAgent) -> None:
    demo.open_dialog()
    done = demo.send("no, please stop")
    assert done.code == 4
    assert done.json["state"] == "held"
    assert "dialog" in done.json["reason"]
    assert not demo.events("approved", "paste", "typed")
    assert not (demo.directory / "approved").exists()


@pytest.mark.parametrize("step", ["attempting", "seen", "submitting"])
def test_a_dialog_that_opens_on_the_way_is_not_answered_and_the_text_is_finished_later(
    demo: DemoAgent, step: str
) -> None:
    done = run_with_step(demo, "please go on", step, "dialog")
    assert done.returncode in (0, 4), done.stderr
    assert not demo.events("approved")
    hash_ = demo.torch("state", demo.name, "--json").json["dialog"]["hash"]
    assert demo.torch("press", demo.name, "Escape", "--dialog", hash_).code == 0
    demo.wait_for("idle")
    # Where the dialog was there before the paste, nothing was typed: then the outbox has it.
    assert demo.send("and this").code == 0
    wait_until(lambda: "and this" in demo.submitted(), what="the second", screen=demo.screen)
    if step == "attempting" and demo.submitted() == ["and this"]:
        # It opened after tmux had looked and before the program read, and took the paste.
        with Store() as store:
            (first,) = (m for m in store.messages.latest(limit=2) if m.body == "please go on")
        assert first.state == "unknown", "nobody claims that it arrived, and nobody types it again"
    else:
        assert demo.submitted() == ["please go on", "and this"]


def test_a_persons_draft_is_kept_and_not_sent(demo: DemoAgent) -> None:
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", "half a thou")
    demo.tmux.wait_for_text(demo.pane, "half a thou")
    done = demo.send("hello", "--timeout", "3")
    assert done.code == 4
    assert "draft" in done.json["reason"]
    assert "half a thou" in demo.screen()
    assert demo.submitted() == []


def test_a_message_to_a_working_agent_is_queued_with_the_chord(demo: DemoAgent) -> None:
    assert demo.send("DELAY(300) first").code == 0
    done = demo.send("second")
    assert done.code == 0
    assert done.json["reason"] == "queued by the program"
    demo.end_work()
    demo.wait_for("idle")
    assert demo.submitted() == ["DELAY(300) first", "second"]


def test_when_idle_waits_for_the_turn_to_end(demo: DemoAgent) -> None:
    assert demo.send("DELAY(1.5) first").code == 0
    assert demo.send("second", "--when", "idle").code == 0
    assert not demo.events("queued")
    assert demo.submitted() == ["DELAY(1.5) first", "second"]


def test_when_now_does_not_wait(demo: DemoAgent) -> None:
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", "draft")
    demo.tmux.wait_for_text(demo.pane, "draft")
    took: list[float] = []
    while not took or (min(took) >= 1500 and len(took) < 9):  # a busy machine may take long once
        done = demo.send("hello", "--when", "now")
        assert done.code == 4
        took.append(done.json["elapsed_ms"])
    assert min(took) < 1500, took


def test_the_same_key_is_delivered_once(demo: DemoAgent) -> None:
    first = demo.send("deploy", "--key", "release-42").json
    second = demo.send("deploy", "--key", "release-42")
    assert second.json == first
    assert demo.submitted() == ["deploy"]
    refused = demo.send("another text", "--key", "release-42")
    assert refused.code == 2
    assert refused.json["error"]["code"] == "key-reused"


def test_lost_submit_keys_are_repeated_only_while_the_text_stands(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--lose-submits", "2")
    done = demo.send("hello")
    assert done.code == 0, done.out + demo.screen()
    assert done.json["attempts"] == 3
    assert demo.submitted() == ["hello"]


def test_a_slow_program_gets_its_message_once(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--frame", "0.4")
    done = demo.send("one\ntwo")
    assert done.code == 0, done.out + demo.screen()
    assert demo.submitted() == ["one\ntwo"]


def test_a_program_without_hooks_gives_submitted_on_the_screens_word(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    log = tmp_path / "bare.log"
    pane = tmux.new_session("bare", f"{sys.executable} -m torch_cli.demo_agent --log {log}")
    tmux.wait_for_text(pane, "for help")
    assert torch("adopt", pane.id, "bare", "--profile", "demo").code == 0
    demo = DemoAgent(tmux, torch, "bare", pane, log, tmp_path)
    for text in ("hello", "hello", "one\ntwo\nthree\nfour\nfive"):
        done = demo.send(text)
        assert done.code == 0, done.out + demo.screen()
        assert done.json["state"] == "submitted"
        demo.wait_for("idle")
    assert demo.submitted() == ["hello", "hello", "one\ntwo\nthree\nfour\nfive"]


def test_copy_mode_is_left_when_nobody_looks_on(demo: DemoAgent) -> None:
    demo.tmux.cmd("copy-mode", "-t", demo.pane.id)
    assert demo.send("hello").code == 0
    assert demo.submitted() == ["hello"]


def test_copy_mode_of_a_person_is_left_alone(demo: DemoAgent) -> None:
    """A person's client is a terminal: a tmux client inside another pane of the server."""
    words = shlex.join([TMUX, *demo.tmux.socket.arguments, "attach", "-t", "agents"])
    demo.tmux.new_session("outer", f"env -u TMUX {words}")
    demo.tmux.wait_until(
        lambda: "agents" in demo.tmux.cmd("list-clients", "-F", "#{client_session}"),
        "the person's client",
    )
    demo.tmux.cmd("copy-mode", "-t", demo.pane.id)
    done = demo.send("hello", "--timeout", "2")
    assert done.code == 4
    assert "copy mode" in done.json["reason"]
    assert demo.tmux.cmd("display-message", "-p", "-t", demo.pane.id, "#{pane_in_mode}") == "1"
    assert demo.submitted() == []


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (("select-pane", "-d"), "input is off"),
        (("set-window-option", "synchronize-panes", "on"), "synchronised"),
    ],
)
def test_a_pane_that_would_swallow_or_spread_the_text_is_refused(
    demo: DemoAgent, setting: tuple[str, ...], reason: str
) -> None:
    command, *rest = setting
    demo.tmux.cmd(command, "-t", demo.pane.id, *rest)
    done = demo.send("hello")
    assert done.code == 4, done.out
    assert reason in done.json["reason"]
    assert demo.events("paste", "typed") == []


def test_a_dead_pane_is_held_and_the_server_lives(demo: DemoAgent) -> None:
    demo.tmux.new_session("other", "cat")
    os.kill(demo.pane.pid, signal.SIGKILL)
    if not KEEPS_DEAD:
        wait_until(lambda: demo.pane.id not in {p.id for p in demo.tmux.panes()}, what="its end")
        assert demo.send("hello").json["error"]["code"] == "vanished"
        assert [pane.session for pane in demo.tmux.panes()] == ["other"]
        return
    wait_until(lambda: demo.tmux.pane(demo.pane.id).dead, what="the pane dead")
    done = demo.send("hello")
    assert done.code == 4
    assert "dead" in done.json["reason"]
    assert demo.tmux.pane(demo.pane.id).dead


def test_a_pane_whose_process_was_replaced_is_not_the_agent(demo: DemoAgent) -> None:
    demo.tmux.cmd("respawn-pane", "-k", "-t", demo.pane.id, "cat")
    done = demo.send("hello")
    assert done.code == 4
    assert "gone" in done.json["reason"]
    assert done.json["kept"]


def test_a_shell_is_refused(tmux: TmuxServer, torch: Torch) -> None:
    pane = tmux.new_session("sh", "sh")
    tmux.wait_for_text(pane, "$")
    done = torch("send", pane.id, "touch x", "--json")
    assert done.code == 2
    assert done.json["error"]["code"] == "shell"


def test_an_unknown_program_is_no_recipient_and_adopt_is_suggested(
    tmux: TmuxServer, torch: Torch
) -> None:
    pane = tmux.new_session("cat", "exec cat")
    tmux.wait_until(lambda: tmux.pane(pane.id).command == "cat", "cat")
    done = torch("send", pane.id, "hello", "--json")
    assert done.code == 3
    assert f"torch adopt {pane.id}" in done.json["error"]["hint"]


def test_two_senders_at_once_both_arrive_whole(demo: DemoAgent) -> None:
    texts = [f"message {n}\nsecond line of {n}" for n in range(4)]
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda text=text: codes.append(demo.send(text).code))
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 4
    assert sorted(demo.submitted()) == texts


def test_a_message_of_an_agent_carries_its_envelope_and_plain_does_not(demo: DemoAgent) -> None:
    done = demo.send("status?", "--from", "pm")
    demo.wait_for("idle")
    assert demo.send("bare", "--from", "pm", "--plain").code == 0
    identity = done.json["id"]
    assert demo.submitted() == [f"[from pm · message · {identity}]\nstatus?", "bare"]


RUNNER = """
import os, signal, sys
from torch_cli.delivery.send import Request, send
from torch_cli.tmux.process import program
from torch_cli.tmux.socket import Socket
target, text, at, what, pid, socket = sys.argv[1:7]
def on_step(step):
    if step != at:
        return
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    os.kill(int(pid), signal.SIGUSR1)
    if step != "attempting":
        import subprocess, time
        deadline = time.monotonic() + 60
        show = [program(), "-L", socket, "capture-pane", "-p", "-t", os.environ["PANE"]]
        while b"proceed" not in subprocess.check_output(show):
            assert time.monotonic() < deadline
receipt = send(Socket(socket), Request(target, text.encode(), timeout=5), on_step)
print(receipt)
sys.exit(receipt.exit_code)
"""


def run_with_step(
    demo: DemoAgent, text: str, step: str, what: str
) -> subprocess.CompletedProcess[str]:
    """Send through the library in a process of its own, and let something happen at a step."""
    words = [demo.name, text, step, what, str(demo.pane.pid), demo.tmux.socket.name]
    return subprocess.run(
        [sys.executable, "-c", RUNNER, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PANE": demo.pane.id},
    )


@pytest.mark.parametrize("step", STEPS)
def test_a_sender_killed_at_any_step_leaves_the_truth_and_nothing_doubled(
    demo: DemoAgent, step: str
) -> None:
    killed = run_with_step(demo, "the first", step, "die")
    assert killed.returncode == -signal.SIGKILL
    with Store() as store:
        left = store.messages.latest()[0]
    assert left.state == "queued"
    receipt = demo.torch("receipt", left.id, "--json")
    assert (receipt.code, receipt.json["state"]) == (
        (4, "queued") if step == "accepted" else (5, "unknown")
    )
    after = demo.send("the second")
    assert after.code == 0, after.out + demo.screen()
    wait_until(lambda: "the second" in demo.submitted(), what="the second message")
    settled = demo.torch("receipt", left.id, "--json").json["state"]
    texts = demo.submitted()
    assert texts.count("the second") == 1
    if "the first" in texts:
        assert texts == ["the first", "the second"]
        assert settled in ("confirmed", "submitted")
    else:
        # It was never typed; nobody claims that it was.
        assert settled == ("queued" if step == "accepted" else "unknown")
    assert step in ("accepted", "attempting") or "the first" in texts


def test_a_sender_killed_after_the_key_is_found_to_have_delivered(demo: DemoAgent) -> None:
    """The key goes out right after 'submitting' is written: kill just after the key instead."""
    script = RUNNER.replace(
        "receipt = send",
        "from torch_cli.tmux import gate\n"
        "press = gate.press\n"
        "def pressed(*a, **k):\n"
        "    press(*a, **k)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "gate.press = pressed\n"
        "receipt = send",
    )
    words = [demo.name, "the first", "never", "die", "0", demo.tmux.socket.name]
    done = subprocess.run([sys.executable, "-c", script, *words], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert demo.send("the second").code == 0
    wait_until(lambda: len(demo.submitted()) >= 2, what="the second message")
    assert demo.submitted() == ["the first", "the second"]
    with Store() as store:
        states = [message.state for message in store.messages.latest(limit=2)]
    assert states == ["confirmed", "confirmed"]


def test_no_submit_key_leaves_torch_without_a_gate(demo: DemoAgent) -> None:
    """tmux logs every command it is given: no send-keys may come outside an if-shell."""
    from torch_cli.tmux import control

    sent: list[bytes] = []
    original = control.ControlClient.ask_all

    def spy(self: control.ControlClient, lines: Iterable[bytes]) -> list[control.Reply]:
        kept = list(lines)
        sent.extend(kept)
        return original(self, kept)

    from torch_cli.delivery.send import Request, send

    control.ControlClient.ask_all = spy  # type: ignore[method-assign]
    try:
        receipt = send(demo.tmux.socket, Request(demo.name, b"hello"))
    finally:
        control.ControlClient.ask_all = original  # type: ignore[method-assign]
    assert receipt.state == "confirmed"
    typing = [line for line in sent if b"send-keys" in line or b"paste-buffer" in line]
    assert len(typing) == 2
    assert all(line.startswith(b"if-shell -F -t") and b"#{C/r:" in line for line in typing)
