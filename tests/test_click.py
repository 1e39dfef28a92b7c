"""``torch answer`` by a click of the mouse: on the option that was shown, where it was shown."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import TmuxServer, Torch, accept_profiles, wait_until
from torch_cli.attention.answer import answer, waiting
from torch_cli.errors import HeldError, RefusedError
from torch_cli.programs.loading import parse_profile
from torch_cli.roster.registry import profiles_dir
from torch_cli.store import Store
from torch_cli.tmux import gate
from torch_cli.tmux.panes import Pane

PROGRAM = r"""
import os, signal, sys, tty

ROWS = ["1. rm -rf build", "2. make", "Run it?", "", "  \u251c\u25b3 Yes   No"]
lines = 2

def draw(*_):
    global lines
    lines += 1
    sys.stdout.write("\x1b[2J\x1b[H" + "\r\n" * (lines - 3) + "\r\n".join(ROWS))
    sys.stdout.flush()

tty.setraw(0)
signal.signal(signal.SIGUSR1, draw)
if "mouse" in sys.argv:
    sys.stdout.write("\x1b[?1000h\x1b[?1006h")
draw()
while data := os.read(0, 4096):
    with open(sys.argv[1], "ab") as log:
        log.write(data)
    sys.stdout.write("\x1b[2J\x1b[HIt was answered.")
    sys.stdout.flush()
"""
"""A dialog with its options in one row. SIGUSR1 draws all of it one row lower."""

PROFILE = r"""
name = "clicked"
verified = false

[[rules]]
state = "waiting"
name = "dialog"
kind = "permission"
choose = "click"
where = "bottom"
rows = 5
match = '^  ├△ (Yes)   (No)$'

[[rules]]
state = "idle"
name = "answered"
where = "bottom"
rows = 1
match = '^It was answered\.$'
"""


class Clicked:
    """The program in a pane, as the agent ``dev``, and what it has read."""

    def __init__(self, tmux: TmuxServer, torch: Torch, home: Path, mouse: bool) -> None:
        self.tmux, self.log = tmux, home / "log"
        profiles = Path(profiles_dir())
        profiles.mkdir(parents=True)
        (profiles / "clicked.toml").write_text(PROFILE, encoding="utf-8")
        accept_profiles()
        (home / "program.py").write_text(PROGRAM, encoding="utf-8")
        words = [sys.executable, str(home / "program.py"), str(self.log), *["mouse"] * mouse]
        self.pane: Pane = tmux.new_session("work", *words)
        tmux.wait_for_text(self.pane, "Yes   No")
        assert torch("adopt", self.pane.id, "dev", "--profile", "clicked").code == 0

    def read(self) -> bytes:
        """Return all that the program has read."""
        return self.log.read_bytes() if self.log.exists() else b""


@pytest.fixture
def clicked(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> Clicked:
    return Clicked(tmux, torch, tmp_path, mouse=True)


@pytest.mark.parametrize(("said", "column"), [("yes", 6), ("2", 12)])
def test_the_option_is_clicked_where_it_stands(
    clicked: Clicked, store: Store, said: str, column: int
) -> None:
    """Pressed and let go there, in one piece, and nothing else."""
    shown = waiting(store, clicked.tmux.socket, "dev")
    assert [option.words for option in shown.asked.options] == ["Yes", "No"]
    done = answer(store, clicked.tmux.socket, "dev", said, shown.dialog.hash)
    assert done.gone
    assert done.keys == (f"click {column},5",)
    assert clicked.read() == b"\x1b[<0;%d;5M\x1b[<0;%d;5m" % (column, column)
    (event,) = store.events.read(verbs=["answer"])
    assert event.detail["keys"] == [f"click {column},5"]


def test_a_dialog_that_has_moved_meanwhile_is_not_clicked_on(
    clicked: Clicked, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are all there, in other places."""
    original = gate.paste

    def late(client: Any, pane: Any, **given: Any) -> gate.GateOutcome:
        os.kill(clicked.pane.pid, signal.SIGUSR1)
        wait_until(
            lambda: clicked.tmux.screen(clicked.pane).split("\n")[5:6] == ["  ├△ Yes   No"],
            what="the dialog one row lower",
        )
        return original(client, pane, **given)

    monkeypatch.setattr(gate, "paste", late)
    dialog = waiting(store, clicked.tmux.socket, "dev").dialog.hash
    with pytest.raises(HeldError, match="shows something else now; nothing was chosen"):
        answer(store, clicked.tmux.socket, "dev", "yes", dialog)
    assert clicked.read() == b""
    assert store.events.read(verbs=["answer"]) == []


def test_a_program_without_a_mouse_is_not_clicked_on(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, store: Store
) -> None:
    """It would take the click for keys, the first of them Escape."""
    clicked = Clicked(tmux, torch, tmp_path, mouse=False)
    dialog = waiting(store, tmux.socket, "dev").dialog.hash
    with pytest.raises(RefusedError, match="does not listen to the mouse"):
        answer(store, tmux.socket, "dev", "yes", dialog)
    assert clicked.read() == b""


def test_a_click_needs_a_group_for_each_option() -> None:
    text = PROFILE.replace("(Yes)   (No)", "Yes   No")
    with pytest.raises(RefusedError, match="click needs a group of match"):
        parse_profile(text, "clicked.toml")
