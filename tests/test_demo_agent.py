"""The demo agent: its core alone, and the whole program in a real tmux pane.

Its log is the ground truth for other tests, so these prove the log as much as the screen.
"""

import base64
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import torch_cli
from conftest import TMUX, TMUX_VERSION
from torch_cli.demo_agent.agent import DemoState
from torch_cli.demo_agent.keys import Decoder, Event, KeyPress, Pasted, Text, to_bytes
from torch_cli.demo_agent.message import normalise
from torch_cli.demo_agent.model import Hook, Kind, LogLine, Options, ShellRun
from torch_cli.demo_agent.view import PROMPT, Painter, Size, bottom_rows, cells, wrap

DEADLINE = 60.0  # seconds
SIZE = Size(40, 20)


# The core: bytes to events


def framed(content: bytes) -> bytes:
    return b"\x1b[200~" + content + b"\x1b[201~"


def test_enter_alone_is_the_enter_key() -> None:
    assert Decoder().feed(b"\r") == [KeyPress.ENTER]


def test_enter_in_one_read_with_typed_text_is_a_newline() -> None:
    assert Decoder().feed(b"hello\r") == [Text("hello\r")]


def test_enter_in_one_read_with_a_framed_paste_is_the_enter_key() -> None:
    assert Decoder().feed(framed(b"a\rb") + b"\r") == [Pasted("a\rb"), KeyPress.ENTER]


def test_control_j_is_a_newline() -> None:
    assert Decoder().feed(b"\n") == [Text("\n")]


def test_the_chord_submits_also_when_it_comes_with_text_or_in_two_reads() -> None:
    assert Decoder().feed(b"hello\x18\x11") == [Text("hello"), KeyPress.SUBMIT]
    decoder = Decoder()
    assert decoder.feed(b"\x18") == []
    assert decoder.feed(b"\x11") == [KeyPress.SUBMIT]
    assert decoder.feed(b"\x11") == []


def test_escape_is_the_key_only_when_nothing_follows() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.waiting
    assert decoder.flush() == [KeyPress.ESCAPE]
    assert decoder.feed(b"\x1b") + decoder.feed(b"[A") == [KeyPress.UP]


@given(st.lists(st.binary(max_size=12)), st.binary(max_size=40))
def test_no_byte_of_a_paste_is_lost_or_changed_wherever_reads_end(
    cuts: list[bytes], content: bytes
) -> None:
    content = b"".join([content, *cuts]).replace(b"\x1b", b"")
    data = framed(content)
    decoder = Decoder()
    events: list[Event] = []
    while data:
        length = 1 + (len(cuts.pop()) if cuts else len(data))
        events += decoder.feed(data[:length])
        data = data[length:]
    assert [to_bytes(event.text) for event in events if isinstance(event, Pasted)] == [content]
    assert len(events) == 1


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]), min_size=1))
def test_typed_text_survives_reads_of_one_byte(text: str) -> None:
    decoder = Decoder()
    events = [event for byte in text.encode() for event in decoder.feed(bytes([byte]))]
    assert "".join(event.text for event in events if isinstance(event, Text)) == text


# The core: what the agent does


class Driven:
    """An agent with its own clock and no world."""

    def __init__(self, options: Options | None = None) -> None:
        self.agent = DemoState(options or Options(), "/project")
        self.now = 0.0
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.hooks: list[str] = []
        self.commands: list[ShellRun] = []
        self.agent.start(self.now)
        self.collect()

    def collect(self) -> None:
        for effect in self.agent.take_effects():
            match effect:
                case LogLine(event, fields):
                    self.logged.append((event, fields))
                case Hook(event, _):
                    self.hooks.append(event)
                case ShellRun():
                    self.commands.append(effect)

    def give(self, *events: Event) -> None:
        for event in events:
            self.agent.handle(event, self.now)
        self.collect()

    def send(self, text: str) -> None:
        self.give(Pasted(text), KeyPress.ENTER)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.agent.tick(self.now)
        self.collect()

    def texts(self, event: str) -> list[str]:
        return [fields["text"] for name, fields in self.logged if name == event]

    def events(self) -> list[str]:
        return [name for name, _ in self.logged if name not in ("typed", "paste")]

    def bottom(self, size: Size = SIZE) -> list[str]:
        return [plain(row) for row in bottom_rows(self.agent, self.now, size)[0]]


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_message_is_answered_after_the_work() -> None:
    agent = Driven()
    agent.send("hello")
    assert "· Working… (0s)" in agent.bottom()
    agent.wait(0.29)
    assert "answer" not in agent.events()
    agent.wait(0.02)
    assert agent.texts("answer") == ["You said: hello"]
    assert agent.hooks == ["SessionStart", "UserPromptSubmit", "Stop"]


def test_the_idle_box_shows_the_prompt_and_a_ghost() -> None:
    rule = "─" * 40
    box = [f"{PROMPT} Type a message", rule, "  ? for help"]
    assert Driven().bottom() == ["", "", rule, *box]


def test_markers_set_the_delay_and_the_answer() -> None:
    agent = Driven()
    agent.send(r"DELAY(2.5) ANSWER(one\ntwo)")
    agent.wait(2.4)
    assert agent.texts("answer") == []
    agent.wait(0.2)
    assert agent.texts("answer") == ["one\ntwo"]


def test_the_work_can_be_ended_at_once() -> None:
    agent = Driven()
    agent.send("DELAY(300) first")
    agent.agent.end_work(agent.now)
    agent.wait(0)
    assert agent.texts("answer") == ["You said: DELAY(300) first"]


@pytest.mark.parametrize(
    ("given_text", "taken"),
    [
        ("a\tb", "a    b"),
        ("a  \n\n", "a"),
        ("a\rb\r\nc", "a\nb\nc"),
        ("  a", "  a"),
        ("a \nb", "a \nb"),
    ],
)
def test_text_is_normalised_when_it_is_submitted(given_text: str, taken: str) -> None:
    agent = Driven()
    agent.send(given_text)
    assert agent.texts("submit") == [taken] == [normalise(given_text)]
    raw = next(fields["raw_base64"] for name, fields in agent.logged if name == "submit")
    assert base64.b64decode(raw) == given_text.encode()


def test_enter_on_an_empty_box_does_nothing() -> None:
    agent = Driven()
    agent.give(KeyPress.ENTER, KeyPress.SUBMIT, Text("   "), KeyPress.ENTER)
    assert agent.events() == []


def test_a_backslash_before_enter_makes_a_newline_but_not_before_the_chord() -> None:
    agent = Driven()
    agent.give(Text("a\\"), KeyPress.ENTER, Text("b\\"), KeyPress.SUBMIT)
    assert agent.texts("submit") == ["a\nb\\"]


@pytest.mark.parametrize(
    ("pasted", "shown"),
    [
        ("x" * 800, None),
        ("x" * 801, "[Pasted text #1]"),
        ("a\nb\nc", None),
        ("a\nb\nc\nd", "[Pasted text #1 +3 lines]"),
    ],
)
def test_only_a_long_paste_is_shown_as_a_placeholder(pasted: str, shown: str | None) -> None:
    agent = Driven()
    agent.give(Pasted(pasted))
    assert agent.agent.box.shown == (shown or pasted)
    agent.give(KeyPress.ENTER)
    assert agent.texts("submit") == [pasted]


def test_placeholders_are_numbered_and_erased_whole() -> None:
    agent = Driven()
    agent.give(Pasted("x" * 900), Text(" and "), Pasted("y" * 900))
    assert agent.agent.box.shown == "[Pasted text #1] and [Pasted text #2]"
    agent.give(KeyPress.BACKSPACE, KeyPress.BACKSPACE)
    assert agent.agent.box.shown == "[Pasted text #1] and"
    agent.give(KeyPress.CLEAR)
    assert agent.agent.box.shown == ""


def test_messages_sent_while_working_are_queued_and_then_run_together() -> None:
    agent = Driven()
    agent.send("one")
    agent.send("two")
    agent.send("three")
    assert agent.texts("submit") == ["one"]
    assert agent.texts("queued") == ["two", "three"]
    assert f"{PROMPT} Press up to edit queued messages" in agent.bottom()
    agent.wait(0.3)
    agent.wait(0.3)
    assert agent.texts("answer") == ["You said: one", "You said: two\nYou said: three"]
    assert agent.hooks.count("UserPromptSubmit") == 3


def test_up_takes_queued_messages_back_into_the_box() -> None:
    agent = Driven()
    agent.send("one")
    agent.send("two")
    agent.give(KeyPress.UP)
    agent.wait(1)
    assert agent.agent.box.text == "two"
    assert agent.texts("answer") == ["You said: one"]


def test_escape_interrupts_the_work_and_no_stop_hook_runs() -> None:
    agent = Driven()
    agent.send("one")
    agent.give(KeyPress.ESCAPE)
    agent.wait(1)
    assert agent.texts("answer") == []
    assert "Stop" not in agent.hooks


def test_a_dialog_replaces_the_box_and_keeps_its_text() -> None:
    agent = Driven()
    agent.send("DIALOG(touch x)")
    agent.give(Text("draft"))
    agent.wait(0.3)
    rule = "─" * 40
    question = [" Run command", "   touch x", " Do you want to proceed?"]
    assert agent.bottom() == ["", rule, *question, " ❯ 1. Yes", "   2. No", " Esc to cancel"]
    agent.give(KeyPress.ESCAPE)
    assert f"{PROMPT}draft" in [row.rstrip(" ") for row in agent.bottom()]


@pytest.mark.parametrize(
    "ignored", [Pasted("1\n"), Text("no, stop\r"), KeyPress.SUBMIT, KeyPress.BACKSPACE]
)
def test_a_dialog_ignores_everything_but_its_own_keys(ignored: Event) -> None:
    agent = Driven()
    agent.agent.open_dialog("touch x")
    agent.give(ignored)
    assert agent.events() == ["dialog"]
    assert agent.agent.box.text == ""


@pytest.mark.parametrize(
    ("keys", "outcome"),
    [
        ([KeyPress.ENTER], "approved"),
        ([Text("1")], "approved"),
        ([Text("2")], "declined"),
        ([KeyPress.DOWN, KeyPress.ENTER], "declined"),
        ([KeyPress.DOWN, KeyPress.UP, KeyPress.ENTER], "approved"),
        ([KeyPress.ESCAPE], "declined"),
        ([KeyPress.INTERRUPT], "declined"),
    ],
)
def test_a_dialog_is_answered_by_its_keys(keys: list[Event], outcome: str) -> None:
    agent = Driven()
    agent.agent.open_dialog("touch x")
    agent.give(*keys)
    assert agent.events() == ["dialog", outcome]
    assert [run.command for run in agent.commands] == (["touch x"] * (outcome == "approved"))


def test_the_answer_waits_for_the_approved_command() -> None:
    agent = Driven()
    agent.send("DIALOG(make)")
    agent.wait(0.3)
    agent.give(KeyPress.ENTER)
    agent.wait(100)
    assert agent.texts("answer") == []
    agent.agent.command_ended(agent.commands[0].number, agent.now)
    agent.wait(0)
    assert agent.texts("answer") == ["You said: DIALOG(make)"]


def test_a_declined_command_ends_the_work() -> None:
    agent = Driven()
    agent.send("DIALOG(make)")
    agent.wait(0.3)
    agent.give(KeyPress.ESCAPE)
    agent.wait(1)
    assert agent.commands == []
    assert agent.events() == ["submit", "dialog", "declined"]


def test_a_planned_dialog_opens_whatever_goes_on() -> None:
    agent = Driven(Options(dialog_after=5))
    agent.send("DIALOGAT(0.2, touch x) DELAY(1)")
    agent.wait(0.2)
    assert agent.agent.dialogs[0].command == "touch x"
    agent.give(KeyPress.ESCAPE)
    agent.wait(1)
    assert len(agent.texts("answer")) == 1
    agent.wait(4)
    assert agent.agent.dialogs[0].command == "touch approved"


def test_a_usage_limit_shows_and_answers_nothing_until_it_lifts() -> None:
    agent = Driven(Options(limit_lifts=60))
    agent.send("LIMIT(3pm)")
    agent.wait(0.3)
    assert "● Usage limit reached · resets 3pm" in agent.bottom()
    agent.send("still there?")
    agent.wait(10)
    assert agent.texts("answer") == []
    assert agent.agent.transcript[-1].text == "Usage limit reached · resets 3pm"
    agent.wait(51)
    agent.send("and now?")
    agent.wait(0.3)
    assert agent.texts("answer") == ["You said: and now?"]


def test_the_words_of_a_lifted_limit_can_stay_until_the_next_message() -> None:
    agent = Driven(Options(limit_lifts=60, after_limit="shown"))
    agent.send("LIMIT(3pm)")
    agent.wait(0.3)
    agent.wait(61)
    assert "● Usage limit reached · resets 3pm" in agent.bottom()
    agent.send("and now?")
    agent.wait(0.3)
    assert agent.texts("answer") == ["You said: and now?"]
    assert "Usage limit" not in agent.bottom()


def test_it_can_go_on_by_itself_when_a_limit_is_lifted() -> None:
    agent = Driven(Options(limit_lifts=60, after_limit="continue"))
    agent.send("LIMIT(3pm)")
    agent.wait(0.3)
    agent.wait(61)
    agent.wait(0.3)
    assert agent.texts("answer") == ["You said: Continue."]


def test_a_command_with_an_exclamation_mark_runs_without_a_question() -> None:
    agent = Driven()
    agent.send("!touch x")
    assert [run.command for run in agent.commands] == ["touch x"]
    assert agent.texts("ran") == ["!touch x"]
    assert agent.hooks == ["SessionStart"]


def test_an_unknown_slash_command_is_swallowed() -> None:
    agent = Driven()
    agent.send("/frobnicate now")
    assert agent.texts("swallowed") == ["/frobnicate now"]
    assert agent.agent.transcript[-1].text == "Unknown command: /frobnicate"


@pytest.mark.parametrize("harmless", [" !touch x", " /exit", "/usr/bin/env is a path"])
def test_guarded_text_is_only_a_message(harmless: str) -> None:
    agent = Driven()
    agent.send(harmless)
    assert agent.texts("submit") == [harmless]
    assert agent.commands == []


def test_exit_says_bye_with_status_0() -> None:
    agent = Driven()
    agent.send("/exit")
    assert agent.agent.exit_status == 0
    assert agent.agent.transcript[-1].text == "Bye."
    assert agent.hooks[-1] == "SessionEnd"


def test_control_c_quits_the_second_time_in_a_row() -> None:
    agent = Driven()
    agent.give(KeyPress.INTERRUPT, Text("x"), KeyPress.INTERRUPT)
    assert agent.agent.exit_status is None
    assert "  Press Ctrl-C again to exit" in agent.bottom()
    agent.give(KeyPress.INTERRUPT)
    assert agent.agent.exit_status == 0


def test_control_d_quits_only_on_an_empty_box() -> None:
    agent = Driven()
    agent.give(Text("x"), KeyPress.END)
    assert agent.agent.exit_status is None
    agent.give(KeyPress.BACKSPACE, KeyPress.END)
    assert agent.agent.exit_status == 0


def test_the_first_submit_keys_are_lost_on_request() -> None:
    agent = Driven(Options(lose_submits=2))
    agent.give(Text("hello"), KeyPress.ENTER, KeyPress.SUBMIT)
    assert agent.events() == []
    agent.give(KeyPress.ENTER)
    assert agent.texts("submit") == ["hello"]


def test_the_trust_question_comes_before_the_session() -> None:
    agent = Driven(Options(trust=True))
    assert " Do you trust the files in this folder?" in agent.bottom()
    assert " ❯ 1. Yes, proceed" in agent.bottom()
    assert agent.hooks == []
    agent.give(KeyPress.ENTER)
    assert agent.hooks == ["SessionStart"]
    other = Driven(Options(trust=True))
    other.give(Text("2"))
    assert other.agent.exit_status == 1


# The core: drawing


@given(st.text(), st.integers(min_value=2, max_value=60))
def test_no_wrapped_row_is_wider_than_the_screen(text: str, columns: int) -> None:
    assert all(cells(row) <= columns for row in wrap(text, columns))


@pytest.mark.parametrize("columns", [20, 21, 80, 300])
@pytest.mark.parametrize("text", ["", "x" * 500, "日本語" * 50, "e\u0301" * 90, "a\nb\n" * 30])
def test_no_row_is_wider_than_the_screen_and_the_cursor_is_in_the_box(
    columns: int, text: str
) -> None:
    size = Size(columns, 12)
    for message in ("hello", "DIALOG(" + "long " * 100 + ")"):
        agent = Driven()
        agent.send(message)
        agent.give(Text(text))
        agent.wait(0.3)
        rows, (column, row) = bottom_rows(agent.agent, agent.now, size)
        assert all(cells(each) <= columns for each in rows)
        assert column < columns
        assert agent.agent.dialogs or rows[row][:2] in (PROMPT, "  ")


def test_an_idle_agent_writes_nothing() -> None:
    agent = Driven()
    painter = Painter(agent.agent)
    assert painter.paint(agent.now, SIZE)
    agent.wait(100)
    assert painter.paint(agent.now, SIZE) == ""


def test_one_key_rewrites_one_row() -> None:
    agent = Driven()
    painter = Painter(agent.agent)
    painter.paint(agent.now, SIZE)
    agent.give(Text("x"))
    assert plain(painter.paint(agent.now, SIZE)) == f"{PROMPT}x "


def test_control_characters_never_reach_the_terminal() -> None:
    agent = Driven()
    agent.give(Text("a\x1b[2Jb\x07\udcff"), KeyPress.ENTER)
    output = Painter(agent.agent).paint(agent.now, SIZE)
    assert "\x1b[2J" not in output
    assert "\x07" not in output
    output.encode()


def test_the_transcript_keeps_messages_and_answers_apart() -> None:
    agent = Driven()
    agent.send("hello")
    agent.wait(1)
    assert [entry.kind for entry in agent.agent.transcript[1:]] == [Kind.USER, Kind.AGENT]


def test_a_megabyte_is_taken_quickly() -> None:
    content = ("wörd " * 20 + "\n").encode() * 10_000
    started = time.process_time()
    agent = Driven()
    decoder = Decoder()
    painter = Painter(agent.agent)
    data = framed(content) + b"\r"
    for at in range(0, len(data), 4095):
        agent.give(*decoder.feed(data[at : at + 4095]))
        painter.paint(agent.now, SIZE)
    assert time.process_time() - started < 10
    assert agent.texts("submit") == [content.decode().rstrip()]


# The whole program, in tmux


@dataclass
class Pane:
    """One demo agent in a pane of a private tmux server."""

    tmux: Callable[..., str]
    directory: Path

    @property
    def log(self) -> list[dict[str, Any]]:
        path = self.directory / "log"
        whole_lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in whole_lines]

    @property
    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "demo:")

    def start(self, *options: str, afterwards: str = "", **env: str) -> None:
        command = [sys.executable, "-m", "torch_cli.demo_agent", "--log", "log", *options]
        env = {"PYTHONPATH": str(Path(torch_cli.__file__).parents[1]), **env}
        given = [word for name, value in env.items() for word in ("-e", f"{name}={value}")]
        where = ("-c", str(self.directory), "-x", "60", "-y", "20", "-s", "demo")
        shell = f"{shlex.join(command)}; {afterwards}" if afterwards else shlex.join(command)
        self.tmux("new-session", "-d", *where, *given, shell)
        if TMUX_VERSION < (3, 3):  # it gives 80x23, whatever -x and -y say
            self.tmux("resize-window", "-t", "demo:", "-x", "60", "-y", "20")

    def ready(self, *options: str, afterwards: str = "", **env: str) -> None:
        self.start(*options, afterwards=afterwards, **env)
        self.until(lambda: self.events("start"))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.log if event["event"] == name]

    def pressed(self, key: str) -> bool:
        return any(event.get("key") == key for event in self.events("typed"))

    def raw(self, name: str) -> list[bytes]:
        events = (event for event in self.events(name) if "raw_base64" in event)
        return [base64.b64decode(event["raw_base64"]) for event in events]

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > deadline:
                shown = self.tmux("list-panes", "-a", "-F", "#{session_name}")
                shown = self.screen if "demo" in shown.split() else "it is gone"
                pytest.fail(f"not within {DEADLINE} s; log: {self.log}\nscreen:\n{shown}")
            time.sleep(0.01)

    def sees(self, text: str) -> None:
        self.until(lambda: text in self.screen)

    def paste(self, content: bytes, *, framed: bool = True) -> None:
        self.tmux("load-buffer", "-", stdin=content)
        flags = ["-p"] if framed else []
        flags += ["-S"] if TMUX_VERSION >= (3, 7) else []  # as it is
        self.tmux("paste-buffer", "-r", "-d", *flags, "-t", "demo:")

    def keys(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "demo:", *keys)

    def signal(self, number: int) -> None:
        os.kill(self.events("start")[0]["pid"], number)

    def dead_with(self, status: int) -> bool:
        # tmux 3.3a sometimes leaves an ended process unreaped until another child ends. It may miss
        # the end of that one, too: so it is not waited for.
        self.tmux("run-shell", "-b", "true")
        shown = self.tmux(
            "display-message", "-p", "-t", "demo:", "#{pane_dead} #{pane_dead_status}"
        )
        return shown.strip() == f"1 {status}"


@pytest.fixture
def pane(tmp_path: Path) -> Iterator[Pane]:
    """A pane on a private server; its directory is ``tmp_path``, its sockets have a short path."""
    sockets = tempfile.mkdtemp(prefix="tda", dir="/tmp")
    name = f"t{uuid.uuid4().hex[:8]}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TMUX")}
    environment |= {"TMUX_TMPDIR": sockets, "LC_ALL": "C.UTF-8"}

    def tmux(*arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            [TMUX, "-u", "-L", name, "-f", "/dev/null", *arguments],
            input=stdin,
            capture_output=True,
            env=environment,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    # An own session keeps the server alive and sets what new windows inherit.
    tmux("new-session", "-d", "-s", "keeper", "sleep 600")
    tmux("set-option", "-g", "remain-on-exit", "on")
    yield Pane(tmux, tmp_path)
    tmux("kill-server")
    shutil.rmtree(sockets, ignore_errors=True)


def test_a_framed_paste_is_logged_byte_for_byte(pane: Pane) -> None:
    pane.ready()
    content = "tab\tüñí 日本 👩‍👩‍👧 e\u0301 #{pane_id} $(x)\n\n  end;  \n".encode()
    pane.paste(content)
    pane.until(lambda: pane.raw("paste") == [content])
    pane.keys("Enter")
    pane.until(lambda: pane.raw("submit") == [content])
    assert pane.events("submit")[0]["text"] == normalise(content.decode())


def test_a_paste_with_its_enter_in_one_write_is_submitted(pane: Pane) -> None:
    pane.ready()
    pane.paste(framed(b"hello") + b"\r", framed=False)
    pane.until(lambda: pane.raw("submit") == [b"hello"])


def test_typed_text_with_its_enter_in_one_write_is_not_submitted(pane: Pane) -> None:
    pane.ready("--no-bracketed-paste")
    pane.paste(b"hello\r")
    pane.until(lambda: pane.raw("typed") == [b"hello\r"])
    pane.keys("Enter")
    pane.until(lambda: pane.raw("submit") == [b"hello\r"])
    assert len(pane.events("submit")) == 1


def test_a_megabyte_arrives_whole_through_tmux(pane: Pane) -> None:
    pane.ready()
    content = b"".join(b"%07d\n" % number for number in range(125_000))
    pane.paste(content)
    pane.sees("[Pasted text #1 +125000 lines]")
    pane.keys("C-x", "C-q")
    pane.until(lambda: pane.raw("submit") == [content])
    pane.sees("● You said: 0000000")


def test_the_screen_shows_header_echo_answer_and_ghost(pane: Pane) -> None:
    pane.ready()
    pane.paste(b"hello")
    pane.keys("C-x", "C-q")
    pane.sees("● You said: hello")
    rows = [row for row in pane.screen.splitlines() if row]
    rule = "─" * 60
    assert rows[0].startswith("Torch demo agent · ")
    box = [rule, f"{PROMPT} Type a message", rule, "  ? for help"]
    assert rows[-6:] == ["» hello", "● You said: hello", *box]
    styled = pane.tmux("capture-pane", "-p", "-e", "-t", "demo:")
    assert re.search(r"\x1b\[7m \x1b\[[0;]*2m(\x1b\[[0-9;]*m)*Type a message", styled)


def test_enter_in_a_dialog_runs_the_command(pane: Pane) -> None:
    pane.ready()
    pane.paste(b"DIALOG(touch made)")
    pane.keys("Enter")
    pane.sees("❯ 1. Yes")
    pane.paste(b"no, please stop")
    pane.until(lambda: len(pane.events("paste")) == 2)
    assert not (pane.directory / "made").exists()
    pane.keys("Enter")
    pane.until(lambda: (pane.directory / "made").exists())
    pane.until(lambda: pane.events("answer"))
    assert len(pane.events("approved")) == 1


def test_a_signal_opens_a_dialog_over_text_in_the_box(pane: Pane) -> None:
    pane.ready("--dialog-command", "touch raced")
    pane.paste(b"a draft")
    pane.sees(f"{PROMPT}a draft")
    pane.signal(signal.SIGUSR1)
    pane.sees("touch raced")
    assert PROMPT not in pane.screen
    pane.keys("Escape")
    pane.until(lambda: pane.events("declined"))
    pane.sees(f"{PROMPT}a draft")
    assert not (pane.directory / "raced").exists()


def test_a_message_sent_while_working_shows_as_queued(pane: Pane) -> None:
    pane.ready()
    pane.paste(b"one DELAY(300)")
    pane.keys("Enter")
    pane.sees("esc to interrupt")
    pane.paste(b"two")
    pane.keys("C-x", "C-q")
    pane.sees("» two\n  ⎿  Queued")
    pane.sees(f"{PROMPT} Press up to edit queued messages")
    pane.signal(signal.SIGUSR2)
    pane.sees("● You said: two")
    assert pane.screen.count("» two") == 1


def test_a_crash_ends_with_the_status_asked_for(pane: Pane) -> None:
    pane.ready()
    pane.paste(b"CRASH(7)")
    pane.keys("Enter")
    pane.until(lambda: pane.dead_with(7))
    assert "Traceback" in pane.screen
    assert pane.events("exit")[0]["status"] == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_quit_is_logged_and_gives_the_usual_status(pane: Pane, number: int) -> None:
    pane.ready()
    pane.signal(number)
    pane.until(lambda: pane.dead_with(128 + number))
    assert pane.events("exit")[0]["reason"] == signal.Signals(number).name


def test_the_program_ends_and_its_last_hook_runs_when_its_pane_is_killed(pane: Pane) -> None:
    pane.ready("--hook", "cat >> hooks")
    pane.tmux("kill-session", "-t", "=demo")
    pane.until(lambda: pane.events("exit"))
    hooks = pane.directory / "hooks"  # made by the first hook, which may not have begun
    pane.until(lambda: hooks.exists() and "SessionEnd" in hooks.read_text())


def test_hooks_are_called_in_order_with_json(pane: Pane) -> None:
    pane.ready("--hook", 'cat >> hooks; echo ", \\"$MARK\\"" >> hooks', MARK="inherited")
    pane.paste(b"hello")
    pane.keys("Enter")
    pane.until(lambda: pane.events("answer"))
    pane.paste(b"/exit")
    pane.keys("Enter")
    pane.until(lambda: pane.dead_with(0))
    lines = (pane.directory / "hooks").read_text().splitlines()
    calls, marks = zip(*(json.loads(f"[{line}]") for line in lines), strict=True)
    names = [call["hook_event_name"] for call in calls]
    assert names == ["SessionStart", "UserPromptSubmit", "Stop", "SessionEnd"]
    assert set(marks) == {"inherited"}
    assert calls[1]["prompt"] == "hello"
    assert {call["session_id"] for call in calls} == {pane.events("start")[0]["session_id"]}
    assert {Path(call["cwd"]).resolve() for call in calls} == {pane.directory.resolve()}


def test_an_approved_trust_question_leads_to_the_box(pane: Pane) -> None:
    pane.ready("--trust")
    pane.sees(" ❯ 1. Yes, proceed")
    pane.keys("Enter")
    pane.sees(f"{PROMPT} Type a message")


def test_a_slow_screen_is_drawn_at_most_once_a_frame(pane: Pane) -> None:
    pane.ready("--frame", "3")
    pane.paste(b"hello")
    pane.until(lambda: pane.events("paste"))
    before, seen = pane.screen, time.time()
    started = pane.events("start")[0]["t"]
    assert f"{PROMPT}hello" not in before or seen - started >= 2.9
    pane.sees(f"{PROMPT}hello")
    assert time.time() - started >= 2.9


def test_lost_submits_leave_the_text_in_the_box(pane: Pane) -> None:
    pane.ready("--lose-submits", "1")
    pane.paste(b"hello")
    pane.keys("Enter")
    pane.until(lambda: pane.pressed("enter"))
    pane.sees(f"{PROMPT}hello")
    assert pane.raw("submit") == []
    pane.keys("Enter")
    pane.until(lambda: pane.raw("submit") == [b"hello"])


@pytest.mark.parametrize(("options", "kept"), [([], []), (["--keep-early"], [b"early"])])
def test_text_typed_before_the_start_is_dropped_unless_kept(
    pane: Pane, options: list[str], kept: list[bytes]
) -> None:
    log = pane.directory / "log"
    for delay in ("1.5", "9", "50"):  # on a busy machine it may have started before it is typed
        pane.start("--start-delay", delay, *options)
        pane.until(log.exists)
        pane.keys("-l", "early")
        typed = time.time()
        pane.until(lambda: pane.events("start"))
        if pane.events("start")[0]["t"] > typed:
            break
        pane.tmux("kill-session", "-t", "demo:")
        log.unlink()
    pane.keys("Enter")
    pane.until(lambda: pane.pressed("enter"))
    assert pane.raw("typed") == kept


def test_a_deaf_agent_reads_later_and_loses_nothing(pane: Pane) -> None:
    pane.ready()
    pane.paste(b"SLEEP(0.7) DELAY(0)")
    pane.keys("Enter")
    pane.until(lambda: pane.events("answer"))
    pane.paste(b"hello")
    pane.keys("C-x", "C-q")
    pane.until(lambda: pane.raw("submit")[1:] == [b"hello"])
    for kind in ("paste", "submit"):
        assert pane.events(kind)[1]["t"] - pane.events("submit")[0]["t"] >= 0.65


def test_rows_that_leave_the_screen_stand_once_in_the_scrollback(pane: Pane) -> None:
    pane.ready("--work", "0.01")
    for number in range(12):
        pane.paste(b"message %d." % number)
        pane.keys("C-x", "C-q")
        pane.sees(f"● You said: message {number}.")
    whole = pane.tmux("capture-pane", "-p", "-S", "-", "-t", "demo:")
    rows = [row for row in whole.splitlines() if row.startswith("» ")]
    assert rows == [f"» message {number}." for number in range(12)]


def test_a_resized_pane_is_drawn_anew(pane: Pane) -> None:
    pane.ready()
    pane.tmux("resize-window", "-t", "demo:", "-x", "33", "-y", "15")
    pane.sees("\n" + "─" * 33 + "\n")
    assert pane.screen.count(PROMPT) == 1


def test_the_terminal_is_left_as_it_was(pane: Pane) -> None:
    pane.ready("--frame", "0.05", afterwards="stty -a > modes; exec sleep 600")
    pane.keys("C-c", "C-c")
    pane.until(
        lambda: (
            pane.tmux("display-message", "-p", "-t", "demo:", "#{pane_current_command}")
            == "sleep\n"
        )
    )
    modes = (pane.directory / "modes").read_text().split()
    assert {"icanon", "echo", "icrnl", "isig"} <= set(modes)
    state = pane.tmux("display-message", "-p", "-t", "demo:", "#{cursor_flag} #{wrap_flag}")
    assert state.strip() == "1 1"
    pane.paste(b"unframed")
    pane.sees("unframed")
    assert "200~" not in pane.screen


def test_the_version_is_printed_without_a_terminal() -> None:
    command = [sys.executable, "-m", "torch_cli.demo_agent", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert done.stdout == "torch-demo-agent 1.0\n"
