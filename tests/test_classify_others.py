"""The classifier against screens of opencode and aider.

``screens/PROGRAM/NAME@WxH.ansi.txt`` were captured from opencode 1.18.33 and aider 0.86.2 in tmux
3.3a on 2026-11-23; ``cursors.json`` holds the cursor of each: column, row, and whether it shows.
What each shows was worked out by eye.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AgentState, HookEvent, State
from torch_cli.tmux.screen import Row, Screen

FOLDER = Path(__file__).parent / "screens"
PROFILES = {name: load_profile(name, None) for name in ("opencode", "aider")}
CURSORS: dict[str, dict[str, list[int]]] = {
    name: json.loads((FOLDER / name / "cursors.json").read_text()) for name in PROFILES
}

# Program, captured screen: state, rule that decides, what stands in the box (None: no box).
# Line breaks that the width makes count as blanks; "…" stands for the text of a tall draft.
SCREENS: dict[tuple[str, str], tuple[str, str, str | None]] = {
    ("opencode", "at_menu"): ("waiting", "completion menu", "see @READ"),
    ("opencode", "command_palette"): ("waiting", "menu", None),
    ("opencode", "draft_lines"): ("idle", "box", "two words\nand a line"),
    ("opencode", "draft_one_line"): ("idle", "box", "hello there"),
    ("opencode", "draft_wrapped"): ("idle", "box", "wrap " * 25 + "end"),
    ("opencode", "error_400"): ("idle", "box", ""),
    ("opencode", "error_401"): ("idle", "box", ""),
    ("opencode", "error_429"): ("working", "retrying", ""),
    ("opencode", "error_500"): ("working", "retrying", ""),
    ("opencode", "error_529"): ("working", "retrying", ""),
    ("opencode", "exited"): ("exited", "exited", None),
    ("opencode", "home"): ("idle", "box", ""),
    ("opencode", "home_draft"): ("idle", "box", "half a tho"),
    ("opencode", "idle"): ("idle", "box", ""),
    ("opencode", "idle_plan"): ("idle", "box", ""),
    ("opencode", "idle_quoting"): ("idle", "box", ""),
    ("opencode", "idle_rejected"): ("idle", "box", ""),
    ("opencode", "interrupted"): ("idle", "box", ""),
    ("opencode", "interrupting"): ("working", "footer", ""),
    ("opencode", "pasted_placeholder"): ("idle", "box", "[Pasted ~3 lines]"),
    ("opencode", "permission"): ("waiting", "permission dialog", None),
    ("opencode", "permission_always"): ("waiting", "permission dialog", None),
    ("opencode", "permission_outside"): ("waiting", "permission dialog", None),
    ("opencode", "permission_queued"): ("waiting", "permission dialog", None),
    ("opencode", "permission_second"): ("waiting", "permission dialog", None),
    # What the model asks (2026-11-29); at 40 columns the row that tells them apart is two rows.
    ("opencode", "question"): ("waiting", "question dialog|menu", None),
    ("opencode", "question_many"): ("waiting", "dialog|menu", None),
    ("opencode", "question_review"): ("waiting", "dialog", None),
    ("opencode", "question_typed"): ("waiting", "dialog|menu", None),
    ("opencode", "queued"): ("working", "footer", ""),
    ("opencode", "shell_mode"): ("unknown", "shell mode", "ls"),
    ("opencode", "slash_menu"): ("waiting", "completion menu", "/"),
    ("opencode", "starting"): ("starting", "blank", None),
    ("opencode", "working"): ("working", "footer", ""),
    ("opencode", "working_draft"): ("working", "footer", "more"),
    ("aider", "completions"): ("idle", "box", "REA"),
    ("aider", "draft_lines"): ("idle", "box", "two words\n\nand a line"),
    ("aider", "draft_lines_up"): ("idle", "box", "two words\n\nand a line"),
    ("aider", "draft_one_line"): ("idle", "box", "half a tho"),
    ("aider", "draft_tall"): ("idle", "box", "…"),
    ("aider", "draft_wrapped"): ("idle", "box", "wrap " * 50 + "end"),
    ("aider", "error_400"): ("idle", "API error", ""),
    # At 40 columns the error's first row is further away: "box" there.
    ("aider", "error_401"): ("idle", "API error|box", ""),
    ("aider", "error_429"): ("working", "waiting for the model|no prompt", None),
    ("aider", "exited"): ("dead", "dead", None),
    ("aider", "file_question"): ("waiting", "question", None),
    ("aider", "idle_after_ctrl_c"): ("idle", "box", ""),
    ("aider", "idle_ask"): ("idle", "box", ""),
    ("aider", "idle_declined"): ("idle", "box", ""),
    ("aider", "idle_new"): ("idle", "box", ""),
    ("aider", "idle_quoting"): ("idle", "box", ""),
    ("aider", "idle_widened"): ("idle", "box", ""),
    ("aider", "idle_with_file"): ("idle", "box", ""),
    ("aider", "multiline_mode"): ("unknown", "multi-line mode", ""),
    ("aider", "reverse_search"): ("unknown", "search", None),
    # The answered question above a new message was taken for an open one (2026-11-29).
    ("aider", "sent_after_no"): ("working", "no prompt", None),
    ("aider", "working_after_no"): ("working", "waiting for the model", None),
    ("aider", "shell_question"): ("waiting", "question", None),
    ("aider", "shell_question_typed"): ("waiting", "question", None),
    ("aider", "starting1"): ("starting", "banner|blank", None),
    ("aider", "starting2"): ("starting", "banner", None),
    ("aider", "typed_ahead"): ("idle", "box", "typed meanwhile"),
    ("aider", "url_question"): ("waiting", "question", None),
    ("aider", "working"): ("working", "waiting for the model", None),
    ("aider", "working_typed"): ("working", "waiting for the model", None),
}
QUESTIONS = {
    "permission": "△ Permission required",
    "permission_always": "△ Always allow",
    "permission_outside": "△ Permission required",
    "permission_second": "△ Permission required",
    "file_question": "Add file to the chat?",
    "shell_question": "Run shell command?",
    "url_question": "Add URL to the chat?",
}
FILES = sorted(
    (program, path.name.removesuffix(".ansi.txt"))
    for program in PROFILES
    for path in (FOLDER / program).glob("*.ansi.txt")
)


def load(program: str, name: str) -> Screen:
    size = re.search(r"@(\d+)x(\d+)$", name)
    assert size is not None
    column, line, shows = CURSORS[program][name]
    return Screen.parse(
        (FOLDER / program / f"{name}.ansi.txt").read_text("utf-8"),
        width=int(size[1]),
        height=int(size[2]),
        cursor=(column, line),
        cursor_visible=bool(shows),
        dead=program == "aider" and name.startswith("exited"),
    )


def look(program: str, name: str, hook: HookEvent | None = None) -> AgentState:
    return classify(load(program, name), PROFILES[program], hook)


def test_every_captured_screen_is_in_the_table() -> None:
    assert {(program, name.partition("@")[0]) for program, name in FILES} == set(SCREENS)


@pytest.mark.parametrize(("program", "name"), FILES)
def test_a_captured_screen_reads_as_what_it_shows(program: str, name: str) -> None:
    base = name.partition("@")[0]
    state, rule, text = SCREENS[program, base]
    found = look(program, name)
    assert found.state == state, (found.evidence, load(program, name).text)
    assert found.rule in rule.split("|"), found.evidence
    assert (found.dialog is not None) == (state == "waiting")
    assert found.queued == (base == "queued")
    if text is None:
        assert found.box is None
        return
    assert found.box is not None
    assert found.box.empty == (text == "")
    assert found.box.scrolled == (text == "…")
    if text != "…":
        assert "".join(found.box.text.split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("program", "name"), [one for one in FILES if one[1].partition("@")[0] in QUESTIONS]
)
def test_a_dialog_is_named_by_its_question(program: str, name: str) -> None:
    dialog = look(program, name).dialog
    assert dialog is not None
    assert dialog.question == QUESTIONS[name.partition("@")[0]]
    assert dialog.kind == "permission"


@pytest.mark.parametrize("size", ["120x40", "80x24"])
@pytest.mark.parametrize(
    ("name", "choose"), [("question", "digit"), ("question_many", ""), ("question_typed", "")]
)
def test_only_a_question_with_one_answer_takes_a_digit(name: str, choose: str, size: str) -> None:
    """Where several may be chosen a digit ticks one, and in an answer it is a letter of it."""
    dialog = look("opencode", f"{name}@{size}").dialog
    assert dialog is not None
    assert dialog.question == "Which database should the demo use?"
    assert (dialog.kind, dialog.choose) == ("question", choose)
    assert not any("▣" in row for row in dialog.rows), "the conversation is above it"


@pytest.mark.parametrize(("program", "name"), FILES)
def test_without_the_cursor_in_it_no_box_is_ready(program: str, name: str) -> None:
    """A menu over the box takes the cursor, and what was echoed looks like the box."""
    screen = load(program, name)
    for away in (screen._replace(cursor_visible=False), screen._replace(cursor=(0, 0))):
        found = classify(away, PROFILES[program])
        assert found.box is None
        assert found.state is not State.IDLE


@pytest.mark.parametrize(("program", "name"), FILES)
def test_a_screen_read_without_utf8_is_never_taken_for_ready(program: str, name: str) -> None:
    """tmux gives ``_`` for what a client without UTF-8 cannot show: no rule, no bar, no box."""
    screen = load(program, name)
    rows = tuple(Row.plain(re.sub(r"[^\x00-\x7f]", "_", line)) for line in screen.lines)
    found = classify(screen._replace(rows=rows), PROFILES[program])
    if name.startswith("draft_tall"):
        return  # that program's box has nothing but ASCII then
    assert found.box is None


# Anything at all


PIECES = [
    *("  ┃", "  ┃  text", "  ┃   QUEUED", "  ┃  △ Permission required", "  ╹" + "▀" * 35),
    *(
        "  ┃   Allow once   Allow always   Reject",
        "  ┃ README.md      ┃",
        "   ■■■⬝⬝⬝⬝⬝  esc interrupt",
    ),
    *("diff> ", "diff>", "diff> text", "> ", "multi> ", "─" * 40, "README.md", "Aider v0.86.2"),
    *("Run shell command? (Y)es/(N)o/(D)on't ask again [Yes]:", " ░█  Waiting for x", "", "é漢"),
]
ROWS = st.lists(st.sampled_from(PIECES) | st.text(max_size=45), max_size=24)
ASKED = HookEvent("permission.asked", 1.0)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
@given(
    rows=ROWS,
    hook=st.none() | st.just(ASKED),
    column=st.integers(0, 45),
    line=st.integers(0, 24),
)
def test_any_screen_is_read_without_error_and_never_ready_without_the_cursor(
    profile: Profile, rows: list[str], hook: HookEvent | None, column: int, line: int
) -> None:
    made = tuple(Row.plain(row.replace("\n", " ")) for row in rows)
    screen = Screen(made, 40, len(made), (column, line))
    found = classify(screen, profile, hook)
    assert found.evidence
    if found.state is State.IDLE:
        assert found.box is not None
    if found.box is not None:
        assert found.box.first <= line <= found.box.last < len(made)
        assert found.box.rows == screen.lines[found.box.first : found.box.last + 1]
