"""The classifier against screens of the real program, and against everything made up.

``screens/claude/NAME.ansi.txt`` (120x40) and ``NAME@WxH.ansi.txt`` were captured from Claude Code
2.1.330 in tmux 3.3a on 2026-11-22; ``NAME.txt`` are the same without attributes. What each shows
was worked out by eye. Where ``titles.json`` has the pane's title, that was captured, too, on
2026-11-28, in tmux 3.3a.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.programs.asked import asked_by
from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile
from torch_cli.programs.profile import Profile
from torch_cli.programs.reset import reset_at
from torch_cli.programs.state import UNKNOWN_KIND, AgentState, HookEvent, State
from torch_cli.tmux.screen import Row, Screen

FOLDER = Path(__file__).parent / "screens" / "claude"
TITLES: dict[str, str] = json.loads((FOLDER / "titles.json").read_text("utf-8"))
CLAUDE = load_profile("claude", None)
DEMO = load_profile("demo", None)
SHELLS = [load_profile(name, None) for name in ("bash", "zsh", "fish", "shell")]

# Captured screen: state, rule that decides, what stands in the box (None: there is no box)
SCREENS: dict[str, tuple[str, str, str | None]] = {
    "after_answer": ("idle", "box", ""),
    "at_menu": ("idle", "box", "@"),
    "auto_mode_default_dialog": ("waiting", "auto mode dialog", None),
    "auto_mode_nag_second": ("waiting", "auto mode dialog", None),
    "auto_nag_after_paste_then_enter": ("waiting", "auto mode dialog", None),
    "copy_mode": ("idle", "box", ""),  # tmux shows the mode; the capture is what is below it
    "custom_api_key_dialog": ("waiting", "API key dialog", None),
    "draft_stashed": ("idle", "box", ""),
    "early_text": ("idle", "box", "early message"),
    "error_400_10s": ("idle", "API error", ""),
    "error_400_4s": ("idle", "API error", ""),
    "error_401_10s": ("working", "retrying", ""),
    "error_401_4s": ("working", "retrying", ""),
    "error_429_10s": ("working", "retrying", ""),
    "error_429_4s": ("working", "retrying", ""),
    "error_500_10s": ("working", "retrying", ""),
    "error_500_4s": ("working", "retrying", ""),
    "error_529_10s": ("idle", "API error", ""),
    "error_529_4s": ("idle", "API error", ""),
    "exited": ("exited", "exited", None),
    "idle": ("idle", "box", ""),
    "idle_after_key_rejected": ("idle", "box", ""),
    "interrupted_with_queue": ("working", "footer", ""),
    "model_picker": ("waiting", "model picker", None),
    "onboarding_preflight_no_network_exited": ("exited", "no connection", None),
    "pasted": ("idle", "box", "x\ny"),
    "pasted_placeholder": ("idle", "box", "[Pasted text #1 +4 lines]"),
    "permission_after_esc": ("idle", "box", ""),
    "permission_dialog": ("waiting", "permission dialog", None),
    "permission_dialog_notification": ("waiting", "permission dialog", None),
    "permission_dialog_over_draft": ("waiting", "permission dialog", None),
    "queued": ("working", "footer", ""),
    "queued2": ("working", "spinner", "third msg while busy"),
    "slash_menu": ("idle", "box", "/"),
    "starting": ("starting", "blank", None),
    "trust_dialog": ("waiting", "trust dialog", None),
    "trust_dialog_text_enter_exited": ("exited", "not trusted", None),
    "typing_draft": ("idle", "box", "human half-typed dra"),
    "working": ("working", "footer", ""),
    "working_typed": ("working", "spinner", "second msg while busy"),
}
# The same for NAME@WxH, at every size; line breaks that the width makes count as blanks, and
# "wrap" stands for the long draft of that word. "|" parts what differs by size; "?" is an empty
# box or none.
SIZED: dict[str, tuple[str, str, str | None]] = {
    # Agents of the program's own, listed below the box or, in a low pane, out of sight.
    "agent_viewed": ("unknown", "another agent's box", ""),
    "agent_viewed_draft": ("unknown|working", "another agent's box|spinner", "a draft"),
    "agent_viewed_idle": ("unknown", "another agent's box", ""),
    "agent_viewed_list": ("unknown", "another agent's box|unknown dialog", "?"),
    "agents_and_main_working": ("working", "footer", ""),
    "agents_list": ("unknown", "list of agents|no box|unknown dialog", "?"),
    "agents_list_second": ("unknown", "list of agents|no box|unknown dialog", "?"),
    "agents_many": ("idle", "agents in the background", ""),
    "agents_many_list": ("unknown", "list of agents|no box|unknown dialog", "?"),
    "agents_overview": ("unknown", "no box", None),
    "agents_working": ("idle", "agents in the background", ""),
    "agents_working_draft": ("idle", "agents in the background", "more"),
    "api_key_dialog": ("waiting", "API key dialog", None),
    "auto_mode_dialog": ("waiting", "auto mode dialog", None),
    "auto_mode_dialog_second": ("waiting", "auto mode dialog", None),
    "done": ("idle", "box", ""),
    "done_quoting_box": ("idle", "box", ""),
    "done_quoting_dialog": ("idle", "box", ""),
    "done_quoting_limit": ("idle", "box", ""),
    "done_quoting_spinner": ("idle", "box", ""),
    "done_with_draft": ("idle", "box", "third"),
    "draft_lines": ("idle", "box", "first line\n\n  third line"),
    "draft_newline": ("idle", "box", "\n"),
    "draft_one_letter": ("idle", "box", "x"),
    "draft_one_line": ("idle", "box", "hello there"),
    "draft_one_line_lc_c": ("idle", "box", "hello there"),
    "draft_one_line_lc_c_client": ("idle", "box", "hello there"),
    "draft_wrapped": ("idle", "box", "wrap"),
    "draft_wrapped_start": ("idle", "box", "wrap"),
    "draft_status_limit": ("idle", "title", "more"),
    "draft_status_prompt": ("idle", "title", "more"),
    "esc_first_word": ("idle", "title", "second"),
    "exited": ("exited", "exited", None),
    "exited_to_shell": ("exited", "exited", None),
    "held_message": ("waiting", "held message", None),
    "idle": ("idle", "box", ""),
    "idle_acceptEdits": ("idle", "box", ""),
    "idle_auto": ("idle", "box", ""),
    "idle_lc_c": ("idle", "box", ""),
    "idle_lc_c_client": ("idle", "box", ""),
    "idle_plan": ("idle", "box", ""),
    "idle_scrolled": ("idle", "title", ""),
    "idle_status_limit": ("idle", "title", ""),
    "idle_status_prompt": ("idle", "title", ""),
    "idle_vim": ("idle", "title", ""),
    "interrupted": ("idle", "box", "fail"),
    "limit": ("limited", "usage limit", ""),
    "limit_continuing": ("limited", "usage limit", ""),
    "limit_draft": ("limited", "usage limit", "a draft"),
    "model_picker": ("waiting", "model picker", None),
    "pasted_placeholder": ("idle", "box", "[Pasted text #1 +5 lines]"),
    "pasted_two": (
        *("idle", "box", "[Pasted text #1 +5 lines] and text[Pasted text #2 +4 lines]"),
    ),
    "permission_after_esc": ("idle", "box", ""),
    "permission_dialog": ("waiting", "permission dialog", None),
    "permission_dialog_lc_c": ("waiting", "permission dialog", None),
    "permission_dialog_lc_c_client": ("waiting", "permission dialog", None),
    "permission_dialog_second": ("waiting", "permission dialog", None),
    "permission_status_limit": ("waiting", "permission dialog", None),
    "permission_status_prompt": ("waiting", "permission dialog", None),
    # Where auto mode cannot check what is asked for (2026-11-29).
    "permission_unchecked": ("waiting", "permission dialog without numbers", None),
    "plan_dialog": ("waiting", "plan dialog", None),
    # With a plan in it, once longer than its part of the screen (2026-11-29).
    "plan_long": ("waiting", "plan dialog", None),
    "plan_long_third": ("waiting", "plan dialog", None),
    "plan_written": ("waiting", "plan dialog", None),
    "question_dialog": ("waiting", "question dialog", None),
    "question_dialog_second": ("waiting", "question dialog", None),
    # Of which several may be chosen (2026-11-29).
    "question_many": ("waiting", "question dialog", None),
    "question_many_submit": ("waiting", "question dialog", None),
    "question_review": ("waiting", "review of answers", None),
    "queued": ("working", "footer", ""),
    "queued_draft": ("working", "spinner", "third"),
    "renamed": ("idle", "box", ""),
    "renamed_cut": ("idle", "title", ""),
    "renamed_cut_wide": ("idle", "title", ""),
    "retrying": ("working", "retrying", ""),
    "shell_after_exit": ("exited", "exited", None),
    "shell_mode": ("idle", "box", "!ls"),
    "shell_mode_empty": ("idle", "box", "!"),
    "slash_menu": ("idle", "box", "/"),
    "teammate_idle": ("idle", "title", ""),
    "teammate_idle_draft": ("idle", "title", "more"),
    "teammate_list": ("unknown", "no box|unknown dialog", None),
    "teammate_viewed": ("unknown", "another agent's box", ""),
    "teammate_working": ("idle", "agents in the background", ""),
    "transcript_view": ("unknown", "transcript", None),
    "trust_dialog": ("waiting", "trust dialog", None),
    "trust_refused": ("exited", "not trusted", None),
    "working": ("working", "footer", ""),
    # At 40 columns "accept edits on" leaves no place for "esc to interrupt": "spinner" there.
    "working_acceptEdits": ("working", "footer|spinner", ""),
    "working_auto": ("working", "footer", ""),
    "working_draft": ("working", "spinner", "more to come"),
    "working_draft_acceptEdits": ("working", "spinner", "more"),
    "working_draft_auto": ("working", "spinner", "more"),
    "working_draft_lc_c": ("working", "spinner", "more"),
    "working_draft_lc_c_client": ("working", "spinner", "more"),
    "working_draft_plan": ("working", "spinner", "more"),
    "working_lc_c": ("working", "footer", ""),
    "working_lc_c_client": ("working", "footer", ""),
    "working_other_key": ("working", "footer", ""),
    "working_plan": ("working", "footer", ""),
    "working_reduced": ("working", "footer", ""),
    "working_reduced_draft": ("working", "spinner", "more"),
    "working_scrolled": ("working", "footer", ""),
    "working_status_limit": ("working", "footer", ""),
    "working_status_prompt": ("working", "footer", ""),
    "working_tasks": ("working", "footer|spinner", ""),
    "working_vim": ("working", "spinner|title", ""),
    "working_vim_draft": ("working", "spinner", "more"),
    "write_dialog": ("waiting", "permission dialog", None),
}
QUESTIONS = {
    "auto_mode_dialog": "Make auto mode your default permission mode?",
    "api_key_dialog": "Do you want to use this API key?",
    "held_message": "Held message from another session",
    "permission_dialog": "Do you want to proceed?",
    "plan_dialog": "Exit plan mode?",
    **dict.fromkeys(
        ("plan_long", "plan_long_third", "plan_written"),
        "Claude has written up a plan and is ready to execute. Would you like to proceed?",
    ),
    "permission_unchecked": "Do you want to create new.txt?",
    "question_dialog": "Which database should the demo use?",
    "question_many": "Which database should the demo use?",
    "question_many_submit": "Which database should the demo use?",
    "question_review": "● Which database should the demo use?",
    "trust_dialog": "Quick safety check: Is this a project you created or one you trust?",
    "write_dialog": "Do you want to create new.txt?",
    "model_picker": "Select model",
}
FILES = sorted(path.name.removesuffix(".ansi.txt") for path in FOLDER.glob("*.ansi.txt"))


def load(name: str, *, plain: bool = False) -> Screen:
    size = re.search(r"@(\d+)x(\d+)$", name)
    width, height = (int(size[1]), int(size[2])) if size else (120, 40)
    captured = (FOLDER / f"{name}{'.txt' if plain else '.ansi.txt'}").read_text("utf-8")
    return Screen.parse(captured, width=width, height=height, title=TITLES.get(name, ""))


def look(name: str, hook: HookEvent | None = None) -> AgentState:
    return classify(load(name), CLAUDE, hook)


def rewrite(screen: Screen, rows: list[str]) -> Screen:
    return screen._replace(rows=tuple(Row.plain(row) for row in rows))


def drawn(*rows: str, width: int = 60, height: int = 20) -> Screen:
    return Screen.parse("\n".join(rows), width=width, height=height)


# Screens of the real program


def test_every_captured_screen_is_in_a_table() -> None:
    sized = {name.partition("@")[0] for name in FILES if "@" in name}
    assert sized == set(SIZED)
    assert {name for name in FILES if "@" not in name} == set(SCREENS)


@pytest.mark.parametrize("name", FILES)
def test_a_captured_screen_reads_as_what_it_shows(name: str) -> None:
    base, _, size = name.partition("@")
    state, rule, text = SIZED[base] if size else SCREENS[base]
    found = look(name)
    assert found.state in state.split("|"), (found.evidence, load(name).text)
    assert found.rule in rule.split("|"), found.evidence
    shaped = found.rule == "unknown dialog"
    assert (found.dialog is not None) == (state == "waiting" or shaped)
    assert found.queued == ("queued" in base and base != "interrupted_with_queue"), found.evidence
    if text == "?":
        assert found.box is None or found.box.empty
        return
    if text is None:
        assert found.box is None
        return
    assert found.box is not None
    assert found.box.empty == (text == "")
    if text == "wrap":
        assert set(found.box.text.split()) <= {"wrap", "end"}
    else:
        assert " ".join(found.box.text.split(" ")).replace("\n", " ") == text.replace("\n", " ")


@pytest.mark.parametrize("name", sorted(SCREENS))
def test_without_attributes_only_ghosts_read_differently(name: str) -> None:
    state, rule, text = SCREENS[name]
    ghosts = {"queued": "spinner", "error_529_10s": rule, "error_529_4s": rule}
    found = classify(load(name, plain=True), CLAUDE)
    assert found.state == state
    if text is not None and name not in ghosts:
        assert found.box is not None
        assert found.box.text == text


@pytest.mark.parametrize("name", [n for n in FILES if n.partition("@")[0] in QUESTIONS])
def test_a_dialog_is_named_by_its_question(name: str) -> None:
    dialog = look(name).dialog
    assert dialog is not None
    if name == "trust_dialog@40x15":  # its beginning is out of sight
        assert dialog.kind == "trust"
    else:
        assert dialog.question == QUESTIONS[name.partition("@")[0]]
    assert any("❯" in row for row in dialog.rows)
    assert re.fullmatch(r"[0-9a-f]{12}", dialog.hash)


@pytest.mark.parametrize(
    "quoted",
    [
        (" │ Do you want to proceed?", " │ ❯ 1. Yes"),
        (" Do you want to use this API key?", " ❯ 1. Yes", " Esc to cancel · Tab to amend"),
        (" Accessing workspace:", " ❯ Yes, I trust this folder"),
        (" Select model",),
        ("❯ 1. Submit answers", "Review your answers"),
    ],
)
def test_what_a_held_message_quotes_makes_no_other_dialog_of_it(quoted: tuple[str, ...]) -> None:
    screen = load("held_message@120x40")
    rows = [row.text for row in screen.rows]
    at = rows.index(" please look at the tests")
    found = classify(rewrite(screen, [*rows[:at], *quoted, *rows[at + 1 :]]), CLAUDE)
    assert found.dialog is not None
    told = (found.dialog.kind, found.dialog.question)
    assert told == ("message", "Held message from another session"), found.evidence
    offered = [one.words.split(" — ")[0] for one in asked_by(found).options]
    assert offered == ["Deny", "Deliver this message to Claude"], "what is quoted is no option"


def test_a_dialogs_hash_survives_a_redraw_and_sees_the_selection_move() -> None:
    once, again = look("permission_dialog").dialog, look("permission_dialog_notification").dialog
    first, second = (
        look("question_dialog@80x40").dialog,
        look("question_dialog_second@80x40").dialog,
    )
    assert once is not None
    assert again is not None
    assert once.hash == again.hash
    assert first is not None
    assert second is not None
    assert first.hash != second.hash
    assert first.rows[0] == " ☐ Database"  # from the top of the dialog, not from its inner rule
    assert first.kind == "question"


@pytest.mark.parametrize("name", [n for n in FILES if n.startswith("limit")])
def test_the_end_of_a_usage_limit_is_read(name: str) -> None:
    reset = look(name).reset
    assert reset is not None
    assert re.fullmatch(r"\d+:\d\dam( \(UTC\))?", reset)
    assert reset_at(reset, 0.0) is not None


def test_ghost_text_is_no_draft() -> None:
    for name, ghost in [
        ("queued", "Press up to edit queued messages"),
        ("error_529_4s", "Resend your message to try again"),
    ]:
        box = look(name).box
        assert box is not None
        assert (box.text, box.ghost) == ("", ghost)


# What tmux knows, and the hooks


def test_what_tmux_knows_comes_first() -> None:
    idle = load("idle")
    assert classify(idle._replace(dead=True), CLAUDE).state is State.DEAD
    in_mode = classify(load("copy_mode")._replace(in_mode=True), CLAUDE)
    assert (in_mode.state, in_mode.evidence) == (State.UNKNOWN, "the pane is in a mode")


SUBMITTED = HookEvent("UserPromptSubmit", 1_000.0)
STOPPED = HookEvent("Stop", 1_001.0)
ASKED = HookEvent("PermissionRequest", 1_002.0)
ENDED = HookEvent("SessionEnd", 1_003.0)


@pytest.mark.parametrize("hook", [SUBMITTED, STOPPED, ASKED, ENDED, HookEvent("Nonsense", 0.0)])
@pytest.mark.parametrize("name", ["idle", "working", "permission_dialog", "exited", "queued2"])
def test_a_screen_that_tells_beats_any_event(name: str, hook: HookEvent) -> None:
    """Esc fires no hook: after it the latest event still says that a message was submitted."""
    assert look(name, hook).state == SCREENS[name][0]


@pytest.mark.parametrize(
    ("hook", "state", "rule"),
    [
        (None, "idle", "box"),
        (STOPPED, "idle", "box"),
        (SUBMITTED, "working", "hook"),
        (HookEvent("PostToolUse", 0.0), "working", "hook"),
    ],
)
def test_text_in_the_box_hides_work_and_the_event_decides(
    hook: HookEvent | None, state: str, rule: str
) -> None:
    found = look("typing_draft", hook)
    assert (found.state, found.rule) == (state, rule)


@pytest.mark.parametrize(
    ("hook", "state"),
    [(None, "unknown"), (SUBMITTED, "unknown"), (ASKED, "waiting"), (ENDED, "exited")],
)
def test_a_screen_without_a_box_is_never_taken_for_ready(
    hook: HookEvent | None, state: str
) -> None:
    found = classify(drawn("some", "full-screen", "view"), CLAUDE, hook)
    assert found.state == state


# What a narrow or low pane, a setting or a person hides

WORKING = [n for n in FILES if n.startswith("working") or "main_working" in n]
IDLE_WITH_TITLE = [
    n for n in FILES if n in TITLES and n.startswith(("idle", "draft", "esc", "teammate_idle"))
]
WITH_AGENTS = [n for n in FILES if n.startswith(("agents_", "teammate_")) and "list" not in n]


@pytest.mark.parametrize("name", [n for n in WORKING if n in TITLES])
def test_work_shows_without_a_title_or_leaves_doubt(name: str) -> None:
    """A person can switch the title off, and tmux can be told to ignore it."""
    found = classify(load(name)._replace(title="host"), CLAUDE)
    assert found.state in (State.WORKING, State.UNKNOWN), (found.evidence, load(name).text)
    assert name == "working_vim@40x8" or found.state is State.WORKING


@pytest.mark.parametrize("name", WORKING)
def test_the_title_alone_tells_work(name: str) -> None:
    screen = load(name)
    box = look(name).box
    assert box is not None
    own = [Row.plain("")] * (box.first - 1)
    below = [Row.plain("  ⏸ manual mode on")] + [Row.plain("")] * 40
    rows = (*own, *screen.rows[box.first - 1 : box.last + 2], *below)[: screen.height]
    hidden = screen._replace(rows=tuple(rows), title="◐ Fix the parser")
    assert classify(hidden, CLAUDE).state is State.WORKING


@pytest.mark.parametrize("name", [n for n in FILES if n.startswith("idle_scrolled")])
def test_a_screen_that_is_scrolled_up_leaves_doubt_without_a_title(name: str) -> None:
    found = classify(load(name)._replace(title="host"), CLAUDE)
    assert (found.state, found.rule) == (State.UNKNOWN, "scrolled up")


@pytest.mark.parametrize("name", IDLE_WITH_TITLE)
def test_an_idle_title_beats_a_report_that_came_before_esc(name: str) -> None:
    found = look(name, SUBMITTED)
    assert found.state is State.IDLE, found.evidence


@pytest.mark.parametrize("name", [n for n in FILES if n.startswith("esc_first_word")])
def test_without_a_title_the_report_counts_over_a_draft(name: str) -> None:
    assert classify(load(name)._replace(title=""), CLAUDE, SUBMITTED).state is State.WORKING


@pytest.mark.parametrize("row", ["❯ ● main", "❯ ◯ general-purpose  a job   5s · ↑ 10 tokens"])
@pytest.mark.parametrize("name", WITH_AGENTS)
def test_a_cursor_in_the_list_of_agents_is_never_idle(name: str, row: str) -> None:
    screen = load(name)
    lines = [one.text for one in screen.rows]
    last = max(at for at, line in enumerate(lines) if line)
    if not lines[last].startswith(("  ●", "  ◯", "  ↓")):
        return  # the list is out of sight
    rows = list(screen.rows)
    rows[last] = Row.plain(row)
    assert classify(screen._replace(rows=tuple(rows)), CLAUDE).state is not State.IDLE


def test_what_an_agent_is_called_says_nothing() -> None:
    rule = "─" * 60
    panel = [
        "  ● main",
        "  ◯ general-purpose  esc to interrupt   5s · ↑ 10 tokens",
        "  ◯ general-purpose  ⚠ Usage limit reached · limit resets 2:54am",
    ]
    rows = ["● OK.", "", rule, "❯\u00a0", rule, "  ⏸ manual mode on · ? for shortcuts", "", *panel]
    assert classify(drawn(*rows), CLAUDE).state is State.IDLE


@pytest.mark.parametrize(
    "status",
    ["❯ main", "⚠ 5-hour limit reached · resets 3pm", "esc to interrupt me", "↑/↓ of the week"],
)
def test_a_status_line_of_the_users_says_nothing(status: str) -> None:
    rule = "─" * 60
    rows = ["● OK.", "", rule, "❯\u00a0", rule, f"  {status}", "  ⏸ manual mode on · ← for agents"]
    assert classify(drawn(*rows), CLAUDE).state is State.IDLE


@pytest.mark.parametrize("end", ["", "  Esc to cancel", "   2. No"])
def test_a_menu_below_a_box_that_is_left_from_before_is_no_status_line(end: str) -> None:
    rule = "─" * 60
    rows = [rule, "❯\u00a0", rule, "  ❯ Yes", *([end] if end else [])]
    assert classify(drawn(*rows), CLAUDE).state is not State.IDLE
    numbered = [*rows[:3], "  ❯ 1. Yes", "  ⏸ manual mode on · ← for agents"]
    assert classify(drawn(*numbered), CLAUDE).state is not State.IDLE


def test_a_box_with_nothing_above_or_below_it_leaves_doubt() -> None:
    rule = "─" * 40
    alone = drawn("", "", "", rule, "❯\u00a0", rule, width=40, height=6)
    assert classify(alone, CLAUDE).rule == "low pane"
    assert classify(alone._replace(title="✳ Claude Code"), CLAUDE).state is State.IDLE


# Structure before words


ANSWER_TRAPS = [
    "● Do you want to proceed?",
    "  Do you want to proceed?",
    "   ❯ 1. Yes",
    "     2. No",
    "  Esc to cancel · Tab to amend",
    "  ✻ Thinking… (12s · esc to interrupt)",
    "  429 rate limit · retrying in 5s · attempt 4/10",
    "  ⏸ manual mode on · esc to interrupt",
    "  ❯\u00a0",
    "  " + "─" * 38,
    "  Resume this session with:",
    "● Usage limit reached · resets 3pm",
    "  You've hit your session limit · resets 3pm",
    "● API Error: no",
    "  ☐ Database",
    "  Enter to select · ↑/↓ to navigate",
    "  Showing detailed transcript",
    "❯ esc to interrupt",
    "",
]


@given(st.lists(st.sampled_from(ANSWER_TRAPS), max_size=20))
def test_nothing_that_an_answer_quotes_changes_the_state(quoted: list[str]) -> None:
    done = "✻ Cooked for 3s · done 9:15 PM"
    rule, footer = "─" * 40, "  ⏸ manual mode on · ? for shortcuts"
    rows = [*quoted, "", done, "", rule, "❯\u00a0", rule, footer]
    found = classify(drawn(*rows, width=40, height=len(rows)), CLAUDE)
    assert found.state is State.IDLE, found.evidence
    assert found.box is not None
    assert found.box.empty


@given(st.lists(st.sampled_from(ANSWER_TRAPS), max_size=20))
def test_nothing_that_an_answer_quotes_hides_work(quoted: list[str]) -> None:
    rule, footer = "─" * 40, "  ⏸ manual mode on · esc to interrupt"
    rows = [*quoted, "", "✻ Thinking…", "", rule, "❯\u00a0", rule, footer]
    assert classify(drawn(*rows, width=40, height=len(rows)), CLAUDE).state is State.WORKING


def test_a_past_limit_says_nothing_about_the_next_turn() -> None:
    rule = "─" * 60
    past = ["❯ hello", "  ⎿  You've hit your 5-hour limit · resets 2:54am (UTC)", "", "❯ again"]
    rows = [*past, "", "● OK.", "", rule, "❯\u00a0", rule, "  ? for shortcuts"]
    assert classify(drawn(*rows), CLAUDE).state is State.IDLE


def test_a_menu_row_below_the_box_is_a_question() -> None:
    rule = "─" * 60
    rows = [rule, "❯\u00a0", rule, " ❯ 1. Yes", "   2. No"]
    assert classify(drawn(*rows), CLAUDE).state is State.WAITING


# Locales


@pytest.mark.parametrize("name", FILES)
def test_a_screen_read_without_utf8_is_never_taken_for_ready(name: str) -> None:
    """tmux gives ``_`` for what a client without UTF-8 cannot show: no box, so nothing is typed."""
    screen = load(name)
    found = classify(
        rewrite(screen, [re.sub(r"[^\x00-\x7f]", "_", line) for line in screen.lines]), CLAUDE
    )
    assert found.state in (State.UNKNOWN, State.STARTING, State.EXITED)
    assert found.box is None


# The other stock profiles


def demo(*rows: str, footer: str = "  ? for help", above: str = "") -> AgentState:
    rule = "─" * 60
    return classify(drawn("● Ready.", "", above, rule, *rows, rule, footer), DEMO)


def test_the_demo_agents_states() -> None:
    empty = "»\u00a0"
    busy = "  esc to interrupt"
    assert demo(empty).state is State.IDLE
    assert demo(empty, footer=busy, above="✶ Working… (1s)").state is State.WORKING
    assert demo(empty + "text", footer=busy).rule == "footer"
    assert demo(empty + "text", above="· Working… (1s)").rule == "status row"
    limited = demo(empty, above="● Usage limit reached · resets 3pm")
    assert (limited.state, limited.reset) == (State.LIMITED, "3pm")


def test_the_demo_agents_queue_shows() -> None:
    rule = "─" * 60
    rows = ["» one", "", "» two", "  ⎿  Queued", "", "✻ Working… (1s)", rule, "»\u00a0", rule]
    found = classify(drawn(*rows, "  esc to interrupt"), DEMO)
    assert (found.state, found.queued) == (State.WORKING, True)


@pytest.mark.parametrize(
    ("kind", "question", "option"),
    [
        ("permission", "Do you want to proceed?", "1. Yes"),
        ("trust", "Do you trust the files in this folder?", "1. Yes, proceed"),
    ],
)
def test_the_demo_agents_dialogs(kind: str, question: str, option: str) -> None:
    rows = ["» run it", "", "─" * 60, " Run command", "   ls", f" {question}", f" ❯ {option}"]
    found = classify(drawn(*rows, "   2. No", " Esc to cancel"), DEMO)
    assert found.state is State.WAITING
    assert found.dialog is not None
    assert (found.dialog.kind, found.dialog.question) == (kind, question)
    assert found.dialog.rows[0] == " Run command"


@pytest.mark.parametrize(
    ("rows", "cursor", "state"),
    [
        (("user@host:~$",), (13, 0), "idle"),
        (("bash-5.2#",), (10, 0), "idle"),
        (("~ ❯",), (4, 0), "idle"),
        (("$ make", "cc -c main.c"), (0, 2), "working"),
        (("$ sleep 4",), (0, 1), "working"),
        (("$ half a command",), (16, 0), "working"),
        (("$ echo 'abc", ">"), (2, 1), "unknown"),
        (("% echo 'abc", "quote>"), (7, 1), "unknown"),
        (("$ if true", "then>"), (6, 1), "unknown"),
        ((), (0, 0), "starting"),
    ],
)
def test_a_shell_is_idle_at_its_prompt(
    rows: tuple[str, ...], cursor: tuple[int, int], state: str
) -> None:
    screen = drawn(*rows)._replace(cursor=cursor)
    assert classify(screen, load_profile("zsh", None)).state == state


@pytest.mark.parametrize(
    ("rows", "cursor", "state"),
    [
        ((">>>",), (4, 0), "idle"),
        ((">>> 1 + 1", "2", ">>>"), (4, 2), "idle"),
        ((">>> def f():", "..."), (4, 1), "unknown"),
        ((">>> sleep(9)",), (0, 1), "working"),
        (("Python 3.11.2 (main)",), (0, 1), "working"),
    ],
)
def test_python_is_idle_at_its_prompt(
    rows: tuple[str, ...], cursor: tuple[int, int], state: str
) -> None:
    screen = drawn(*rows)._replace(cursor=cursor)
    assert classify(screen, load_profile("python", None)).state == state


# Anything at all


PIECES = [
    *(
        "─" * 40,
        "▔" * 40,
        "─── ↑ 6 more ".ljust(40, "─"),
        "❯\u00a0",
        "❯\u00a0text",
        "»\u00a0",
        "!\u00a0",
    ),
    *(" ❯ 1. Yes", "❯ 1. Yes", "   2. No", " Do you want to proceed?", "Enter to select · x"),
    *("  esc to interrupt", "✻ Thinking…", "● OK.", "  text", "?", "$ ", "\u200b", "é漢"),
    *("Resume this session with:", "  ⚠ Usage limit reached · limit resets 2:54am", "❯ hi"),
]
ROWS = st.lists(st.sampled_from(PIECES) | st.text(max_size=45), max_size=24)
HOOKS = st.none() | st.sampled_from([SUBMITTED, STOPPED, ASKED, ENDED])


@pytest.mark.parametrize("profile", [CLAUDE, DEMO, *SHELLS], ids=lambda profile: profile.name)
@given(rows=ROWS, hook=HOOKS, column=st.integers(0, 45), line=st.integers(0, 24))
def test_any_screen_is_read_without_error_and_never_ready_without_a_box(
    profile: Profile, rows: list[str], hook: HookEvent | None, column: int, line: int
) -> None:
    made = tuple(Row.plain(row.replace("\n", " ")) for row in rows)
    screen = Screen(made, 40, len(made), (column, line))
    found = classify(screen, profile, hook)
    assert found == classify(screen, profile, hook)
    assert found.evidence
    assert "\n" not in found.evidence
    if found.state is State.IDLE:
        assert found.box is not None
    if found.box is not None:
        assert 0 <= found.box.first <= found.box.last < len(made)
        assert found.box.rows == screen.lines[found.box.first : found.box.last + 1]
    if found.dialog is not None:
        guessed = found.dialog.kind == UNKNOWN_KIND
        assert found.state is State.WAITING or (guessed and found.state is State.UNKNOWN)


@pytest.mark.parametrize("name", ["renamed_cut@40x30", "renamed_cut_wide@24x30"])
def test_a_rule_that_a_long_name_fills_is_known_by_the_title_alone(name: str) -> None:
    """Anything else that ends so is not the program's: there is no box, and nothing is typed."""
    shown = load(name)
    assert classify(shown, CLAUDE).box is not None
    for title in ("", "✳", "✳ Claude Code", shown.title[2:], shown.title[:12], f"✳ x{shown.title}"):
        assert classify(shown._replace(title=title), CLAUDE).box is None, title
    rule = next(n for n, row in enumerate(shown.rows) if row.text.endswith("… ─"))
    for other in ("", shown.rows[rule].text[1:], shown.rows[rule].text.replace("…", "..")):
        rows = [row.text for row in shown.rows]
        rows[rule] = other
        assert classify(rewrite(shown, rows), CLAUDE).box is None, other
