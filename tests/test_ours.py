"""Whose text stands in the box: what Torch typed is finished, what a person pasted stays."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, SOURCE, TMUX_VERSION, TmuxServer, Torch, accept_profiles
from test_attach import terminal
from test_delivery_faults import (
    DIE,
    DIE_AFTER_THE_KEY,
    DIE_AFTER_THE_PASTE,
    STOCK,
    send_with,
    type_as_a_person,
)
from torch_cli.delivery.drain import drain_once, is_left
from torch_cli.delivery.evidence import Baseline
from torch_cli.delivery.ours import holds, is_ours
from torch_cli.delivery.text import prepare
from torch_cli.errors import RefusedError
from torch_cli.pane_id import PaneId
from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile
from torch_cli.programs.state import Box
from torch_cli.store import Store
from torch_cli.store.messages import Message
from torch_cli.tmux.screen import Screen

CLAUDE = load_profile("claude", None)
OPENCODE = load_profile("opencode", None)
TEXT = "\n".join(f"line {number} of a message" for number in range(5))
DRAFT = "\n".join(f"line {number} of a draft" for number in range(5))
"""As many lines as the message has: their placeholders differ in the number only."""

QUOTES = "K115q [Pasted text #1 +3 lines] q115E"
DIE_WHEN_SEEN = DIE.replace("attempting", "seen")

DIALOG_AT_THE_PASTE = """
paste = gate.paste
def pasted(*a, **k):
    os.kill(int(os.environ["PROGRAM"]), signal.SIGUSR1)
    while "proceed?" not in tmux("capture-pane", "-p", "-t", os.environ["PANE"]):
        pass
    return gate.GateOutcome(True)
gate.paste = pasted
"""
"""The dialog takes the paste, and nothing of it reaches the box."""


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def paste_as_a_person(demo: DemoAgent, text: str, shown: str) -> None:
    demo.tmux.cmd("set-buffer", "-b", "person", "--", text)
    demo.tmux.cmd("paste-buffer", "-p", "-r", "-d", "-b", "person", "-t", demo.pane.id)
    demo.tmux.wait_for_text(demo.pane, shown)


def clear_the_box(demo: DemoAgent) -> None:
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "C-u")
    demo.tmux.wait_until(lambda: "Type a message" in demo.screen(), "an empty box")


def latest(number: int = 0) -> Message:
    with Store() as store:
        return store.messages.latest(limit=number + 1)[number]


# -- placeholders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_tick", [False, True])
def test_a_persons_paste_is_not_submitted_for_a_message_that_was_never_pasted(
    demo: DemoAgent, by_tick: bool
) -> None:
    assert send_with(demo, TEXT, DIE).returncode == -signal.SIGKILL
    paste_as_a_person(demo, DRAFT, "[Pasted text #1 +4 lines]")
    if by_tick:
        assert demo.torch("tick").code == 0
    else:
        held = demo.send("next", "--timeout", "1")
        assert (held.code, held.json["state"]) == (4, "held"), held
        assert "draft: a person's text" in held.json["reason"]
    assert demo.submitted() == []
    clear_the_box(demo)
    assert demo.send("last").code == 0
    assert demo.submitted() == [TEXT, *([] if by_tick else ["next"]), "last"]


@pytest.mark.parametrize("by_tick", [False, True])
def test_a_persons_paste_is_not_submitted_for_a_message_that_nobody_saw_come(
    demo: DemoAgent, by_tick: bool
) -> None:
    assert send_with(demo, TEXT, DIE_AFTER_THE_PASTE).returncode == -signal.SIGKILL
    demo.tmux.wait_for_text(demo.pane, "[Pasted text #1 +4 lines]")
    clear_the_box(demo)
    paste_as_a_person(demo, DRAFT, "[Pasted text #2 +4 lines]")
    if by_tick:
        assert demo.torch("tick").code == 0
    else:
        held = demo.send("next", "--timeout", "1")
        assert (held.code, held.json["state"]) == (4, "held"), held
        assert "press Enter there or clear the box" in held.json["reason"]
    assert demo.submitted() == []
    clear_the_box(demo)
    assert demo.send("last").code == 0
    assert demo.submitted() == (["last"] if by_tick else ["next", "last"])
    with Store() as store:
        killed = store.messages.latest(limit=9)[-1]
    assert (killed.body, killed.state) == (TEXT, "unknown")


@pytest.mark.parametrize("text", ["of one line", TEXT])
def test_what_was_left_is_not_finished_where_the_box_may_be_anothers(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, text: str
) -> None:
    """A person has opened something else in the pane, whose box looks the same."""
    profiles = Path(os.environ["TORCH_HOME"]) / "config/profiles"
    profiles.mkdir(parents=True)
    rule = 'state = "unknown"\nname = "elsewhere"\nwhere = "title"\nmatch = "elsewhere"\n'
    stock = (STOCK / "demo.toml").read_text()
    (profiles / "demo.toml").write_text(
        stock.replace("[[rules]]", f"[[rules]]\n{rule}box = true\n\n[[rules]]", 1)
    )
    accept_profiles()
    demo = spawn_demo(tmux, torch, tmp_path / "project")
    assert send_with(demo, text, DIE_WHEN_SEEN).returncode == -signal.SIGKILL
    tmux.cmd("select-pane", "-t", demo.pane.id, "-T", "elsewhere")
    held = demo.send("next", "--timeout", "1")
    assert (held.code, held.json["state"]) == (4, "held"), held
    assert "elsewhere" in held.json["reason"]
    assert demo.torch("tick").code == 0
    assert demo.submitted() == []
    tmux.cmd("select-pane", "-t", demo.pane.id, "-T", "here")
    assert demo.send("last").code == 0
    assert demo.submitted() == [text, "next", "last"]


def test_a_placeholder_that_was_seen_is_finished_and_another_is_not(demo: DemoAgent) -> None:
    assert send_with(demo, TEXT, DIE_WHEN_SEEN).returncode == -signal.SIGKILL
    assert demo.send("next").code == 0
    assert demo.submitted() == [TEXT, "next"]
    assert send_with(demo, TEXT, DIE_WHEN_SEEN).returncode == -signal.SIGKILL
    clear_the_box(demo)
    paste_as_a_person(demo, DRAFT, "[Pasted text #3 +4 lines]")
    held = demo.send("last", "--timeout", "1")
    assert (held.code, held.json["state"]) == (4, "held"), held
    assert demo.submitted() == [TEXT, "next"]
    assert latest(1).state == "unknown"


def test_a_paste_after_a_declined_dialog_is_not_taken_for_the_message(demo: DemoAgent) -> None:
    done = send_with(demo, TEXT, DIALOG_AT_THE_PASTE)
    assert done.returncode == 4, done
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "Escape")
    demo.tmux.wait_for_text(demo.pane, "Type a message")
    paste_as_a_person(demo, DRAFT, "[Pasted text #1 +4 lines]")
    held = demo.send("next", "--timeout", "1")
    assert (held.code, held.json["state"]) == (4, "held"), held
    assert demo.submitted() == []


def test_the_number_of_another_program_in_the_pane_proves_nothing(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    log = tmp_path / "shell.log"
    command = f"{sys.executable} -m torch_cli.demo_agent --log {log}"
    pane = tmux.new_session("shell", f"sh -c 'set -m; {command}; {command}'")
    tmux.wait_for_text(pane, "for help")
    profiles = Path(os.environ["TORCH_HOME"]) / "config/profiles"
    profiles.mkdir(parents=True)
    stock, name = (STOCK / "demo.toml").read_text(), tmux.pane(pane.id).command
    (profiles / "demo.toml").write_text(
        stock.replace('names = ["torch-demo-agent"]', f'names = ["{name}"]')
    )
    accept_profiles()
    demo = DemoAgent(tmux, torch, pane.id, pane, log, tmp_path)
    assert send_with(demo, TEXT, DIE_WHEN_SEEN).returncode == -signal.SIGKILL
    tmux.cmd("send-keys", "-t", pane.id, "C-u", "C-d")
    tmux.wait_until(lambda: len(demo.events("start")) == 2, "the second program")
    tmux.wait_for_text(pane, "Type a message")
    paste_as_a_person(demo, DRAFT, "[Pasted text #1 +4 lines]")
    held = demo.send("next", "--timeout", "1")
    assert (held.code, held.json["state"]) == (4, "held"), held
    assert demo.submitted() == []


def shown(*rows: str) -> Box:
    rule = "─" * 60
    body = [f"❯\u00a0{rows[0]}", *(f"  {row}" for row in rows[1:])]
    lines = ["● OK.", "", rule, *body, rule, "  ⏸ manual mode on"]
    box = classify(Screen.parse("\n".join(lines), width=60, height=24), CLAUDE).box
    assert box is not None
    return box


@pytest.mark.parametrize(
    ("placeholder", "lines", "ours"),
    [
        ("[Pasted text #7 +1 lines]", 2, True),  # in 10 rows or fewer
        ("[Pasted text #7 +2 lines]", 3, True),  # in 11
        ("[Pasted text #7 +3 lines]", 4, True),
        ("[Pasted text #7 +3 lines]", 5, False),
        ("[Pasted text #7]", 4, False),
        ("[Pasted text #7]", 1, False),  # too short to be shown so anywhere
    ],
)
def test_a_placeholder_is_ours_by_its_lines_whatever_the_panes_height(
    placeholder: str, lines: int, ours: bool
) -> None:
    typed = "\n".join(["a line"] * lines)
    assert is_ours(shown(placeholder), typed, Baseline(), CLAUDE, pasted=True) is ours
    assert is_ours(shown(placeholder), typed, Baseline(chip=7), CLAUDE, pasted=False) is ours
    assert not is_ours(shown(placeholder), typed, Baseline(), CLAUDE, pasted=False)
    assert not is_ours(shown(placeholder), typed, Baseline(chip=6), CLAUDE, pasted=True)
    assert not is_ours(shown(f"{placeholder} b"), typed, Baseline(chip=7), CLAUDE, pasted=True)


@pytest.mark.parametrize("text", ["\N{ROCKET}" * 501, "x" + "\tx" * 201])
def test_a_placeholder_is_ours_though_the_program_counts_more_characters(text: str) -> None:
    """pi counts as JavaScript does, and a tab as the four spaces that become of it."""
    profile = load_profile("pi", None)
    box = Box(0, 0, ("[paste #1 1002 chars]",), "[paste #1 1002 chars]", "", (1,))
    assert is_ours(box, text, Baseline(), profile, pasted=True)
    assert not is_ours(box, text[:100], Baseline(), profile, pasted=True)


def test_a_placeholder_without_a_number_is_ours_only_to_who_pasted_it() -> None:
    box = Box(0, 0, ("┃ [Pasted ~3 lines]",), "[Pasted ~3 lines]", placeholders=(3,))
    assert is_ours(box, "a\nb\nc", Baseline(), OPENCODE, pasted=True)
    assert not is_ours(box, "a\nb\nc", Baseline(), OPENCODE, pasted=False)
    assert holds(box, "a\nb\nc", Baseline(), OPENCODE)
    assert not holds(box, "a\nb\nc\nd", Baseline(), OPENCODE)


# -- texts that quote one --------------------------------------------------------------------------


def test_a_text_that_quotes_a_placeholder_arrives(demo: DemoAgent) -> None:
    assert demo.send(QUOTES).json["state"] == "confirmed"
    assert send_with(demo, f"again {QUOTES}", DIE_WHEN_SEEN).returncode == -signal.SIGKILL
    assert demo.send(TEXT).json["state"] == "confirmed"  # shows with the number that is quoted
    assert demo.submitted() == [QUOTES, f"again {QUOTES}", TEXT]


def test_a_placeholder_that_is_quoted_is_not_a_paste() -> None:
    box = shown(QUOTES)
    assert is_ours(box, QUOTES, Baseline(), CLAUDE, pasted=False)
    assert not is_ours(box, "a\nb\nc\nd", Baseline(), CLAUDE, pasted=True)


def test_a_text_that_is_only_a_placeholder_is_refused() -> None:
    with pytest.raises(RefusedError, match="in place of pasted text") as refused:
        prepare("[Pasted text #1 +3 lines]", CLAUDE)
    assert refused.value.code == "placeholder"
    assert prepare("see [Pasted text #1 +3 lines]", CLAUDE).changes == ()


# -- a text that came back -------------------------------------------------------------------------


def test_a_message_that_stands_in_the_box_again_is_named_and_not_submitted(
    demo: DemoAgent,
) -> None:
    """A program that is interrupted before its first word puts the message back."""
    first = demo.send("please do it").json
    demo.wait_for("idle")
    type_as_a_person(demo, "please do it")
    held = demo.send("next", "--timeout", "1")
    assert (held.code, held.json["state"]) == (4, "held"), held
    assert f"the text of message {first['id']}, which is confirmed" in held.json["reason"]
    assert demo.torch("tick").code == 0
    assert first["id"] in latest().reason
    assert demo.submitted() == ["please do it"]
    clear_the_box(demo)
    assert demo.send("last").code == 0
    assert demo.submitted() == ["please do it", "next", "last"]


def test_a_message_that_went_out_and_came_back_is_not_sent_twice(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Its sender was killed after the key, and nothing but the screen shows that it went out."""
    log = tmp_path / "bare.log"
    pane = tmux.new_session("bare", f"{sys.executable} -m torch_cli.demo_agent --log {log}")
    tmux.wait_for_text(pane, "for help")
    assert torch("adopt", pane.id, "bare", "--profile", "demo").code == 0
    bare = DemoAgent(tmux, torch, "bare", pane, log, tmp_path)
    assert send_with(bare, "please do it", DIE_AFTER_THE_KEY).returncode == -signal.SIGKILL
    tmux.wait_until(lambda: bare.submitted() == ["please do it"], "the message")
    bare.wait_for("idle")
    tmux.cmd("send-keys", "-t", pane.id, "-l", "please do it")
    tmux.wait_until(lambda: "\u00a0please do it" in bare.screen(), "the message in the box")
    held = bare.send("next", "--timeout", "1")
    assert (held.code, held.json["state"]) == (4, "held"), held
    assert "the text of message" in held.json["reason"]
    assert latest(1).state == "submitted"
    assert bare.submitted() == ["please do it"]


@contextlib.contextmanager
def typing_into(pane: PaneId) -> Iterator[None]:
    """Have another process hold the right to type into ``pane``, as a sender that waits there."""
    code = (
        "import sys; from torch_cli.delivery.lock import pane_lock\n"
        "with pane_lock(*sys.argv[1:], 'm-other', 60.0): print('held', flush=True); input()"
    )
    words = [sys.executable, "-c", code, pane.server, pane.pane]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.stdin.write(b"\n")
        holder.stdin.close()
        assert holder.wait(PATIENCE) == 0


def test_people_at_tmux_see_once_what_was_left_in_a_box(demo: DemoAgent) -> None:
    assert send_with(demo, "hello", DIE_WHEN_SEEN).returncode == -signal.SIGKILL
    type_as_a_person(demo, " and more")
    drain_once(time.time(), time.monotonic() + PATIENCE)
    left = latest()
    assert (left.state, left.step) == ("held", "seen")
    with terminal(demo.tmux, "agents") as (_, screen):
        with typing_into(left.at):
            assert not is_left(left), "it is on its way: a sender works at it"
        assert is_left(left)
        drawn = b""
        while b"for help" not in drawn:  # its first drawing may hide what is shown meanwhile
            assert select.select([screen], [], [], PATIENCE)[0], drawn
            drawn += os.read(screen, 65536)
        drain_once(time.time(), time.monotonic() + PATIENCE)
        told = f"{left.id} to demo was left in the box".encode()
        seen = b"" if TMUX_VERSION >= (3, 3) else told
        while told not in seen:
            assert select.select([screen], [], [], PATIENCE)[0], seen
            seen += os.read(screen, 65536)
    assert latest().updated == left.updated, "nothing is written down while nothing changes"
    assert demo.submitted() == []
