"""``torch answer``: the dialog that was shown is answered, or none is."""

import contextlib
import fcntl
import json
import os
import pty
import random
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, SOURCE, TmuxServer, Torch, accept_profiles, wait_until
from dialogs import PROFILES, waiting
from torch_cli import paths
from torch_cli.attention import answer as module
from torch_cli.attention import reply
from torch_cli.attention.answer import answer
from torch_cli.attention.answer import waiting as shown_by
from torch_cli.attention.reply import ReplyLostError
from torch_cli.delivery import still
from torch_cli.errors import HeldError, RefusedError, TorchError
from torch_cli.pressing.press import press
from torch_cli.programs.asked import asked, option_of
from torch_cli.programs.classify import classify
from torch_cli.programs.loading import STOCK
from torch_cli.programs.state import Dialog, Spot
from torch_cli.roster.registry import profiles_dir
from torch_cli.store import Store
from torch_cli.store.events import HEARD
from torch_cli.tmux import gate
from torch_cli.tmux.drawn import await_drawn


@pytest.fixture
def arrows() -> None:
    """A profile of the demo agent's dialogs that knows no digits."""
    text = (Path(STOCK) / "demo.toml").read_text(encoding="utf-8")
    own = Path(profiles_dir())
    own.mkdir(parents=True)
    (own / "demo.toml").write_text(text.replace('choose = "digit"', 'choose = "arrows"'))
    accept_profiles()


CUT_CLAUDE = (
    *("permission_dialog@40x15", "permission_dialog_second@40x15"),
    *("permission_status_limit@40x15", "permission_status_prompt@40x15"),
    *("trust_dialog@200x15", "trust_dialog@40x15", "write_dialog@200x15"),
    # What scrolls by itself: a plan, and the models in a low pane.
    *("plan_long@120x40", "plan_long@80x24", "plan_long@40x40", "plan_long@60x15"),
    *("plan_long_third@120x40", "plan_written@60x15", "model_picker@40x15"),
)


def hash_of(demo: DemoAgent) -> str:
    return str(demo.torch("state", demo.name, "--json").json["dialog"]["hash"])


def queue_dialogs(demo: DemoAgent, count: int) -> None:
    """Have it ask one question after the other, each for a command of its own."""
    text = " ".join(f"DIALOGAT(0,touch f{number})" for number in range(count))
    assert demo.send(text).json["state"] in ("submitted", "confirmed", "unknown", "held")
    wait_until(lambda: len(demo.events("dialog")) == count, what="the dialogs")
    await_question(demo, 0)


def await_question(demo: DemoAgent, number: int) -> None:
    await_words(demo, f"touch f{number}")


def await_words(demo: DemoAgent, words: str) -> None:
    """They stand in the message that brought the question, too: only the dialog's rows count."""

    def asks() -> bool:
        with Store() as store:
            try:
                dialog = shown_by(store, demo.tmux.socket, demo.name).dialog
            except HeldError:  # none shows at the moment
                return False
        return any(words in row for row in dialog.rows)

    wait_until(asks, what=f"the question about '{words}'")


def settled(demo: DemoAgent) -> list[tuple[str, str]]:
    """Return what it was told, in order: ``approved`` or ``declined``, and which command."""
    return [(one["event"], one["command"]) for one in demo.events("approved", "declined")]


class Terminal:
    """A command at a terminal, as a person has it before them."""

    def __init__(self, argv: Sequence[str], columns: int = 80) -> None:
        self.pid, self.end = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.environ["PYTHONPATH"] = str(SOURCE)
            os.execv(argv[0], list(argv))
        self.shown, self._read = "", 0

    def wait_for(self, text: str) -> None:
        """Wait until ``text`` is shown behind what was waited for before."""
        deadline = time.monotonic() + 2 * PATIENCE
        while text not in self.shown[self._read :]:
            assert time.monotonic() < deadline, f"no {text!r} in {self.shown}"
            assert self._more(), f"it ended without {text!r}: {self.shown}"
        self._read = self.shown.index(text, self._read) + len(text)

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def finish(self) -> int:
        """Wait for its end and return the exit status."""
        while self._more():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.end)
        return os.waitstatus_to_exitcode(status)

    def _more(self) -> bool:
        if select.select([self.end], [], [], 0.2)[0]:
            with contextlib.suppress(OSError):
                got = os.read(self.end, 4096)
                self.shown += got.decode(errors="replace").replace("\r\n", "\n")
                return bool(got)
            return False
        return True


# -- with words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "outcome"), [("2", "declined"), ("no", "declined"), ("Yes", "approved")]
)
def test_an_option_is_chosen_by_its_key_or_its_words(
    demo: DemoAgent, store: Store, said: str, outcome: str
) -> None:
    demo.open_dialog()
    dialog = hash_of(demo)
    done = demo.torch("answer", demo.name, said, "--hash", dialog, "--json")
    assert done.code == 0, done.out + done.err
    assert (done.json["gone"], done.json["asks"]) == (True, None)
    assert done.json["state"] in ("idle", "working")
    assert demo.events(outcome)
    (event,) = store.events.read(verbs=["answer"])
    assert (event.target, event.actor, event.detail["dialog"]) == (demo.name, "", dialog)
    assert event.detail["question"].startswith("Do you want to proceed?")
    (told,) = demo.torch("events", "--kind", "answer").out.splitlines()
    assert f"pressed  {done.json['option']} {done.json['words']}  Do you want to" in told


def test_the_trust_question_is_answered(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    command = ("spawn", "new", "--profile", "demo", "--dir", str(tmp_path / "project"))
    path = f"{Path(module.__file__).parent}:{os.environ['PATH']}"
    started = torch(*command, "--session", "s", "--json", "--", "--trust", env={"PATH": path})
    assert started.code == 4, started.out + started.err
    dialog = torch("state", "new", "--json").json["dialog"]
    assert dialog["kind"] == "trust"
    done = torch("answer", "new", "yes, proceed", "--hash", dialog["hash"], "--json")
    assert (done.code, done.json["state"]) == (0, "idle"), done.out


def test_status_names_the_command_that_answers(demo: DemoAgent) -> None:
    demo.open_dialog()
    steps = demo.torch("status", "--json").json["steps"]
    assert [one["command"][:4] for one in steps] == [
        ["torch", "answer", demo.name, "1"],
        ["torch", "answer", demo.name, "2"],
    ]
    assert demo.torch(*steps[1]["command"][1:]).code == 0
    assert demo.events("declined")


def test_what_is_asked_next_is_told(demo: DemoAgent) -> None:
    queue_dialogs(demo, 2)
    done = demo.torch("answer", demo.name, "2", "--hash", hash_of(demo))
    assert done.code == 0
    assert "it asks next: Do you want to proceed? · Run command · touch f1" in done.out
    assert settled(demo) == [("declined", "touch f0")]


def test_what_is_no_option_is_refused(demo: DemoAgent) -> None:
    demo.open_dialog()
    for said in ("3", "perhaps", " ", "1 2"):
        done = demo.torch("answer", demo.name, said, "--hash", hash_of(demo), "--json")
        assert (done.code, done.json["error"]["code"]) == (2, "no-option")
        assert "Its options: 1 Yes, 2 No." in done.json["error"]["hint"]
    assert not demo.events("typed")


def test_another_dialog_gets_no_answer(demo: DemoAgent) -> None:
    queue_dialogs(demo, 2)
    first = hash_of(demo)
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "2")
    await_question(demo, 1)
    done = demo.torch("answer", demo.name, "1", "--hash", first, "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "dialog")
    assert done.json["error"]["details"]["dialog"] == hash_of(demo)
    assert settled(demo) == [("declined", "touch f0")]


def test_without_a_dialog_nothing_is_pressed(demo: DemoAgent) -> None:
    done = demo.torch("answer", demo.name, "1", "--hash", "0123456789ab", "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "no-dialog")
    demo.open_dialog()
    dialog = hash_of(demo)
    demo.tmux.cmd("copy-mode", "-t", demo.pane.id)
    done = demo.torch("answer", demo.name, "1", "--hash", dialog, "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "no-dialog")
    assert "in a mode" in done.json["error"]["message"]
    assert not demo.events("typed", "approved")


def test_a_dead_pane_is_said_to_be_dead(demo: DemoAgent, store: Store) -> None:
    demo.open_dialog()
    dialog = hash_of(demo)
    demo.tmux.cmd("set-option", "-p", "-t", demo.pane.id, "remain-on-exit", "on")
    demo.kill()
    done = demo.torch("answer", demo.name, "1", "--hash", dialog, "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "no-dialog")
    assert "dead" in done.json["error"]["message"]
    demo.tmux.cmd("kill-pane", "-t", demo.pane.id)
    done = demo.torch("answer", demo.name, "1", "--hash", dialog, "--json")
    assert (done.code, done.json["error"]["code"]) == (3, "vanished")
    assert store.events.read(verbs=["answer"]) == []


def test_a_script_must_name_the_dialog(demo: DemoAgent) -> None:
    """What it has read may be another question by now."""
    demo.open_dialog()
    done = demo.torch("answer", demo.name, "1", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")
    assert "--hash" in done.json["error"]["message"]
    done = demo.torch("answer", demo.name, "--hash", hash_of(demo), "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")
    assert not demo.events("typed")


def test_a_dialog_whose_keys_nobody_knows_is_left_alone(demo: DemoAgent) -> None:
    text = (Path(STOCK) / "demo.toml").read_text(encoding="utf-8")
    own = Path(profiles_dir())
    own.mkdir(parents=True)
    (own / "demo.toml").write_text(text.replace('choose = "digit"\n', ""))
    accept_profiles()
    demo.open_dialog()
    dialog = hash_of(demo)
    done = demo.torch("answer", demo.name, "1", "--hash", dialog, "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "no-keys")
    assert f"torch press demo KEY --dialog {dialog}" in done.json["error"]["hint"]
    steps = demo.torch("status", "--json").json["steps"]
    assert steps[0]["command"] == ["torch", "press", "demo", "1", "--dialog", dialog]
    assert f"torch press demo KEY --dialog {dialog}" in demo.torch("state", "demo").err
    assert not demo.events("typed")


def test_who_shows_a_dialog_names_the_command_that_answers_it(demo: DemoAgent) -> None:
    demo.open_dialog()
    command = f"torch answer demo OPTION --hash {hash_of(demo)}"
    assert f"answer with: {command}" in demo.torch("state", "demo").err
    held = demo.torch("press", "demo", "Enter", "--json").json["error"]
    assert (held["code"], held["hint"]) == ("dialog", f"To answer it: {command}")
    assert not demo.events("typed")


# -- the dialog changes meanwhile ------------------------------------------------------------------


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], key: str = "") -> None:
    """Do something between Torch's look and the gate, once, in front of ``key`` if one is named."""
    original, done = gate.press, list[str]()

    def late(
        client: Any, pane: Any, keys: list[str], conditions: Sequence[str], **named: Any
    ) -> gate.GateOutcome:
        if not done and key in ("", keys[0]):
            done.append("")
            act()
        return original(client, pane, keys, conditions, **named)

    monkeypatch.setattr(gate, "press", late)


def test_a_dialog_that_is_replaced_between_look_and_key_gets_nothing(
    demo: DemoAgent, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_dialogs(demo, 2)

    def replace() -> None:
        demo.tmux.cmd("send-keys", "-t", demo.pane.id, "2")
        await_question(demo, 1)

    dialog = hash_of(demo)
    meanwhile(monkeypatch, replace)
    with pytest.raises(HeldError, match="it shows something else now; nothing was chosen"):
        answer(store, demo.tmux.socket, demo.name, "1", dialog)
    assert settled(demo) == [("declined", "touch f0")]
    assert store.events.read(verbs=["answer"]) == []


@pytest.mark.parametrize(("first", "then"), [("a-b", "a/b"), ("甲", "乙")])
def test_a_dialog_that_the_gate_cannot_tell_from_the_one_before_gets_nothing(
    demo: DemoAgent, store: Store, monkeypatch: pytest.MonkeyPatch, first: str, then: str
) -> None:
    """To tmux's pattern any sign is any other, and any letter of another script."""
    sent = demo.send(f"DIALOGAT(0,touch {first}) DIALOGAT(0,touch {then})")
    assert sent.json["state"] in ("submitted", "confirmed", "unknown", "held")
    wait_until(lambda: len(demo.events("dialog")) == 2, what="the dialogs")
    await_words(demo, f"touch {first}")
    dialog = hash_of(demo)

    def replaced(*given: Any) -> None:
        if not settled(demo):
            demo.tmux.cmd("send-keys", "-t", demo.pane.id, "2")
            await_words(demo, f"touch {then}")
        await_drawn(*given)

    monkeypatch.setattr(still, "await_drawn", replaced)
    with pytest.raises(HeldError, match="it shows something else now; nothing was chosen"):
        answer(store, demo.tmux.socket, demo.name, "1", dialog)
    assert settled(demo) == [("declined", f"touch {first}")]


def test_a_dialog_that_is_replaced_at_any_moment_is_never_answered(
    demo: DemoAgent, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else answers: before the look, between look and key, or after the key."""
    rounds = 12
    queue_dialogs(demo, 2 * rounds)
    chance = random.Random(19)
    for _ in range(rounds):
        with monkeypatch.context() as patch:
            one_round(demo, store, patch, chance.choice(["before", "between", "after"]))


def one_round(demo: DemoAgent, store: Store, patch: pytest.MonkeyPatch, when: str) -> None:
    at = len(settled(demo))
    await_question(demo, at)
    dialog = shown_by(store, demo.tmux.socket, demo.name).dialog.hash
    original = gate.press

    def other() -> None:
        demo.tmux.cmd("send-keys", "-t", demo.pane.id, "2")
        await_question(demo, at + 1)

    def late(client: Any, pane: Any, keys: Any, conditions: Any, **named: Any) -> gate.GateOutcome:
        if when == "between":
            other()
        outcome = original(client, pane, keys, conditions, **named)
        if when == "after":
            demo.tmux.cmd("send-keys", "-t", demo.pane.id, "2")
        return outcome

    patch.setattr(gate, "press", late)
    if when == "before":
        other()
    if when == "after":
        assert answer(store, demo.tmux.socket, demo.name, "1", dialog).gone
        expected = [("approved", f"touch f{at}"), ("declined", f"touch f{at + 1}")]
    else:
        with pytest.raises(HeldError):
            answer(store, demo.tmux.socket, demo.name, "1", dialog)
        expected = [("declined", f"touch f{at}")]
    wait_until(lambda: len(settled(demo)) >= at + len(expected), what="the other's answer")
    assert settled(demo)[at:] == expected


def test_keys_that_are_on_their_way_come_first(demo: DemoAgent, store: Store) -> None:
    """What they do to the dialog, no screen shows yet."""
    assert demo.send("SLEEP(60)").code == 0
    demo.open_dialog()
    dialog = hash_of(demo)
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "2")
    with pytest.raises(HeldError, match="somebody else has just typed there"):
        answer(store, demo.tmux.socket, demo.name, "1", dialog)
    assert store.events.read(verbs=["answer"]) == []


def test_of_two_that_answer_at_once_one_answers(demo: DemoAgent, store: Store) -> None:
    """The second key would fall to the next question, or into the box."""
    queue_dialogs(demo, 3)
    dialog = hash_of(demo)
    outcomes: list[object] = []

    def give() -> None:
        with Store() as own:
            try:
                outcomes.append(answer(own, demo.tmux.socket, demo.name, "1", dialog).gone)
            except TorchError as error:
                outcomes.append(error.code)

    both = [threading.Thread(target=give) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(map(str, outcomes)) == ["True", "dialog"]
    assert settled(demo) == [("approved", "touch f0")]
    assert len(store.events.read(verbs=["answer"])) == 1


def test_a_dialog_that_stays_is_unknown(
    demo: DemoAgent, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that comes again in the same words: nobody can tell the two apart."""
    monkeypatch.setattr(module, "DIALOG_GONE_SECONDS", 0.5)
    demo.open_dialog()
    os.kill(demo.pane.pid, signal.SIGUSR1)
    wait_until(lambda: len(demo.events("dialog")) == 2, what="the second")
    done = answer(store, demo.tmux.socket, demo.name, "2", hash_of(demo))
    assert not done.gone
    assert len(store.events.read(verbs=["answer"])) == 1


def test_enter_falls_only_to_the_row_that_was_seen_to_be_selected(
    demo: DemoAgent, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.open_dialog()
    dialog = hash_of(demo)

    def move() -> None:
        demo.tmux.cmd("send-keys", "-t", demo.pane.id, "Down")
        demo.tmux.wait_for_text(demo.pane, "❯ 2. No")

    meanwhile(monkeypatch, move)
    with pytest.raises(HeldError, match="changed"):
        press(store, demo.tmux.socket, demo.name, ["Enter"], dialog)
    assert not demo.events("approved", "declined")


# -- by the arrows ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("arrows")
@pytest.mark.parametrize(
    ("said", "keys", "outcome"),
    [("no", ["Down", "Enter"], "declined"), ("1", ["Enter"], "approved")],
)
def test_the_selection_is_moved_and_seen_to_be_there(
    demo: DemoAgent, said: str, keys: list[str], outcome: str
) -> None:
    demo.open_dialog()
    done = demo.torch("answer", demo.name, said, "--hash", hash_of(demo), "--json")
    assert (done.code, done.json["keys"]) == (0, keys), done.out
    assert demo.events(outcome)


@pytest.mark.usefixtures("arrows")
def test_a_selection_that_moves_away_again_is_not_confirmed(
    demo: DemoAgent, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.open_dialog()
    dialog = hash_of(demo)

    def back() -> None:
        demo.tmux.cmd("send-keys", "-t", demo.pane.id, "Up")
        demo.tmux.wait_for_text(demo.pane, "❯ 1. Yes")

    meanwhile(monkeypatch, back, "Enter")
    with pytest.raises(HeldError, match="nothing was chosen; the selection was moved by Down"):
        answer(store, demo.tmux.socket, demo.name, "no", dialog)
    assert not demo.events("approved", "declined")
    (event,) = store.events.read(verbs=["press"])
    assert event.detail["keys"] == ["Down"]


@pytest.mark.usefixtures("arrows")
def test_a_selection_that_does_not_move_is_not_confirmed(
    demo: DemoAgent, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.open_dialog()
    dialog = hash_of(demo)
    monkeypatch.setattr(module, "DIALOG_GONE_SECONDS", 0.5)
    original = gate.press
    monkeypatch.setattr(gate, "press", lambda c, p, k, a, **n: original(c, p, ["F5"], a))
    with pytest.raises(HeldError, match="did not come to 'No' by Down; nothing was chosen"):
        answer(store, demo.tmux.socket, demo.name, "no", dialog)
    assert not demo.events("approved", "declined")


# -- the options of real programs ------------------------------------------------------------------

WRAPPED = ("auto_mode_dialog",)
"""Menus that are narrower than their words: what is wrapped counts as an option that is none."""

BETWEEN = ("question_many_submit",)
"""The selection is on a row that has no number, on its way from one option to another."""


def test_every_captured_dialog_with_known_keys_offers_its_options() -> None:
    found: dict[tuple[str, str], list[list[str]]] = {}
    for program, name, screen in waiting():
        dialog = classify(screen, PROFILES[program]).dialog
        assert dialog is not None
        one = asked(dialog)
        if dialog.choose and not name.startswith(WRAPPED):
            assert one.options or name.startswith("shell_question_typed"), (program, name)
        if dialog.choose == "arrows" and one.options and not name.startswith(BETWEEN):
            assert dialog.marked in [option.row for option in one.options], (program, name)
        keys = [option.key for option in one.options]
        assert len(set(keys)) == len(keys), (program, name)
        found.setdefault((program, dialog.kind), []).append([each.words for each in one.options])
    assert ["No, exit", "Yes, I trust this folder"] in found["claude", "trust"]
    assert ["Yes", "No (recommended)"] in found["claude", "api-key"]
    assert ["Trust and continue", "Back to Agent Command Center"] in found["codex", "trust"]
    assert ["Yes", "No", "Don't ask again"] in found["aider", "permission"]


def test_options_in_one_row_are_found_by_their_place() -> None:
    found: dict[str, list[list[tuple[str, int]]]] = {}
    for program, name, screen in waiting():
        dialog = classify(screen, PROFILES[program]).dialog
        assert dialog is not None
        if dialog.choose == "click":
            base = name.partition("@")[0]
            found.setdefault(base, []).append([(o.words, o.column) for o in asked(dialog).options])
            for option in asked(dialog).options:
                assert dialog.rows[option.row][option.column :].startswith(option.words)
    assert set(map(str, found.pop("permission_always"))) == {"[('Confirm', 6), ('Cancel', 16)]"}
    wanted = [("Allow once", 6), ("Allow always", 19), ("Reject", 34)]
    assert found
    assert all(one == wanted for some in found.values() for one in some)


@pytest.mark.parametrize(
    ("choose", "last", "keys"),
    [("letter", "Run it? (Y)es/(N)o [Yes]:", ["y", "n"]), ("click", "Yes   No", ["1", "2"])],
)
def test_a_list_in_what_is_asked_for_is_not_taken_for_options(
    choose: str, last: str, keys: list[str]
) -> None:
    """What is answered by a letter or a click shows no numbers of its own."""
    rows = ("I would:", "1. rm -rf build", "2. make", last)
    spots = (Spot("Yes", 3, 0), Spot("No", 3, 6)) if choose == "click" else ()
    one = asked(Dialog("permission", "Run it?", rows, "0" * 12, choose, spots=spots))
    assert [option.key for option in one.options] == keys


def test_a_list_in_what_is_asked_for_is_no_option() -> None:
    rows = (" Write", "  1. Yes", "  2. No, and more", " ❯ 1. Yes", "   2. No", " Esc to cancel")
    one = asked(Dialog("permission", "Write?", rows, "0" * 12, "digit", 3))
    assert [(each.key, each.words, each.row) for each in one.options] == [
        ("1", "Yes", 3),
        ("2", "No", 4),
    ]


def test_an_option_is_named_exactly_or_by_its_only_beginning() -> None:
    rows = ("Run it?", "› 1. Yes, proceed (y)", "  2. Yes, and do not ask (p)", "  3. No (esc)")
    one = asked(Dialog("permission", "Run it?", rows, "0" * 12, "digit", 1))
    for said, key in (("1", "1"), ("P", "2"), ("y", "1"), ("yes, AND", "2"), ("n", "3")):
        assert option_of(one, said).key == key, said
    for said in ("yes", "", "4", "10", "o"):
        with pytest.raises(RefusedError):
            option_of(one, said)


def test_an_answer_that_is_being_typed_is_left_to_who_types_it() -> None:
    rows = ("touch approved", "Run shell command? (Y)es/(N)o/(D)on't ask again [Yes]: x")
    one = asked(Dialog("permission", "Run shell command?", rows, "0" * 12, "letter"))
    assert (one.options, one.choose) == ((), "")


# -- at a terminal ---------------------------------------------------------------------------------


def test_the_walk_goes_through_all_that_wait(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, demo: DemoAgent
) -> None:
    other = spawn_demo(tmux, torch, tmp_path / "other", "--work", "0", name="日本-é")
    queue_dialogs(demo, 2)
    other.open_dialog()
    walk = Terminal(torch.argv("answer"))
    seen: list[str] = []
    while len(seen) < 2:
        walk.wait_for("1  Yes")
        walk.wait_for("Enter skips, q quits: ")
        first = walk.shown.rfind("日本-é  agents:") < walk.shown.rfind("demo  agents:")
        if first and not settled(demo):
            walk.type("9\n")
            walk.wait_for("'9' is no option of")
            walk.wait_for("q quits: ")
            walk.type("no\n")
            walk.wait_for("pressed  demo")
            walk.wait_for("touch f1")
            walk.wait_for("q quits: ")
            walk.type("1\n")
            walk.wait_for("pressed  demo")
            seen.append("demo")
        else:
            walk.type("\n")
            seen.append("other")
    assert walk.finish() == 8, "one was skipped"
    assert settled(demo) == [("declined", "touch f0"), ("approved", "touch f1")]
    assert settled(other) == []


def test_ctrl_c_in_the_walk_presses_nothing(demo: DemoAgent) -> None:
    demo.open_dialog()
    walk = Terminal(demo.torch.argv("answer"))
    walk.wait_for("q quits: ")
    walk.type("1\x03")
    assert walk.finish() == 130
    walk = Terminal(demo.torch.argv("answer", demo.name))
    walk.wait_for("q quits: ")
    walk.type("q\n")
    assert walk.finish() == 8
    assert not demo.events("typed", "approved")


def test_what_was_answered_elsewhere_meanwhile_is_shown_anew(demo: DemoAgent) -> None:
    queue_dialogs(demo, 2)
    walk = Terminal(demo.torch.argv("answer"))
    walk.wait_for("touch f0")
    walk.wait_for("q quits: ")
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "2")
    await_question(demo, 1)
    walk.type("1\n")
    walk.wait_for("shows another dialog")
    walk.wait_for("touch f1")
    walk.wait_for("q quits: ")
    walk.type("2\n")
    assert walk.finish() == 0
    assert settled(demo) == [("declined", "touch f0"), ("declined", "touch f1")]


def test_who_decides_sees_all_of_a_long_command(demo: DemoAgent) -> None:
    """Its beginning, far above the question, is what matters."""
    command = "rm -rf /srv/precious " + " ".join(f"/tmp/scratch/{number}" for number in range(40))
    assert demo.send(f"DIALOG({command})").code == 0
    demo.tmux.wait_for_text(demo.pane, "Do you want to proceed?")
    person = Terminal(demo.torch.argv("answer", demo.name))
    person.wait_for("q quits: ")
    bare = command.replace(" ", "")  # the pane's rows end within words
    assert bare in "".join(person.shown.split())
    person.type("2\n")
    assert person.finish() == 0
    assert demo.send(f"DIALOG({command})").code == 0
    demo.tmux.wait_for_text(demo.pane, "Do you want to proceed?")
    said = demo.torch("answer", demo.name).out
    assert bare in "".join(said.replace("·", "").split()), "also in a pipe"


def test_rows_break_where_the_program_broke_them_in_a_terminal_as_wide_as_its_pane(
    demo: DemoAgent,
) -> None:
    """At 80x24, the program's and the person's: Torch's own indent must not break a word."""
    columns = demo.tmux.cmd("display-message", "-p", "-t", demo.pane.id, "#{window_width}").strip()
    assert demo.send(f"DIALOG({'second word ' * 20})").code == 0
    demo.tmux.wait_for_text(demo.pane, "Do you want to proceed?")
    person = Terminal(demo.torch.argv("answer", demo.name), int(columns))
    person.wait_for("q quits: ")
    person.type("q\n")
    assert person.finish() == 8
    rows = [row.strip() for row in demo.tmux.screen(demo.pane).split("\n")]
    at = rows.index("Run command")
    asked = rows[at + 1 : rows.index("Do you want to proceed?")]
    assert len(asked) > 2
    shown = [row.strip() for row in person.shown.split("\n")]
    assert [row for row in shown if row in asked] == asked


def test_a_ctrl_c_says_that_nothing_was_pressed(demo: DemoAgent) -> None:
    """In the walk, and where it asks whether that is the question."""
    demo.open_dialog()
    for words, asks in (((), "q quits: "), (("2",), "[y/N]:")):
        person = Terminal(demo.torch.argv("answer", demo.name, *words))
        person.wait_for(asks)
        person.type("\x03")
        assert person.finish() == 130
        assert f"interrupted; '{demo.name}' was not answered: nothing was pressed" in person.shown
    assert settled(demo) == []


def test_who_asks_nothing_is_told_before_any_other_reason(demo: DemoAgent) -> None:
    done = demo.torch("answer", demo.name, "1")
    assert done.code == 4
    assert f"'{demo.name}' shows no dialog: it is idle" in done.err
    demo.open_dialog()
    done = demo.torch("answer", demo.name, "1")
    assert (done.code, "an answer needs --hash" in done.err) == (2, True)


def test_a_dialog_whose_beginning_is_out_of_sight_is_said_to_go_on_above(demo: DemoAgent) -> None:
    """A command that nobody can read to its beginning should not look like all of it."""
    demo.open_dialog()
    said = "this is not all of it, in a pane of 6 rows: 'torch attach demo' in a taller"
    person = Terminal(demo.torch.argv("answer", demo.name))
    person.wait_for("q quits: ")
    person.type("q\n")
    assert person.finish() == 8
    assert said not in " ".join(person.shown.split())
    assert demo.torch("answer", "--json").json["cut"] is False
    demo.tmux.cmd("resize-window", "-t", demo.pane.id, "-y", "6")
    wait_until(lambda: demo.torch("answer", "--json").json["cut"], what="a dialog without its top")
    person = Terminal(demo.torch.argv("answer", demo.name))
    person.wait_for("q quits: ")
    person.type("q\n")
    assert person.finish() == 8
    assert said in " ".join(person.shown.split())
    listed = demo.torch("answer").out
    assert "# its pane is too low for all of it: torch attach demo" in listed


def test_which_captured_dialogs_begin_out_of_sight() -> None:
    """Low panes and long plans, worked out by eye: nothing is said where that is not certain."""
    found = set()
    for program, name, screen in waiting():
        dialog = classify(screen, PROFILES[program]).dialog
        if dialog is not None and dialog.cut:
            found.add((program, name))
    assert found == {
        *(("claude", name) for name in CUT_CLAUDE),
        *(("gemini", f"{name}@80x15") for name in ("auth_dialog", "model_picker", "trust_dialog")),
    }


@pytest.mark.parametrize(("sure", "told"), [("y", ["declined"]), ("n", [])])
def test_a_person_sees_the_question_first(demo: DemoAgent, sure: str, told: list[str]) -> None:
    demo.open_dialog()
    person = Terminal(demo.torch.argv("answer", demo.name, "2"))
    person.wait_for("Do you want to proceed?")
    person.wait_for("Answer this with 2 No? [y/N]:")
    person.type(f"{sure}\n")
    assert person.finish() == 0
    assert [outcome for outcome, _ in settled(demo)] == told


def test_without_a_terminal_it_lists_and_asks_nobody(demo: DemoAgent) -> None:
    done = demo.torch("answer")
    assert (done.code, done.out) == (0, "")
    assert "nobody waits for an answer" in done.err
    demo.open_dialog()
    done = demo.torch("answer", input="1\n")
    assert done.code == 8
    assert f"1 Yes · 2 No\n    torch answer demo OPTION --hash {hash_of(demo)}\n" in done.out
    done = demo.torch("answer", demo.name, "--json")
    assert (done.code, done.json["question"]) == (8, "Do you want to proceed?")
    assert demo.torch("answer", "nobody").code == 3
    assert not demo.events("typed", "approved")


def test_a_reply_of_which_the_program_says_nothing_is_not_called_pressed(
    demo: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dialog goes, and that may be another's doing: no key was pressed."""

    def lost(request: str, word: str) -> bool:
        demo.tmux.cmd("send-keys", "-t", demo.pane.id, "Escape")
        raise ReplyLostError(f"nothing came of '{word}' to {request}")

    monkeypatch.setattr(reply, "open_request", lambda *given: "request")
    monkeypatch.setattr(reply, "reply_of", lambda *given: "once")
    monkeypatch.setattr(reply, "give_reply", lost)
    demo.open_dialog()
    with Store() as store:
        done = answer(store, demo.tmux.socket, demo.name, "1", hash_of(demo))
        (heard,) = store.events.read(verbs=[HEARD])
    assert (done.outcome, done.gone) == ("unknown", True)
    assert done.words.startswith("its program does not say whether it took this answer")
    assert (done.keys, heard.detail["outcome"]) == (("reply once",), "unknown")


@pytest.fixture
def replies() -> None:
    """A profile of the demo agent that answers permission requests through a plugin."""
    text = (Path(STOCK) / "demo.toml").read_text(encoding="utf-8")
    own = Path(profiles_dir())
    own.mkdir(parents=True)
    (own / "demo.toml").write_text(text + '\n[hooks.replies]\nYes = "once"\nNo = "reject"\n')
    accept_profiles()


def test_a_dialog_whose_request_was_answered_gets_no_key(
    replies: None, demo: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program tells of that before it draws it: until then the screen shows the old dialog."""
    demo.open_dialog()
    (pid,) = (one["pid"] for one in demo.events("start"))
    request = Path(paths.answers(), f"{pid}-per_1.open")
    request.parent.mkdir(parents=True, exist_ok=True)
    request.write_text('{"given": ["something else"]}')

    def answered_meanwhile(*given: Any) -> None:
        request.unlink(missing_ok=True)
        await_drawn(*given)

    dialog = hash_of(demo)
    with Store() as store:
        with monkeypatch.context() as patched:
            patched.setattr(still, "await_drawn", answered_meanwhile)
            with pytest.raises(HeldError) as held:
                answer(store, demo.tmux.socket, demo.name, "2", dialog)
        assert held.value.code == "typing"
        assert not settled(demo)
        request.write_text('{"given": ["something else"]}')
        assert answer(store, demo.tmux.socket, demo.name, "2", dialog).gone
    assert [outcome for outcome, _ in settled(demo)] == ["declined"]


def drawn_now(demo: DemoAgent, key: str) -> Callable[..., frozenset[str]]:
    """Return what shows the end of an answered dialog, and then that no request is open."""

    def requests(*given: Any) -> frozenset[str]:
        demo.tmux.cmd("send-keys", "-t", demo.pane.id, key)
        await_question(demo, 1)
        return frozenset()

    return requests


def test_a_dialog_that_was_answered_before_its_end_was_drawn_gets_no_key(
    replies: None, demo: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_dialogs(demo, 2)
    dialog = hash_of(demo)

    monkeypatch.setattr(module, "open_requests", drawn_now(demo, "1"))
    with Store() as store, pytest.raises(HeldError) as held:
        answer(store, demo.tmux.socket, demo.name, "2", dialog)
    assert held.value.code == "dialog"
    assert settled(demo) == [("approved", "touch f0")]


def requests_of(demo: DemoAgent, *given: str) -> list[Path]:
    """Have its plugin say that a request for each of these has been open for a while."""
    (pid,) = (one["pid"] for one in demo.events("start"))
    Path(paths.answers()).mkdir(parents=True, exist_ok=True)
    drawn, found = time.time() - 2 * reply.DRAWN_SECONDS, []
    for number, words in enumerate(given):
        file = Path(paths.answers(), f"{pid}-per_{number}.open")
        file.write_text(json.dumps({"permission": "edit", "given": [words]}))
        os.utime(file, (drawn, drawn))
        found.append(file)
    return found


@pytest.fixture
def replied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that were replied to, each of which the program takes."""
    given: list[str] = []

    def take(request: str, word: str) -> bool:
        given.append(f"{Path(request).name} {word}")
        return True

    monkeypatch.setattr(reply, "give_reply", take)
    return given


def test_no_reply_goes_to_the_request_that_is_left_when_that_of_the_dialog_was_answered(
    replies: None, demo: DemoAgent, replied: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two edits of one file: the dialog, which still shows the first, has the words of both."""
    demo.open_dialog()
    shown, _ = requests_of(demo, "Do you want to proceed?", "Do you want to proceed?")
    original = reply.open_request

    def answered_meanwhile(*given: Any) -> str:
        shown.unlink()
        return original(*given)

    monkeypatch.setattr(reply, "open_request", answered_meanwhile)
    with Store() as store, pytest.raises(HeldError) as held:
        answer(store, demo.tmux.socket, demo.name, "1", hash_of(demo))
    assert held.value.code == "typing"
    assert (replied, settled(demo)) == ([], [])


def test_no_reply_is_given_before_the_end_of_an_answered_dialog_is_drawn(
    replies: None, demo: DemoAgent, replied: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_dialogs(demo, 2)
    dialog = hash_of(demo)
    requests_of(demo, "touch")  # that of the second; the first was answered just now

    monkeypatch.setattr(module, "open_requests", drawn_now(demo, "2"))
    with Store() as store, pytest.raises(HeldError) as held:
        answer(store, demo.tmux.socket, demo.name, "1", dialog)
    assert held.value.code == "dialog"
    assert (replied, settled(demo)) == ([], [("declined", "touch f0")])


def test_the_only_request_is_replied_to(
    replies: None, demo: DemoAgent, replied: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.open_dialog()
    monkeypatch.setattr(module, "DIALOG_GONE_SECONDS", 0.2)
    (request,) = requests_of(demo, "Do you want to proceed?")
    with Store() as store:
        done = answer(store, demo.tmux.socket, demo.name, "1", hash_of(demo))
    assert done.keys == ("reply once",)
    assert replied == [f"{request.stem} once"]
