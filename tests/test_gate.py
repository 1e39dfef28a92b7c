"""Nothing is typed into a pane unless all that must be true of it is true in that very moment."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import TmuxServer
from torch_cli.tmux import gate
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.gate import GateOutcome
from torch_cli.tmux.panes import Pane, capture_one


@dataclass(frozen=True)
class Recorder:
    """A pane whose program asks for framed pastes and writes all it is given into a file."""

    pane: Pane
    tty: str
    file: Path

    @property
    def got(self) -> bytes:
        return self.file.read_bytes() if self.file.exists() else b""

    def show(self, *rows: str) -> None:
        """Put ``rows`` on the pane's screen, as its program would."""
        with open(self.tty, "wb", buffering=0) as screen:
            screen.write(b"\x1b[H\x1b[2J" + "\r\n".join(rows).encode())


@pytest.fixture
def recorder(tmux: TmuxServer, tmp_path: Path) -> Recorder:
    file = tmp_path / "got"
    program = f"stty raw -echo; printf '\\033[?2004hready'; exec cat > {shlex.quote(str(file))}"
    pane = tmux.new_session("main", "sh", "-c", program)
    tmux.wait_for_text(pane, "ready")
    tmux.wait_until(lambda: tmux.pane(pane.id).command == "cat", "the recorder")
    tty = tmux.cmd("display-message", "-p", "-t", pane.id, "#{pane_tty}")
    return Recorder(tmux.pane(pane.id), tty, file)


def paste(client: ControlClient, pane: Pane, text: bytes, *, framed: bool = True) -> GateOutcome:
    """Load ``text`` and paste it."""
    assert gate.load(client, "torch-1", text)
    return gate.paste(client, pane, framed=framed, conditions=[], buffer="torch-1")


def both(client: ControlClient, pane: Pane) -> list[GateOutcome]:
    """Try to paste and to press; return what the gate said."""
    return [
        paste(client, pane, b"text"),
        gate.press(client, pane, ["Enter"]),
        gate.look(client, pane),
    ]


def test_a_paste_arrives_framed_and_whole(tmux: TmuxServer, recorder: Recorder) -> None:
    text = "line\n\ttab ❯ 日本 \u0085\u2028\u200b👩\u200d💻 \\ #{pane_id} ;\n".encode() + b"\xff"
    with tmux.client() as client:
        outcome = paste(client, recorder.pane, text)
    assert outcome == GateOutcome(True)
    tmux.wait_until(lambda: recorder.got.endswith(b"\x1b[201~"), "the paste")
    assert recorder.got == b"\x1b[200~" + text + b"\x1b[201~"
    assert tmux.cmd("list-buffers") == ""


def test_a_paste_without_a_frame_is_the_text_alone(tmux: TmuxServer, recorder: Recorder) -> None:
    with tmux.client() as client:
        paste(client, recorder.pane, b"a;", framed=False)
    tmux.wait_until(lambda: recorder.got, "the paste")
    assert recorder.got == b"a;"


def test_a_megabyte_arrives(tmux: TmuxServer, recorder: Recorder) -> None:
    text = b"0123456789abcde\n" * 65_536
    with tmux.client() as client:
        paste(client, recorder.pane, text, framed=False)
    tmux.wait_until(lambda: len(recorder.got) >= len(text), "the paste")
    assert recorder.got == text


def test_keys_are_pressed_by_name(tmux: TmuxServer, recorder: Recorder) -> None:
    with tmux.client() as client:
        assert gate.press(client, recorder.pane, ["Up", "Enter", "-", ";", "C-c"]).done
    tmux.wait_until(lambda: recorder.got.endswith(b"\x03"), "the keys")
    assert recorder.got == b"\x1b[A\r-;\x03"


def enter_mode(tmux: TmuxServer, pane: Pane) -> None:
    tmux.cmd("copy-mode", "-t", pane.id)


def turn_input_off(tmux: TmuxServer, pane: Pane) -> None:
    tmux.cmd("select-pane", "-d", "-t", pane.id)


def synchronize(tmux: TmuxServer, pane: Pane) -> None:
    tmux.cmd("split-window", "-d", "-t", pane.id, "cat")
    tmux.cmd("set-option", "-w", "-t", pane.id, "synchronize-panes", "on")


def replace_process(tmux: TmuxServer, pane: Pane) -> None:
    tmux.cmd("respawn-pane", "-k", "-t", pane.id, "cat")


def let_it_die(tmux: TmuxServer, pane: Pane) -> None:
    tmux.cmd("set-option", "-w", "-t", pane.id, "remain-on-exit", "on")
    tmux.cmd("run-shell", "-b", f"kill {pane.pid}")
    tmux.wait_until(lambda: tmux.pane(pane.id).dead, "the death")


def close_it(tmux: TmuxServer, pane: Pane) -> None:
    tmux.new_window("main", "other", "cat")
    tmux.cmd("kill-pane", "-t", pane.id)


@pytest.mark.parametrize(
    ("obstacle", "reason"),
    [
        (enter_mode, "mode"),
        (turn_input_off, "input-off"),
        (synchronize, "synchronized"),
        (replace_process, "replaced"),
        (let_it_die, "dead"),
        (close_it, "gone"),
    ],
)
def test_nothing_is_typed_past_an_obstacle_and_the_server_lives(
    tmux: TmuxServer,
    recorder: Recorder,
    obstacle: Callable[[TmuxServer, Pane], None],
    reason: str,
) -> None:
    """On tmux 3.3a a paste into a dead pane ends the server."""
    obstacle(tmux, recorder.pane)
    session = tmux.panes()[0].session_id
    with tmux.client(session) as client:
        assert both(client, recorder.pane) == [GateOutcome(False, reason)] * 3
        assert client.call("display-message", "-p", "alive").text == "alive"
    assert tmux.cmd("list-buffers") == "", "the buffer is gone whatever happens"
    assert recorder.got == b""


def test_a_pane_of_another_server_s_time_is_gone(tmux: TmuxServer, recorder: Recorder) -> None:
    tmux.kill()
    tmux.new_session("main", "cat")
    with tmux.client() as client:
        assert {outcome.reason for outcome in both(client, recorder.pane)} <= {"gone", "replaced"}


def test_a_key_waits_for_its_rows(tmux: TmuxServer, recorder: Recorder) -> None:
    recorder.show("❯\u00a0hello there", "  second row")
    tmux.wait_for_text(recorder.pane, "second row")
    pane = recorder.pane
    with tmux.client() as client:

        def press(*rows: str) -> GateOutcome:
            conditions = gate.rows_stand(rows, prompt="❯\u00a0")
            return gate.press(client, pane, ["x"], conditions)

        changed = GateOutcome(False, "changed")
        assert press("❯\u00a0hello there", "  second row").done
        assert press("❯\u00a0hello") == changed
        assert press("hello there") == changed
        assert press("❯\u00a0hello there.") == changed
        assert press("❯\u00a0hello there", "  third row") == changed
        assert press("❯ hello there") == changed, "the prompt is matched as it is"
    tmux.wait_until(lambda: recorder.got, "the key")
    assert recorder.got == b"x"


def test_a_key_waits_while_a_row_of_a_dialog_shows(tmux: TmuxServer, recorder: Recorder) -> None:
    pane = recorder.pane
    conditions = gate.rows_absent(["^ *Enter to confirm", "^. 1[.] Yes"])
    with tmux.client() as client:
        recorder.show("Do it?", "❯ 1. Yes", "  2. No")
        tmux.wait_for_text(pane, "2. No")
        assert gate.press(client, pane, ["x"], conditions) == GateOutcome(False, "changed")
        recorder.show("It said: ❯ 1. Yes, or so")
        tmux.wait_for_text(pane, "or so")
        assert gate.press(client, pane, ["x"], conditions).done


def test_a_key_waits_for_the_cursor(tmux: TmuxServer, recorder: Recorder) -> None:
    recorder.show("one", "two")
    tmux.wait_for_text(recorder.pane, "two")
    with tmux.client() as client:
        assert capture_one(client, recorder.pane).cursor == (3, 1)
        assert gate.press(client, recorder.pane, ["x"], gate.cursor_at((3, 1))).done
        moved = gate.press(client, recorder.pane, ["x"], gate.cursor_at((3, 2)))
        assert moved == GateOutcome(False, "changed")


def test_a_key_waits_for_a_cursor_that_shows(tmux: TmuxServer, recorder: Recorder) -> None:
    recorder.show("one", "two\x1b[?25l")
    tmux.wait_until(lambda: not cursor_shows(tmux, recorder), "a hidden cursor")
    shown = gate.cursor_at((3, 1), shown=True)
    with tmux.client() as client:
        assert gate.press(client, recorder.pane, ["x"], shown) == GateOutcome(False, "changed")
        recorder.show("one", "two\x1b[?25h")
        tmux.wait_until(lambda: cursor_shows(tmux, recorder), "a cursor")
        assert gate.press(client, recorder.pane, ["x"], shown).done


def cursor_shows(tmux: TmuxServer, recorder: Recorder) -> bool:
    words = ["display-message", "-p", "-t", recorder.pane.id]
    return tmux.cmd(*words, "#{cursor_x} #{cursor_flag}") == "3 1"


def test_text_in_a_row_is_never_run_and_still_matches(tmux: TmuxServer, recorder: Recorder) -> None:
    trap = tmux.directory / "trap"  # short enough for one row
    evil = [f"#(touch {trap})", "#{pane_id}", "},{ kill-server }", ",", "[", "\\", "^$", "; #(id)"]
    evil += [f"$(touch {trap})", "'", '"', "#{?1,a,b}", "#[fg=red]", "%if 1", "*+?", "x#"]
    with tmux.client() as client:
        for count, text in enumerate(evil):
            recorder.show(text, f"end {count}")
            tmux.wait_for_text(recorder.pane, f"end {count}")
            conditions = gate.rows_stand([text, f"end {count}"])
            assert gate.press(client, recorder.pane, ["x"], conditions).done, text
            assert not gate.press(client, recorder.pane, ["x"], gate.rows_stand([text + "!"])).done
    assert not trap.exists()


def test_words_count_only_in_their_row(tmux: TmuxServer, recorder: Recorder) -> None:
    """An answer may quote what the program says of itself, and stays when the turn has ended."""
    words = "Waiting for "
    with tmux.client() as client:
        for rows, done in (
            (["the answer", "", "⠋ Waiting for stub"], True),
            (["it says Waiting for stub", "", "(Y)es/(N)o"], False),
            (["it says Waiting for stub", "", "⠋ Waiting for stub"], False),
        ):
            recorder.show(*rows)
            tmux.wait_for_text(recorder.pane, rows[-1])
            pressed = gate.press(client, recorder.pane, ["x"], gate.row_has(words, 2))
            assert pressed.done is done, rows


def test_a_row_in_which_a_key_was_shown_counts_as_an_old_one_if_that_is_asked_for(
    tmux: TmuxServer, recorder: Recorder
) -> None:
    """The row of an interrupted turn stays: ``░^CWaiting for stub``."""
    words = "Waiting for "
    with tmux.client() as client:
        for rows, done in (
            (["░█^C      Waiting for stub", "", "      ░█  Waiting for stub"], True),
            (["░█^C      Waiting for stub", "", "(Y)es/(N)o"], False),
            (["it says Waiting for stub", "", "░█        Waiting for stub"], False),
            (["the answer", "", "░█^C      Waiting for stub"], False),
        ):
            recorder.show(*rows)
            tmux.wait_for_text(recorder.pane, rows[-1].strip())
            condition = gate.row_has(words, 2, unbroken=True)
            assert gate.press(client, recorder.pane, ["x"], condition).done is done, rows


def test_no_row_opens_the_gate_by_being_code(tmux: TmuxServer, recorder: Recorder) -> None:
    """Whatever a row that does not stand there holds, the key is withheld."""
    recorder.show("the only row")
    tmux.wait_for_text(recorder.pane, "the only row")
    alphabet = "ab1 #{}(),:;[]\\^$|&!?='\"%~/*é日"
    with tmux.client() as client:

        @given(st.text(st.sampled_from(alphabet), min_size=1, max_size=30).filter(str.strip))
        def check(text: str) -> None:
            row = f"{text}z"  # never blank, never "the only row"
            outcome = gate.press(client, recorder.pane, ["x"], gate.rows_stand([row]))
            # Characters that are not letters or digits match any other.
            assert not outcome.done or len(row) == len("the only row")

        check()
