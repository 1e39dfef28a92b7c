"""The classifier against programs in their modes for screen readers: unknown, and it says why.

``screens/screen_reader/PROGRAM-WHAT@WxH.ansi.txt`` were captured on 2026-11-29 in tmux 3.3a, from
Claude Code 2.1.330 (``axScreenReader``) and Gemini CLI 0.61.0 (``ui.accessibility.screenReader``)
that talked to a stub. ``facts.json`` has the cursor, the pane's title, and whether the cursor was
hidden.
"""

import json
from pathlib import Path

import pytest

from captured import captured
from dialogs import IDLE, PROFILES
from torch_cli.programs.asked import asked
from torch_cli.programs.classify import classify
from torch_cli.programs.state import UNKNOWN_KIND, AgentState, State
from torch_cli.programs.unclear import advice
from torch_cli.tmux.screen import Row, Screen

FOLDER = Path(__file__).parent / "screens" / "screen_reader"
FACTS = json.loads((FOLDER / "facts.json").read_text("utf-8"))
SETTINGS = {"claude": "axScreenReader", "gemini": "screenReader"}
PLAIN = [name for name in FACTS if "-dialog" not in name]
DIALOGS = [name for name in FACTS if "-dialog" in name]


def load(name: str) -> Screen:
    return captured(FOLDER, name, FACTS[name])


def look(name: str) -> AgentState:
    return classify(load(name), PROFILES[name.partition("-")[0]])


def test_every_screen_has_its_facts_at_every_width() -> None:
    assert {path.name.removesuffix(".ansi.txt") for path in FOLDER.glob("*.txt")} == set(FACTS)
    sizes = {(name.partition("-")[0], name.partition("@")[2]) for name in FACTS}
    assert sizes == {(name, size) for name in SETTINGS for size in ("40x40", "80x24", "120x40")}


@pytest.mark.parametrize("name", PLAIN)
def test_idle_at_work_and_with_a_draft_it_is_unknown_and_says_what_to_set(name: str) -> None:
    found = look(name)
    assert (found.state, found.rule) == (State.UNKNOWN, "screen reader"), found.evidence
    assert found.box is None
    assert found.dialog is None
    assert SETTINGS[name.partition("-")[0]] in advice(found, "dev")
    assert "torch stop dev" in advice(found, "dev")


@pytest.mark.parametrize("name", DIALOGS)
def test_its_dialog_is_an_unknown_one_which_gets_no_key_without_its_hash(name: str) -> None:
    found = look(name)
    assert (found.state, found.rule) == (State.UNKNOWN, "unknown dialog"), found.evidence
    assert found.dialog is not None
    assert found.dialog.kind == UNKNOWN_KIND
    wanted = "Do you want to proceed?" if "claude" in name else "Allow execution of [Shell]?"
    assert found.dialog.question == wanted
    assert any("touch approved" in row for row in found.dialog.rows)


def test_the_selected_option_is_a_part_of_the_hash_where_it_shows() -> None:
    for size in ("40x40", "80x24"):
        one, two = (look(f"gemini-{what}@{size}").dialog for what in ("dialog", "dialog_second"))
        assert one is not None
        assert two is not None
        assert one.hash != two.hash
        assert (one.rows[one.marked or 0][:13], two.marked) == (
            "(checked) 1. ",
            (one.marked or 0) + 1,
        )
        assert asked(one).is_still(asked(two))


@pytest.mark.parametrize("program", SETTINGS)
def test_a_quoted_prompt_does_not_hide_a_box(program: str) -> None:
    """The rule of the mode is for screens without a box."""
    name = {"claude": "$", "gemini": "> "}[program]
    shown = next(one for one in IDLE[program] if one.height >= 24)
    rows = (Row.plain(name), Row.plain("manual mode on"), Row.plain("Shift+Tab to accept edits"))
    found = classify(shown._replace(rows=(*rows, *shown.rows[3:])), PROFILES[program])
    assert found.state is State.IDLE, found.evidence
