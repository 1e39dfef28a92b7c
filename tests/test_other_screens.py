"""The classifier against screens of the real Codex and the real Gemini CLI.

``screens/PROGRAM/NAME@WxH.ansi.txt`` were captured on 2026-11-23 in tmux 3.3a, from Codex 0.169.0
and Gemini CLI 0.61.0 that talked to a stub. ``NAME-VERSION@WxH`` are of another version. What each
shows was worked out by eye.
"""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile
from torch_cli.programs.state import AgentState, State
from torch_cli.tmux.screen import Row, Screen

VERSIONS = {"codex": "0.169.0", "gemini": "0.61.0"}
FOLDER = Path(__file__).parent / "screens"
PROFILES = {name: load_profile(name, None) for name in ("codex", "gemini")}

# Captured screen: state, rule that decides, what stands in the box (None: there is no box); blanks
# do not count, "…" stands for the part that another width hides.
SCREENS: dict[str, dict[str, tuple[str, str, str | None]]] = {
    "codex": {
        "agents_view": ("unknown", "unknown dialog", None),
        "approval_after_esc": ("idle", "box", ""),
        "approval_dialog": ("waiting", "approval dialog", None),
        "approval_dialog_second": ("waiting", "approval dialog", None),
        "approval_quoting_first_frame": ("waiting", "approval dialog", None),
        "at_menu": ("idle", "box", "@"),
        "done": ("idle", "box", ""),
        "done_long_title": ("idle", "box", ""),  # a thread has a title, in the status row
        "done_quoting_box": ("idle", "box", ""),
        "done_quoting_dialog": ("idle", "box", ""),
        "done_quoting_first_frame": ("idle", "box", ""),
        "done_quoting_limit": ("idle", "box", ""),
        "done_quoting_status": ("idle", "box", ""),
        "draft_lines": ("idle", "box", "first line third line"),
        "draft_long_title": ("idle", "box", "hello there"),
        "draft_one_line": ("idle", "box", "hello there"),
        "draft_scrolled": ("unknown", "no box", None),  # its end is below the screen
        "draft_tall": ("idle", "box", "… line 59 line 60"),
        "draft_wrapped": ("idle", "box", "wrap " * 60 + "end"),
        "error_400": ("idle", "error", ""),
        "error_401": ("working", "status row with details", ""),
        "exited": ("exited", "exited", None),
        "first_frame": ("starting", "first frame", None),
        "hooks_review": ("waiting", "hooks review", None),
        "idle_new": ("idle", "box", ""),
        "idle_plan": ("idle", "box", ""),
        "idle_still": ("idle", "box", ""),
        "interrupted": ("idle", "box", "more to come"),  # what was queued comes back as a draft
        "limit": ("limited", "usage limit", ""),
        "mcp": ("idle", "box", ""),
        "model_picker": ("waiting", "model picker|menu", None),
        "pasted_placeholder": ("idle", "box", "[Pasted Content 1500 chars]"),
        "permissions_picker": ("waiting", "menu", None),
        "plan_question": ("waiting", "plan question", None),
        "question": ("waiting", "question dialog", None),
        "question_notes": ("waiting", "question dialog", None),
        "queued": ("working", "status row above the queue", ""),
        "queued_draft": ("working", "status row above the queue", "third"),
        "resume_picker": ("unknown", "unknown dialog", None),
        "retrying": ("working", "status row with details", ""),
        "shell_mode": ("idle", "box", "!ls"),
        "shell_mode_empty": ("idle", "box", "!"),
        "shortcuts": ("idle", "box", ""),
        "skills_menu": ("waiting", "menu", None),
        "slash_menu": ("idle", "box", "/"),
        "starting": ("starting", "warning", None),  # about the directory of its home
        "status": ("idle", "box", ""),
        "statusline_picker": ("unknown", "unknown dialog", None),
        "statusline_picker_end": (
            "unknown",
            "unknown dialog",
            None,
        ),  # it shows a status row of its own
        "theme_picker": ("unknown", "unknown dialog", None),
        "trust_dialog": ("waiting", "trust dialog", None),  # 2026-11-22, without attributes
        "update_notice": ("waiting", "update notice", None),
        "working": ("working", "status row", ""),
        "working_draft": ("working", "status row", "more to come"),
        "working_still": ("working", "status row", ""),
        "working_still_draft": ("working", "status row", "more to come"),
    },
    # Resizing it leaves what it drew before below its footer and above its box.
    "gemini": {
        "approval_after_esc": ("idle", "box", ""),
        "approval_dialog": ("waiting", "approval dialog", None),
        "approval_dialog_second": ("waiting", "approval dialog", None),
        "at_menu": ("unknown", "no box", None),  # it stands between the box and the footer
        "auth_dialog": ("waiting", "menu", None),
        "done": ("idle", "box", ""),
        "done_quoting_box": ("idle", "box", ""),
        "done_quoting_dialog": ("idle", "box", ""),
        "done_quoting_status": ("idle", "box", ""),
        "draft_lines": ("idle", "box", "first line third line"),
        "draft_one_line": ("idle", "box", "hello there"),
        "draft_tall": ("idle", "box", "wrap " * 99),
        "draft_wrapped": ("idle", "box", "wrap " * 60 + "end"),
        "error_401": ("idle", "API error|box", ""),
        "exited": ("exited", "exited", None),
        "idle_accept_edits": ("idle", "box", ""),
        "idle_new": ("idle", "box", ""),
        "idle_plan": ("idle", "box", ""),
        "idle_yolo": ("idle", "box", ""),
        "interrupted": ("idle", "box", ""),
        "limit": ("working", "status row", ""),  # it tries again
        "model_picker": ("waiting", "model picker", None),
        "pasted_characters": ("idle", "box", "[Pasted Text: 1500 chars]"),
        "pasted_lines": ("idle", "box", "[Pasted Text: 60 lines]"),
        "question": ("waiting", "question dialog", None),
        "question_many": ("waiting", "menu", None),
        "queued": ("working", "status row", ""),
        "limit_dialog": ("waiting", "usage limit dialog", None),
        "limit_dialog_daily": ("waiting", "usage limit dialog", None),
        "limit_stopped": ("limited", "usage limit", ""),
        "queued_draft": ("working", "status row", "third"),
        "retrying": ("working", "status row", ""),
        "shell_mode": ("idle", "box", "!ls"),
        "shell_mode_empty": ("idle", "box", "!"),
        "shortcuts": ("idle", "box", ""),
        "slash_menu": ("unknown", "no box", None),
        "trust_dialog": ("waiting", "trust dialog", None),
        "working": ("working", "status row", ""),
        "working_draft": ("working", "status row", "more to come"),
    },
}
DIALOGS = {
    ("codex", "approval_dialog"): ("permission", "Would you like to run the following command?"),
    ("codex", "skills_menu"): ("menu", "Skills"),
    ("codex", "trust_dialog"): ("trust", "Trust this folder?"),
    ("codex", "update_notice"): ("update", "Update available · 0.169.0 → 0.999.0"),
    ("codex", "model_picker"): ("menu", "Select Model and Effort"),
    ("codex", "permissions_picker"): ("menu", "Update Model Permissions"),
    ("codex", "plan_question"): ("plan", "Implement this plan?"),
    ("codex", "question"): ("question", "Which database should the service use?"),
    ("codex", "question_notes"): ("question", "Which database should the service use?"),
    ("gemini", "limit_dialog"): ("limit", "│ Usage limit reached for gemini-2.5-flash. │"),
    ("gemini", "question"): ("question", "│ Which database should the demo use?"),
    ("gemini", "question_many"): ("menu", "│ Which database should the demo use?"),
    ("gemini", "approval_dialog"): ("permission", "│ Allow execution of [Shell]?"),
}
FILES = sorted(
    (program, path.name.removesuffix(".ansi.txt"))
    for program in PROFILES
    for path in (FOLDER / program).glob("*.ansi.txt")
)


def load(program: str, name: str) -> Screen:
    size = re.search(r"@(\d+)x(\d+)$", name)
    assert size is not None
    captured = (FOLDER / program / f"{name}.ansi.txt").read_text("utf-8")
    return Screen.parse(captured, width=int(size[1]), height=int(size[2]))


def look(program: str, name: str) -> AgentState:
    return classify(load(program, name), PROFILES[program])


def parts(program: str, name: str) -> tuple[str, str]:
    """Return what a captured screen shows, and the version of the program."""
    base, _, version = name.partition("@")[0].partition("-")
    return base, version or VERSIONS[program]


@pytest.mark.parametrize("program", PROFILES)
def test_every_captured_screen_is_in_the_table(program: str) -> None:
    assert {parts(program, name)[0] for one, name in FILES if one == program} == set(
        SCREENS[program]
    )


@pytest.mark.parametrize(("program", "name"), FILES)
def test_a_captured_screen_reads_as_what_it_shows(program: str, name: str) -> None:
    base, _ = parts(program, name)
    state, rule, text = SCREENS[program][base]
    found = look(program, name)
    assert found.state == state, (found.evidence, load(program, name).text)
    assert found.rule in rule.split("|"), found.evidence
    assert (found.dialog is not None) == (state == "waiting" or rule == "unknown dialog")
    assert found.queued == base.startswith("queued")
    if text is None:
        assert found.box is None
        return
    assert found.box is not None
    shown = found.box.text.split()
    if found.box.scrolled:
        assert shown[-4:] == text.split()[-4:]
    else:
        assert "".join(shown) == "".join(text.split())


@pytest.mark.parametrize(
    ("program", "name"), [(p, n) for p, n in FILES if (p, parts(p, n)[0]) in DIALOGS]
)
def test_a_dialog_is_named_by_its_question(program: str, name: str) -> None:
    dialog = look(program, name).dialog
    assert dialog is not None
    base, version = parts(program, name)
    kind, question = DIALOGS[program, base]
    assert (dialog.kind, dialog.question) == (kind, question.replace(VERSIONS[program], version))


@pytest.mark.parametrize(
    "name", [n for p, n in FILES if p == "codex" and n.startswith("approval_dialog")]
)
def test_a_dialog_is_one_wherever_the_cursor_is(name: str) -> None:
    """It hides the cursor; where a program or tmux shows it all the same, it is no draft."""
    screen = load("codex", name)
    last = max(at for at, row in enumerate(screen.rows) if row.text)
    width, end = screen.width, len(screen.rows[last].text)
    for column in (0, 3, end, width - 1, width):
        found = classify(screen._replace(cursor=(column, last)), PROFILES["codex"])
        assert (found.state, found.box) == (State.WAITING, None), (column, found.evidence)


@pytest.mark.parametrize("name", [n for p, n in FILES if n.startswith("question_notes")])
def test_a_field_for_notes_is_not_the_box(name: str) -> None:
    """It begins as the box does, and has the cursor: a message would become part of the answer."""
    screen = load("codex", name)
    line = max(at for at, row in enumerate(screen.rows) if row.text.startswith("  › only for"))
    for column in (4, 21):
        found = classify(screen._replace(cursor=(column, line)), PROFILES["codex"])
        assert (found.state, found.box) == (State.WAITING, None), found.evidence


def test_a_transcript_that_is_browsed_is_no_box() -> None:
    screen = load("codex", "done@120x40")
    last = max(at for at, row in enumerate(screen.rows) if row.text)
    footer = "  Browsing transcript · ↑↓/jk scroll · ←→/hl prompts · esc back"
    rows = (*screen.rows[:last], Row.plain(footer), *screen.rows[last + 1 :])
    assert classify(screen._replace(rows=rows), PROFILES["codex"]).state is State.UNKNOWN


@pytest.mark.parametrize("name", ["approval_dialog@120x40", "approval_dialog@80x40"])
def test_a_dialogs_hash_does_not_see_what_happens_above_it(name: str) -> None:
    """The row above it blinks while the program waits for an answer."""
    screen = load("codex", name)
    rows = tuple(
        row._replace(text=re.sub("^[•◦] Running", "? Running", row.text)) for row in screen.rows
    )
    assert rows != screen.rows
    before = classify(screen, PROFILES["codex"]).dialog
    after = classify(screen._replace(rows=rows), PROFILES["codex"]).dialog
    second = look("codex", name.replace("@", "_second@")).dialog
    assert before is not None
    assert after is not None
    assert second is not None
    assert before.hash == after.hash != second.hash


@pytest.mark.parametrize(("program", "name"), FILES)
def test_a_screen_read_without_utf8_is_never_taken_for_ready(program: str, name: str) -> None:
    screen = load(program, name)
    lines = [re.sub(r"[^\x00-\x7f]", "_", line) for line in screen.lines]
    shown = Screen.parse("\n".join(lines), width=screen.width, height=screen.height)
    found = classify(shown, PROFILES[program])
    assert found.state in (State.UNKNOWN, State.STARTING, State.EXITED)


TRAPS = {
    "codex": [
        *("› 1. Yes, proceed (y)", "  2. No (esc)", "  Press enter to confirm or esc to cancel"),
        *("› a message", "  stub-model default · /tmp/x", "• Working (1s • esc to interrupt)"),
        *("• Queued follow-up inputs", "  ↳ text", "■ You've hit your usage limit.", ""),
        *("  └ details", "  Would you like to run the following command?", "! ls"),
        *("› Ask Codex to do anything", "  ? for shortcuts"),
    ],
    "gemini": [
        *("╭──────────────╮", "│ ● 1. Allow once", "│ Allow execution of [Shell]?", " > a message"),
        *(" workspace (/directory)", " ⠹ Thinking... (esc to cancel, 0s)", "✦ OK.", ""),
        *("  Queued (press ↑ to edit):", "    text", "╰──────────────╯", "✕ [API Error: no]"),
    ],
}
ENDS = {
    "codex": ["  Worked for 1s • 22:00", "", "› Ask Codex to do anything"],
    "gemini": [
        "─" * 80,
        " Shift+Tab to accept edits",
        "",
        " >   Type your message or @path/to/file",
    ],
}
BELOW = {
    "codex": ["", "  stub-model default · ~/project", "  ← for agents · ? for shortcuts"],
    "gemini": ["", " workspace (/directory)    sandbox    /model", " ~/project    no sandbox"],
}


@pytest.mark.parametrize("program", TRAPS)
@given(data=st.data())
def test_nothing_that_stands_above_a_box_makes_it_a_dialog(
    program: str, data: st.DataObject
) -> None:
    above = data.draw(st.lists(st.sampled_from(TRAPS[program]), max_size=20))
    rows = [*above, "", *ENDS[program], *BELOW[program]]
    screen = Screen.parse("\n".join(rows), width=80, height=len(rows))
    found = classify(screen, PROFILES[program])
    assert found.state in (State.IDLE, State.WORKING, State.LIMITED), found.evidence
    assert found.box is not None


@pytest.mark.parametrize("program", TRAPS)
@given(data=st.data())
def test_a_menu_is_never_taken_for_a_box(program: str, data: st.DataObject) -> None:
    above = data.draw(st.lists(st.sampled_from(TRAPS[program]), max_size=20))
    dialog = load(program, "approval_dialog@120x40")
    rows = [*above, "", *(line for line in dialog.lines if line)]
    found = classify(Screen.parse("\n".join(rows), width=120, height=len(rows)), PROFILES[program])
    assert found.state is State.WAITING
    assert found.box is None
