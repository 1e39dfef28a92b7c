"""The e2e tests read the screens of Claude Code without Torch; what they read is what is shown."""

import re
from pathlib import Path

import pytest

from e2e.claude import view
from e2e.program import View

FOLDER = Path(__file__).parent / "screens" / "settings"


def seen(name: str, setting: str = "no_colour") -> View:
    """Read a captured screen of Claude Code with a setting."""
    path = FOLDER / f"claude-{setting}-{name}.ansi.txt"
    size = re.search(r"@(\d+)x", name)
    assert size is not None
    return view(path.read_text("utf-8"), int(size[1]))


@pytest.mark.parametrize("name", ["idle@30x10", "idle@80x24", "suggest@30x10", "suggest@120x40"])
def test_without_colours_an_example_is_no_draft(name: str) -> None:
    assert seen(name).idle


@pytest.mark.parametrize("name", ["draft@80x24", "drafthome@30x10", "drafthome@80x24"])
def test_without_colours_a_draft_is_one(name: str) -> None:
    """Also with its cursor moved to the beginning, where the drawn cursor of an example is."""
    assert "my own draft" in (seen(name).box or "")


def test_work_without_motion_is_work() -> None:
    """Its row begins with a dot, as an answer does; with a status line no other row says it."""
    assert seen("working@120x40", setting="no_motion").working


def test_without_colours_work_is_work() -> None:
    assert seen("working@120x40").working
