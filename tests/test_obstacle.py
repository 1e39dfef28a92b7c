"""What holds a message back, and whether it is waited for."""

import json
from pathlib import Path
from typing import cast

import pytest

from torch_cli.delivery.obstacle import obstacle
from torch_cli.delivery.recipient import Recipient
from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile
from torch_cli.programs.observe import Sight
from torch_cli.roster.safety import submit_key
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.screen import Screen

FOLDER = Path(__file__).parent / "screens"


@pytest.mark.parametrize("below", ["", "and so the answer goes on"])
def test_a_program_that_hides_its_box_while_it_works_is_waited_for(below: str) -> None:
    """What aider writes then has no sign of work beside it: it is no unknown screen for that."""
    aider = load_profile("aider", None)
    column, row, _ = json.loads((FOLDER / "aider" / "cursors.json").read_text())["working@120x40"]
    captured = (FOLDER / "aider" / "working@120x40.ansi.txt").read_text().rstrip("\n")
    shown = f"{captured}\n{below}" if below else captured
    screen = Screen.parse(shown, width=120, height=40, cursor=(column, row))
    sight = Sight(screen, classify(screen, aider))
    assert sight.state.box is None
    key = submit_key(aider, chord=False, version="")
    to = Recipient("dev", cast(Pane, None), aider, key)
    assert obstacle(sight, to, "hello", when="ready")[0] == "working"


@pytest.mark.parametrize(
    ("height", "typed", "seen"),
    [
        (12, "word " * 100, True),
        (11, "two\nlines", True),
        (11, "three\nlines\nhere", True),  # as a placeholder, in one row
        (11, "word " * 15, False),
        (10, "two\nlines", True),
        (10, "x" * 36, True),
        (10, "x" * 37, False),
        (8, "漢" * 19, False),
        (8, "x" * 801, True),
    ],
)
def test_what_a_low_box_would_show_without_its_edge_is_not_pasted(
    height: int, typed: str, seen: bool
) -> None:
    claude = load_profile("claude", None)
    rule = "─" * 40
    rows = ["● OK.", *[""] * (height - 4), rule, "❯\u00a0", rule]
    screen = Screen.parse("\n".join(rows), width=40, height=height)
    key = submit_key(claude, chord=True, version="")
    to = Recipient("dev", cast(Pane, None), claude, key)
    reason = obstacle(Sight(screen, classify(screen, claude)), to, typed, when="ready")[0]
    wanted = f"not visible: the message is too long for the box, the pane has only {height} rows: "
    assert reason == ("" if seen else f"{wanted}make it higher")


def test_a_pane_that_is_too_low_for_the_box_is_named() -> None:
    claude = load_profile("claude", None)
    rows = ["● OK.", "", "", "✻ Worked for 0s", "", "─" * 40, "❯\u00a0"]
    screen = Screen.parse("\n".join(rows), width=40, height=7)
    key = submit_key(claude, chord=True, version="")
    to = Recipient("dev", cast(Pane, None), claude, key)
    reason = obstacle(Sight(screen, classify(screen, claude)), to, "hello", when="ready")[0]
    assert reason.endswith("; the pane has only 7 rows: make it higher")
