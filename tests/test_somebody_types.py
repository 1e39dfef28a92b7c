"""Keys of somebody else that are on their way: Torch adds nothing to them."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, accept_profiles, wait_until
from test_attach import terminal
from test_delivery_faults import PATIENTLY, send_with
from torch_cli import procs
from torch_cli.delivery.evidence import Baseline
from torch_cli.programs.loading import STOCK
from torch_cli.roster.registry import profiles_dir
from torch_cli.store import Store
from torch_cli.tmux import keys
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.drawn import LONG_AGO_SECONDS, Drawn

PRESSED = 1.0
"""Seconds that at least lie between a person's key and one of Torch's. tmux tells whole seconds."""


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def draw_in_frames() -> None:
    """Say in the demo agent's profile nothing of when it draws, as for a program in frames."""
    stock = (Path(STOCK) / "demo.toml").read_text(encoding="utf-8")
    own = Path(profiles_dir())
    own.mkdir(parents=True)
    kept = [row for row in stock.splitlines() if not row.startswith("draws_within")]
    assert len(kept) == len(stock.splitlines()) - 1
    (own / "demo.toml").write_text("\n".join(kept) + "\n", encoding="utf-8")
    accept_profiles()


def latest_key(demo: DemoAgent) -> float:
    with ControlClient(demo.tmux.socket, demo.pane.session_id) as client:
        return keys.latest(client, demo.pane.id)


def pasted_at(message: str) -> float:
    with Store() as store:
        return Baseline.from_json(store.messages.get(message).baseline).at


def test_words_that_the_program_has_not_read_yet_are_not_submitted(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """The box shows our text alone still, when the key would be read with these words."""
    log = tmp_path / "slow.log"
    # tmux continues a stopped process of its own, and not one below that.
    pane = tmux.new_session("slow", f"{sys.executable} -m torch_cli.demo_agent --log {log}; true")
    tmux.wait_for_text(pane, "for help")
    assert torch("adopt", pane.id, "slow", "--profile", "demo").code == 0
    demo = DemoAgent(tmux, torch, "slow", pane, log, tmp_path)
    (program,) = procs.descendants(pane.pid)
    typed = f"""
import threading
def on_step(step):
    if step == "submitting":
        os.kill({program.pid}, signal.SIGSTOP)
        tmux("send-keys", "-t", os.environ["PANE"], "-l", "mine")
        threading.Timer(1, os.kill, ({program.pid}, signal.SIGCONT)).start()
"""
    try:
        done = send_with(demo, "hello", typed)
    finally:
        os.kill(program.pid, signal.SIGCONT)
    assert done.returncode == 4, done
    assert "draft" in done.stdout
    tmux.wait_for_text(pane, "mine")
    assert demo.submitted() == []


def test_words_that_the_program_has_read_and_not_drawn_are_not_submitted(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """It draws at most every 40 ms, and has drawn Torch's text just now."""
    draw_in_frames()
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--frame", "0.04")
    typed = """
from torch_cli.tmux.keys import unread
terminal = tmux("display-message", "-p", "-t", os.environ["PANE"], "#{pane_tty}").strip()
def on_step(step):
    if step == "submitting":
        tmux("send-keys", "-t", os.environ["PANE"], "-l", "mine")
        while unread(terminal):
            pass
"""
    done = send_with(demo, "hello", typed)
    assert done.returncode == 4, done
    assert "draft" in done.stdout
    assert demo.submitted() == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_a_program_that_got_no_key_lately_has_drawn(demo: DemoAgent) -> None:
    """The terminal's own record says so, and saves the time in which it may be drawing."""
    pid = demo.pane.pid
    if not procs._dates_all_devices():
        pytest.skip("this kernel does not tell")

    def long_ago() -> bool:
        since = procs.terminal_unread_since(pid)
        assert since is not None
        return time.time() - since > LONG_AGO_SECONDS

    wait_until(long_ago, what="a terminal that was not read lately")
    drawn = Drawn(pid, within=3600.0)
    drawn.note()
    assert drawn.all()
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", "mine")
    demo.tmux.wait_for_text(demo.pane, "mine")
    again = Drawn(pid, within=3600.0)
    again.note()
    assert not long_ago()
    assert not again.all()


@pytest.mark.parametrize("act", ["paste", "press"])
def test_words_that_come_just_before_torch_acts_are_not_mixed_with_its_own(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, act: str
) -> None:
    """After every look of Torch's: its program is kept from reading them."""
    log = tmp_path / "slow.log"
    pane = tmux.new_session("slow", f"{sys.executable} -m torch_cli.demo_agent --log {log}; true")
    tmux.wait_for_text(pane, "for help")
    assert torch("adopt", pane.id, "slow", "--profile", "demo").code == 0
    demo = DemoAgent(tmux, torch, "slow", pane, log, tmp_path)
    (program,) = procs.descendants(pane.pid)
    typed = f"""
import threading
from torch_cli.tmux.keys import unread
terminal = tmux("display-message", "-p", "-t", os.environ["PANE"], "#{{pane_tty}}").strip()
act, done = gate.{act}, []
def late(*given, unless, **named):
    if not done:
        done.append(1)
        os.kill({program.pid}, signal.SIGSTOP)
        tmux("send-keys", "-t", os.environ["PANE"], "-l", "mine")
        while not unread(terminal):  # tmux writes it just after its command
            pass
        threading.Timer(1, os.kill, ({program.pid}, signal.SIGCONT)).start()
    return act(*given, unless=unless, **named)
gate.{act} = late
"""
    try:
        done = send_with(demo, "hello", typed)
    finally:
        os.kill(program.pid, signal.SIGCONT)
    assert done.returncode == 4, done
    assert "draft" in done.stdout
    tmux.wait_for_text(pane, "mine")
    assert demo.submitted() == []
    assert ("hello" in tmux.screen(pane)) == (act == "press")


def test_a_person_at_the_keyboard_is_waited_for(demo: DemoAgent, tmux: TmuxServer) -> None:
    with terminal(tmux, demo.pane.session_id) as (_, keyboard):
        attached = latest_key(demo)

        def pressed() -> bool:
            os.write(keyboard, b"\x1b[C")
            return latest_key(demo) > attached

        tmux.wait_until(pressed, "a key of a person")
        at = latest_key(demo)
        sent = demo.send("hello", "--timeout", PATIENTLY["WAITS"])
    assert sent.code == 0, sent
    assert pasted_at(sent.json["id"]) >= at + PRESSED
    assert demo.submitted() == ["hello"]


def test_a_person_at_another_pane_is_not(demo: DemoAgent, tmux: TmuxServer) -> None:
    tmux.new_session("mine", "cat")
    with terminal(tmux, "mine") as (_, keyboard):
        os.write(keyboard, b"busy\r")
        tmux.wait_until(lambda: "busy" in tmux.screen("mine:"), "what was typed")
        assert latest_key(demo) == 0


def test_keys_in_no_terminal_are_none(tmp_path: Path) -> None:
    assert keys.unread("") == keys.unread(str(tmp_path / "gone")) == 0
    assert keys.unread("/dev/null") == 0
