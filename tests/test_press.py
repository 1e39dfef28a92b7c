"""Keys on purpose: into a dialog only with its hash, and never into one that was not seen."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, wait_until
from torch_cli import procs
from torch_cli.errors import HeldError
from torch_cli.pressing.press import press
from torch_cli.store import Store
from torch_cli.tmux import gate
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def dialog_hash(demo: DemoAgent) -> str:
    return str(demo.torch("state", demo.name, "--json").json["dialog"]["hash"])


def test_an_interrupt_reaches_a_working_program(demo: DemoAgent) -> None:
    assert demo.send("DELAY(60) on it").code == 0
    demo.wait_for("working")
    assert demo.torch("press", demo.name, "Escape").code == 0
    demo.wait_for("idle")
    assert demo.events("interrupted")


def test_a_dialog_is_answered_with_its_hash(demo: DemoAgent) -> None:
    demo.open_dialog()
    done = demo.torch("press", demo.name, "2", "--dialog", dialog_hash(demo), "--json")
    assert done.code == 0
    assert done.json["keys"] == ["2"]
    wait_until(lambda: demo.events("declined"), what="the answer")


@pytest.mark.parametrize("given", [(), ("--dialog", "0123456789ab")])
def test_a_dialog_gets_nothing_without_its_own_hash(
    demo: DemoAgent, given: tuple[str, ...]
) -> None:
    demo.open_dialog()
    done = demo.torch("press", demo.name, "Enter", *given, "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "dialog")
    assert dialog_hash(demo) in done.json["error"]["hint"]
    assert done.json["error"]["details"] == {
        "pane": demo.pane.id,
        "dialog": dialog_hash(demo),
        "question": "Do you want to proceed?",
    }
    assert not demo.events("approved", "typed")


def test_moving_the_selection_makes_it_another_dialog(demo: DemoAgent) -> None:
    demo.open_dialog()
    before = dialog_hash(demo)
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "Down")
    demo.tmux.wait_for_text(demo.pane, "❯ 2. No")
    assert demo.torch("press", demo.name, "Enter", "--dialog", before).code == 4
    assert not demo.events("approved", "declined")


def test_a_hash_without_a_dialog_presses_nothing(demo: DemoAgent) -> None:
    done = demo.torch("press", demo.name, "Enter", "--dialog", "0123456789ab", "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "no-dialog")
    assert not demo.events("typed")


def test_of_several_keys_none_falls_to_the_next_dialog(demo: DemoAgent, store: Store) -> None:
    """A digit chooses at once: the Enter behind it would approve what is asked next."""
    assert demo.send("DIALOGAT(0,touch f0) DIALOGAT(0,touch f1)").code in (0, 4, 5)
    wait_until(lambda: len(demo.events("dialog")) == 2, what="the dialogs")
    demo.wait_for("waiting")
    done = demo.torch(*("press", demo.name, "2", "Enter", "--dialog", dialog_hash(demo), "--json"))
    assert (done.code, done.json["error"]["code"]) == (4, "dialog")
    assert "2 was pressed in 'demo'" in done.json["error"]["message"]
    assert "Enter was not pressed" in done.json["error"]["message"]
    assert len(demo.events("approved", "declined")) == 1
    (event,) = store.events.read(verbs=["press"])
    assert event.detail["keys"] == ["2"]


def test_a_key_is_recorded_before_it_is_pressed(
    demo: DemoAgent, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this process is killed at the key, the next one knows that it may have been pressed."""

    def killed(*_: object, **__: object) -> gate.GateOutcome:
        raise KeyboardInterrupt

    monkeypatch.setattr(gate, "press", killed)
    with pytest.raises(KeyboardInterrupt):
        press(store, demo.tmux.socket, demo.name, ["C-c"], None)
    demo.open_dialog()
    with pytest.raises(KeyboardInterrupt):
        press(store, demo.tmux.socket, demo.name, ["2", "Enter"], dialog_hash(demo))
    assert [one.detail["keys"] for one in store.events.read(verbs=["press"])] == [["C-c"], ["2"]]
    assert not store.events.read(verbs=["not-pressed"])


def test_a_selection_is_moved_and_chosen_in_one_call(demo: DemoAgent) -> None:
    demo.open_dialog()
    done = demo.torch("press", demo.name, "Down", "Enter", "--dialog", dialog_hash(demo))
    assert done.code == 0
    wait_until(lambda: demo.events("declined"), what="the answer")


def test_of_two_answers_at_once_one_is_pressed(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """The other would fall to what the program does next."""
    log = tmp_path / "slow.log"
    # tmux continues a stopped process of its own, and not one below that.
    pane = tmux.new_session("slow", f"{sys.executable} -m torch_cli.demo_agent --log {log}; true")
    tmux.wait_for_text(pane, "for help")
    assert torch("adopt", pane.id, "slow", "--profile", "demo").code == 0
    demo = DemoAgent(tmux, torch, "slow", pane, log, tmp_path)
    (program,) = procs.descendants(pane.pid)
    os.kill(program.pid, signal.SIGUSR1)
    demo.wait_for("waiting")
    os.kill(program.pid, signal.SIGSTOP)
    try:
        argv = ("press", demo.name, "2", "--dialog", dialog_hash(demo), "--json")
        codes = [torch(*argv).code for _ in range(2)]
    finally:
        os.kill(program.pid, signal.SIGCONT)
    assert codes == [0, 4]
    wait_until(lambda: demo.events("declined"), what="the answer")
    assert len(demo.events("typed")) == 1


def test_a_dialog_that_opens_between_the_look_and_the_key_gets_none_of_it(
    demo: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = gate.press

    def late(
        client: ControlClient, pane: Pane, keys: list[str], conditions: list[str], **named: Any
    ) -> gate.GateOutcome:
        demo.open_dialog()
        return original(client, pane, keys, conditions, **named)

    monkeypatch.setattr(gate, "press", late)
    with Store() as store, pytest.raises(HeldError, match="changed"):
        press(store, demo.tmux.socket, demo.name, ["Enter"], None)
    assert not demo.events("approved", "typed")


@pytest.mark.parametrize("key", ["é", "ß", "日", "🚀", ";", "-", "#"])
def test_one_printed_character_is_a_key(demo: DemoAgent, key: str) -> None:
    assert demo.torch("press", demo.name, "--", key, "Space", key).code == 0
    demo.tmux.wait_for_text(demo.pane, f"{key} {key}")


def test_the_space_bar_has_a_name(demo: DemoAgent) -> None:
    done = demo.torch("press", demo.name, " ", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "bad-key")
    assert "Space" in done.json["error"]["hint"]


@pytest.mark.parametrize("key", ["Entr", "hello", "C-", "", "éé", "y\n", "\u0301", "C-é", "\u3000"])
def test_what_is_no_keys_name_is_refused_before_anything_is_pressed(
    demo: DemoAgent, key: str
) -> None:
    done = demo.torch("press", demo.name, "Escape", key, "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "bad-key")
    assert not demo.events("typed")
