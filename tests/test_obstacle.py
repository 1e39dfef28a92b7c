"""What holds a message back, and whether it is waited for."""

import json
from pathlib import Path
from typing import cast

import pytest

from torch_cli.agents.classify import classify
from torch_cli.agents.observe import Sight
from torch_cli.agents.profile import load_profile
from torch_cli.delivery.obstacle import obstacle
from torch_cli.delivery.recipient import Recipient, submit_key
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
