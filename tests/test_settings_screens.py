"""The classifier against screens of programs with settings that people have.

``screens/settings/PROGRAM-SETTING-WHAT@WxH.ansi.txt`` were captured on 2026-11-29 in tmux 3.3a,
from Codex 0.169.0, Gemini CLI 0.61.0 and Claude Code 2.1.330 that talked to a stub. ``facts.json``
has the cursor, the pane's title, and whether the cursor was hidden. What each shows was worked out
by eye.
"""

import json
import random
import re
from pathlib import Path

import pytest

import test_other_screens as others
from captured import captured
from dialogs import PROFILES, changed, waiting
from torch_cli.programs.classify import classify
from torch_cli.programs.state import AgentState, State
from torch_cli.tmux.screen import Row, Screen

FOLDER = Path(__file__).parent / "screens" / "settings"
FACTS = json.loads((FOLDER / "facts.json").read_text("utf-8"))
DRAFT = "hello there\nsecond line\nthird"

# What is shown: state, and what is in the box (None: there is no box).
SHOWN: dict[str, tuple[str, str | None]] = {
    "idle": ("idle", ""),
    "suggest": ("idle", ""),  # what a person might write next, in the colour of a text
    "draft": ("idle", DRAFT),
    "drafthome": ("idle", DRAFT),  # its cursor was moved to the beginning
    "working": ("working", ""),
    "working_draft": ("working", "more to come"),
    "dialog": ("waiting", None),
}


def load(name: str) -> Screen:
    return captured(FOLDER, name, FACTS[name])


def look(name: str) -> AgentState:
    return classify(load(name), PROFILES[name.partition("-")[0]])


def test_every_screen_has_its_facts() -> None:
    assert {path.name.removesuffix(".ansi.txt") for path in FOLDER.glob("*.txt")} == set(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_a_screen_with_peoples_settings_reads_as_what_it_shows(name: str) -> None:
    program, _, what = name.partition("@")[0].split("-")
    state, text = SHOWN[what]
    found = look(name)
    assert found.state == state, (found.evidence, load(name).text)
    if text is None:
        assert found.box is None
        assert found.dialog is not None
        return
    assert found.box is not None
    wanted = "my own draft" if program == "claude" and text else text  # by hand, in one line
    assert found.box.text == wanted, load(name).text
    if program != "codex":
        assert found.mode == "manual"


@pytest.mark.parametrize(
    "name", [n for n in FACTS if re.match("(?:codex|gemini-(?!no_colour)).*-(?:idle|draft)@", n)]
)
def test_a_footer_of_ones_own_counts_only_with_the_cursor_in_the_box(name: str) -> None:
    """Whatever the footer says, what has no cursor in it may be an echo, or a row of a menu."""
    screen = load(name)
    for line in (0, len(screen.rows) - 1):
        found = classify(screen._replace(cursor=(0, line)), PROFILES[name.partition("-")[0]])
        assert found.state in (State.UNKNOWN, State.STARTING), found.evidence


@pytest.mark.parametrize("name", ["codex-model-idle@80x24", "codex-empty-idle@120x40"])
@pytest.mark.parametrize(
    "last", ["  ? for shortcuts", "  enter select · esc back", "  esc to cancel", "  1. Yes"]
)
def test_a_row_about_keys_is_not_a_footer(name: str, last: str) -> None:
    screen = load(name)
    end = max(at for at, row in enumerate(screen.rows) if row.text)
    rows = (*screen.rows[:end], Row.plain(last), *screen.rows[end + 1 :])
    found = classify(screen._replace(rows=rows), PROFILES["codex"])
    assert found.state is not State.IDLE, found.evidence


@pytest.mark.parametrize("name", [name for name in FACTS if name.startswith("claude-no_colour-s")])
def test_a_text_is_a_ghost_only_if_the_footer_says_that_the_box_is_empty(name: str) -> None:
    """A person's own text, with the cursor at its beginning, looks the same but for the footer."""
    screen = load(name)
    rows = tuple(
        row._replace(text=re.sub(r" · \? for (?:shortcuts|…)", "", row.text)) for row in screen.rows
    )
    found = classify(screen._replace(rows=rows), PROFILES["claude"])
    assert found.box is not None
    assert found.box.text == "run the tests"


BOXLESS = [
    (program, name)
    for program, name in others.FILES
    if "@80x" in name and others.look(program, name).box is None
]


@pytest.mark.parametrize(("program", "name"), BOXLESS)
def test_wherever_the_cursor_is_what_has_no_box_gets_no_empty_one(program: str, name: str) -> None:
    screen = others.load(program, name)
    for line in range(len(screen.rows)):
        found = classify(screen._replace(cursor=(3, line)), PROFILES[program])
        assert found.box is None or not found.box.empty, (line, found.evidence)


def test_no_changed_dialog_has_an_empty_box_wherever_the_cursor_is() -> None:
    chance = random.Random(20261129)
    screens = [one for one in waiting() if one[0] in ("codex", "gemini")]
    for number in range(500):
        program, name, screen = screens[number % len(screens)]
        shown, done = changed(chance, program, screen)
        cursor = (chance.choice([2, 3, 5]), chance.randrange(len(shown.rows)))
        found = classify(shown._replace(cursor=cursor), PROFILES[program])
        empty = found.state is State.IDLE and found.box is not None and found.box.empty
        assert not empty, f"{name}: {done}, cursor {cursor}: {found.evidence}\n{shown.text}"
