"""The classifier against screens of Qwen Code, Kilo, pi, Copilot CLI, Mistral Vibe, Cline, Droid.

``screens/PROGRAM/NAME@WxH.ansi.txt`` were captured on 2026-11-29 in tmux 3.3a, from Qwen Code
0.24.4, Kilo 7.7.9 and pi 1.6.0 that talked to a stub, and on 2026-11-30 from Copilot CLI 1.0.102,
Mistral Vibe 3.0.2, Cline 3.0.65, Droid 0.215.0, and pi with its cursor ("shown"). ``facts.json``
has the cursor, the pane's title, and whether the cursor was hidden. What each shows was worked out
by eye.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captured import captured
from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile
from torch_cli.programs.state import AgentState, State
from torch_cli.tmux.screen import Row, Screen

FOLDER = Path(__file__).parent / "screens"
PROFILES = {
    name: load_profile(name, None)
    for name in ("cline", "copilot", "droid", "kilo", "pi", "qwen", "vibe")
}
FACTS = {name: json.loads((FOLDER / name / "facts.json").read_text("utf-8")) for name in PROFILES}

# Captured screen: state, rule that decides, what stands in the box (None: there is no box). Blanks
# do not count, "…" stands for what has scrolled out of sight.
SCREENS: dict[str, dict[str, tuple[str, str, str | None]]] = {
    "cline": {  # it gets no messages
        "command_menu": ("waiting", "menu", None),
        "draft": ("idle", "footer", None),
        "home": ("idle", "footer", None),
        "idle_answered": ("idle", "footer", None),
        "idle_manual": ("idle", "footer", None),
        "idle_plan": ("idle", "footer", None),
        "idle_rejected": ("idle", "footer", None),
        "offer": ("waiting", "offer", None),
        "permission": ("waiting", "permission dialog", None),
        "queued": ("working", "spinner", None),
        "slash_menu": ("waiting", "menu", None),
        "working": ("working", "spinner", None),
        "working_draft": ("working", "spinner", None),
    },
    "copilot": {
        "draft": ("idle", "box", "hello there"),
        "draft_lines": ("idle", "box", "first line second line last words"),
        "error_401": ("idle", "box", ""),
        "error_429": ("idle", "box", ""),
        "idle": ("idle", "box", ""),
        "idle_answered": ("idle", "box", ""),
        "idle_autopilot": ("idle", "box", ""),
        "idle_plan": ("idle", "box", ""),
        "idle_rejected": ("idle", "box", ""),
        "model_picker": ("waiting", "menu", None),
        "pasted_placeholder": ("idle", "box", "[Paste #1 - 15 lines]"),
        "permission": ("waiting", "permission dialog", None),
        "permission_text": ("waiting", "permission dialog", None),  # its third option takes a text
        "shell_mode": ("unknown", "shell mode", "!ls"),
        "slash_menu": ("waiting", "completion menu", "/add-dir"),
        "trust": ("waiting", "trust dialog", None),
        "working": ("working", "footer", ""),
        "working_draft": ("working", "footer", "a second one"),
    },
    "droid": {"login": ("waiting", "login", None)},
    "kilo": {
        "command_palette": ("waiting", "menu", None),
        "draft_lines": ("idle", "box", "two words and a line"),
        "draft_one_line": ("idle", "box", "hello there"),
        "error_401": ("idle", "box", ""),
        "error_429": ("working", "retrying", ""),
        "exited": ("exited", "exited", None),
        "home": ("idle", "box", ""),
        "home_draft": ("idle", "box", "half a tho"),
        "idle": ("idle", "box", ""),
        "idle_ask": ("idle", "box", ""),
        "idle_debug": ("idle", "box", ""),
        "idle_orchestrator": ("idle", "box", ""),
        "idle_plan": ("idle", "box", ""),
        "idle_rejected": ("idle", "box", ""),
        "model_picker": ("waiting", "menu", None),
        "pasted_placeholder": ("idle", "box", "[Pasted ~9 lines]"),
        "permission": ("waiting", "permission dialog", None),
        "permission_always": ("waiting", "permission dialog", None),
        "permission_reason": ("waiting", "dialog", None),
        "permission_reason_typed": ("waiting", "dialog", None),
        "queued": ("working", "footer", ""),
        "shell_mode": ("unknown", "shell mode", "ls"),
        "slash_menu": ("waiting", "completion menu", "/"),
        "working": ("working", "footer", ""),
        "working_draft": ("working", "footer", "more"),
    },
    "pi": {  # where the cursor does not show, its box cannot be told from other things
        "draft": ("idle", "footer", None),
        "error_401": ("idle", "footer", None),
        "idle": ("idle", "footer", None),
        "model_picker": ("waiting", "menu", None),
        "queued": ("working", "rule of the box", None),
        "settings_dialog": ("waiting", "menu", None),
        "shown_answered": ("idle", "box", ""),
        "shown_at_menu": ("idle", "box", "@"),
        "shown_draft": ("idle", "box", "hello there"),
        "shown_draft_lines": ("idle", "box", "first line second line last words"),
        "shown_editor": ("waiting", "field for a text", None),
        "shown_field": ("waiting", "field for a text", None),
        "shown_idle": ("idle", "box", ""),
        "shown_model_picker": ("waiting", "menu", None),
        "shown_pasted": ("idle", "box", "[paste #1 +15 lines]"),
        "shown_question": ("waiting", "question dialog", None),
        "shown_queued": ("working", "rule of the box", ""),
        "shown_settings": ("waiting", "menu", None),
        "shown_slash_menu": ("waiting", "menu", None),
        "shown_tall": ("idle", "box", "… word word end"),
        "shown_working": ("working", "rule of the box", ""),
        "shown_working_tall": ("working", "rule of the box", "… word word end"),
        "working": ("working", "rule of the box", None),
    },
    "qwen": {
        "at_menu": ("idle", "box", "@"),
        "auth_dialog": ("waiting", "menu", None),
        "done": ("idle", "box", ""),
        "done_quoting_box": ("idle", "box", ""),
        "done_quoting_dialog": ("idle", "box", ""),
        "done_quoting_status": ("idle", "box", ""),
        "draft_home": ("idle", "box", "run the tests"),  # its cursor was moved to the beginning
        "draft_lines": ("idle", "box", "first line third line"),
        "draft_one_line": ("idle", "box", "hello there"),
        "draft_tall": ("idle", "box", "… wrap wrap end"),
        "draft_wrapped": ("idle", "box", "wrap " * 60 + "end"),
        "error_400": ("idle", "box", ""),
        "error_401": ("idle", "box", ""),
        "error_429": ("working", "footer", ""),
        "error_500": ("working", "footer", ""),
        "idle_accept_edits": ("idle", "box", ""),
        "idle_auto": ("idle", "box", ""),
        "idle_new": ("idle", "box", ""),
        "idle_plan": ("idle", "box", ""),
        "idle_yolo": ("idle", "box", ""),
        "interrupted": ("idle", "box", "more to come"),  # what was queued comes back as a draft
        "model_picker": ("waiting", "menu", None),
        "pasted_characters": ("idle", "box", "[Pasted Content 1500 chars]"),
        "pasted_lines": ("idle", "box", "[Pasted Content 470 chars]"),
        "permission": ("waiting", "permission dialog", None),
        "permission_after_esc": ("idle", "box", ""),
        "permission_edit": ("waiting", "permission dialog", None),
        "permission_second": ("waiting", "permission dialog", None),
        "plan": ("waiting", "plan dialog", None),
        "question": ("waiting", "question dialog", None),
        "question_many": ("waiting", "menu", None),
        "question_review": ("waiting", "menu", None),
        "question_typed": ("waiting", "question dialog", None),
        "queued": ("working", "footer", ""),
        "queued_draft": ("working", "footer", "third"),
        "queued_no_hint": ("working", "footer", ""),
        "settings_dialog": ("waiting", "menu", None),
        "shell_mode": ("idle", "box", "!ls"),
        "shell_mode_empty": ("idle", "box", "!"),
        "shortcuts": ("idle", "box", ""),
        "slash_menu": ("idle", "box", "/"),
        "starting": ("starting", "initializing", None),
        "suggestion": ("idle", "box", ""),  # what a person might write next
        "trust_dialog": ("waiting", "trust dialog", None),
        "working": ("working", "footer", ""),
        "working_draft": ("working", "footer", "more to come"),
    },
    "vibe": {
        "draft": ("idle", "box", "hello there"),
        "draft_lines": ("idle", "box", "first line second line last words"),
        "error_401": ("idle", "box", ""),
        "idle": ("idle", "box", ""),
        "idle_answered": ("idle", "box", ""),
        "idle_ask": ("idle", "box", ""),
        "idle_auto_approve": ("idle", "box", ""),
        "model_picker": ("waiting", "menu", None),
        "pasted_placeholder": ("idle", "box", "[Pasted 110 characters]"),
        "permission": ("waiting", "permission dialog", None),
        "queued": ("working", "spinner", ""),
        "shell_mode": ("unknown", "shell mode", "!ls"),
        "slash_menu": ("waiting", "completion menu", "/"),
        "working": ("working", "spinner", ""),
        "working_draft": ("working", "spinner", "a second one"),
    },
}
DIALOGS = {
    ("cline", "permission"): ("permission", "", "Approve tool call?"),
    ("copilot", "permission"): ("permission", "digit", "│ Do you want to run this command?"),
    ("copilot", "permission_text"): ("permission", "digit", "│ Do you want to run this command?"),
    ("copilot", "trust"): ("trust", "digit", "│ Do you trust the files in this folder?"),
    ("kilo", "permission"): ("permission", "", "△ Permission required"),
    ("kilo", "permission_always"): ("permission", "", "△ Always allow"),
    ("kilo", "permission_reason"): ("question", "", "△ Reject permission"),
    ("kilo", "permission_reason_typed"): ("question", "", "△ Reject permission"),
    ("qwen", "permission"): ("permission", "digit", "Allow execution of: 'touch'?"),
    ("qwen", "permission_second"): ("permission", "digit", "Allow execution of: 'touch'?"),
    ("qwen", "permission_edit"): ("permission", "digit", "Apply this change?"),
    ("qwen", "plan"): ("plan", "", "Would you like to proceed?"),
    ("qwen", "question"): ("question", "arrows", "Which colour?"),
    ("qwen", "question_many"): ("menu", "", "Which colours?"),
    ("qwen", "trust_dialog"): ("trust", "digit", "│ Do you trust this folder?"),
}
MODES = {
    ("copilot", "idle"): "interactive",
    ("copilot", "idle_autopilot"): "autopilot",
    ("copilot", "idle_plan"): "plan",
    ("kilo", "idle"): "code",
    ("kilo", "idle_ask"): "ask",
    ("kilo", "idle_debug"): "debug",
    ("kilo", "idle_orchestrator"): "orchestrator",
    ("kilo", "idle_plan"): "plan",
    ("qwen", "idle_accept_edits"): "accept-edits",
    ("qwen", "idle_auto"): "auto",
    ("qwen", "idle_new"): "manual",
    ("qwen", "idle_plan"): "plan",
    ("qwen", "idle_yolo"): "yolo",
}
NAMES = [(program, name) for program in PROFILES for name in FACTS[program]]


def load(program: str, name: str) -> Screen:
    return captured(FOLDER / program, name, FACTS[program][name])


def look(program: str, name: str) -> AgentState:
    return classify(load(program, name), PROFILES[program])


@pytest.mark.parametrize("program", PROFILES)
def test_every_captured_screen_has_its_facts_and_is_in_the_table(program: str) -> None:
    files = {path.name.removesuffix(".ansi.txt") for path in (FOLDER / program).glob("*.ansi.txt")}
    assert files == set(FACTS[program])
    assert {name.partition("@")[0] for name in files} == set(SCREENS[program])


@pytest.mark.parametrize(("program", "name"), NAMES)
def test_a_captured_screen_reads_as_what_it_shows(program: str, name: str) -> None:
    base = name.partition("@")[0]
    state, rule, text = SCREENS[program][base]
    found = look(program, name)
    assert (found.state, found.rule) == (state, rule), (found.evidence, load(program, name).text)
    assert (found.dialog is not None) == (state == "waiting")
    assert found.queued == ("queued" in base and text is not None)
    if text is None:
        assert found.box is None
        return
    assert found.box is not None
    shown = "".join(found.box.text.split())
    if text.startswith("… "):
        assert found.box.scrolled
        assert shown.endswith("".join(text[2:].split()))
    else:
        assert shown == "".join(text.split())


@pytest.mark.parametrize(
    ("program", "name"), [(p, n) for p, n in NAMES if (p, n.partition("@")[0]) in DIALOGS]
)
def test_a_dialog_is_named_by_its_question(program: str, name: str) -> None:
    dialog = look(program, name).dialog
    assert dialog is not None
    assert (dialog.kind, dialog.choose, dialog.question) == DIALOGS[program, name.partition("@")[0]]


def test_a_dialogs_hash_does_not_see_the_scroll_bar_beside_it() -> None:
    """It goes after a moment: an answer to the dialog that was seen is still one to this."""
    screen = load("qwen", "permission@120x40")
    rows = [
        Row.plain(f"{row.text:119}{'█' if at % 2 else '│'}") for at, row in enumerate(screen.rows)
    ]
    beside = classify(screen._replace(rows=tuple(rows)), PROFILES["qwen"]).dialog
    found = look("qwen", "permission@120x40").dialog
    second = look("qwen", "permission_second@120x40").dialog
    assert found is not None
    assert beside is not None
    assert second is not None
    assert found.hash == beside.hash != second.hash


@pytest.mark.parametrize(
    ("program", "name"), [(p, n) for p, n in NAMES if (p, n.partition("@")[0]) in MODES]
)
def test_the_mode_is_read_from_the_footer(program: str, name: str) -> None:
    assert look(program, name).mode == MODES[program, name.partition("@")[0]]


ASCII = ("command_palette", "model_picker", "error_429")
"""What Kilo shows with words enough that every terminal has."""


@pytest.mark.parametrize(
    ("program", "name"), [(p, n) for p, n in NAMES if p not in ("cline", "droid", "pi")]
)
def test_a_screen_read_without_utf8_is_never_taken_for_ready(program: str, name: str) -> None:
    screen = load(program, name)
    lines = [re.sub(r"[^\x00-\x7f]", "_", line) for line in screen.lines]
    shown = Screen.parse("\n".join(lines), width=screen.width, height=screen.height)
    found = classify(shown, PROFILES[program])
    known = program == "kilo" and name.partition("@")[0] in ASCII
    more = (State.WAITING, State.WORKING) if known else ()
    assert found.state in (State.UNKNOWN, State.STARTING, State.EXITED, *more)


TRAPS = {
    "qwen": [
        *("  > a message", "   › 1. Yes, allow once", "   Allow execution of: 'touch'?", "> box"),
        *("─" * 80, "    .. Working (3s · esc to cancel)", "  ◆︎ OK.", "", "  ? Shell touch x ←"),
        *("   │ › 1. Trust folder (work)", "    Enter to steer · Ctrl+Q to queue"),
    ],
}
BOXES = {
    "qwen": [
        *("", "─" * 80, ">   Type your message or @path/to/file", "─" * 80),
        *("  ➜ work · some-model", "  ⏸ Ask permissions (shift + tab to cycle)"),
    ],
}


@pytest.mark.parametrize("program", TRAPS)
@given(data=st.data())
def test_nothing_that_stands_above_a_box_makes_it_a_dialog(
    program: str, data: st.DataObject
) -> None:
    above = data.draw(st.lists(st.sampled_from(TRAPS[program]), max_size=20))
    rows = [*above, *BOXES[program]]
    screen = Screen.parse("\n".join(rows), width=80, height=len(rows))
    found = classify(screen, PROFILES[program])
    assert found.state is State.IDLE, found.evidence
    assert found.box is not None
    assert found.box.empty


@pytest.mark.parametrize("program", TRAPS)
@given(data=st.data())
def test_a_menu_is_never_taken_for_a_box(program: str, data: st.DataObject) -> None:
    above = data.draw(st.lists(st.sampled_from(TRAPS[program]), max_size=20))
    dialog = load(program, "permission@120x40")
    rows = [*above, "", *(line for line in dialog.lines if line)]
    found = classify(Screen.parse("\n".join(rows), width=120, height=len(rows)), PROFILES[program])
    assert found.state is State.WAITING
    assert found.box is None


def test_a_draft_that_does_not_show_is_told_by_the_cursor() -> None:
    """Copilot CLI draws the lines of frames in its box as blanks, and sends them."""
    empty = load("copilot", "idle@80x24")
    column, line = empty.cursor
    found = classify(empty._replace(cursor=(column + 30, line)), PROFILES["copilot"])
    assert found.box is not None
    assert not found.box.empty


def test_only_the_rows_that_a_box_has_anyway_are_no_draft() -> None:
    """A person who has begun a line below has written something."""
    screen = load("vibe", "idle@80x24")
    first = next(at for at, row in enumerate(screen.rows) if row.text == ">")
    rows = list(screen.rows)
    blank = classify(screen, PROFILES["vibe"])
    assert blank.box is not None
    assert (blank.box.empty, len(blank.box.rows)) == (True, 3)
    rows[first - 2 : first] = []
    rows[first + 1 : first + 1] = [Row.plain(""), Row.plain("")]
    five = classify(screen._replace(rows=tuple(rows)), PROFILES["vibe"])
    assert five.box is None or not five.box.empty
