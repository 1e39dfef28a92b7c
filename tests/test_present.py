"""What is printed at a terminal cannot steer it; a pipe gets every byte."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from conftest import SOURCE, Torch
from read_terminal import on_terminal
from torch_cli.cli.present import for_a_reader

CLIPBOARD = "\x1b]52;c;cm0gLXJm\x07"
"""Writes to the clipboard of the terminal that obeys it (xterm's OSC 52)."""

HOSTILE = f"before {CLIPBOARD}\x1b[2J\x9b31m\tafter\n"


def shown(torch: Torch, *words: str, cwd: Path, argv: Sequence[str] = ()) -> bytes:
    """Return the bytes that a terminal gets from ``torch WORDS``, without its carriage returns.

    Or from another command, ``argv``.
    """
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return on_terminal(argv or torch.argv(*words), environ, cwd)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose files hold what steers a terminal."""
    place = tmp_path / "project"
    (place / "briefings").mkdir(parents=True)
    (place / "briefings/bad.md").write_text(HOSTILE)
    profiles = tmp_path / "torch/config/profiles"
    profiles.mkdir(parents=True)
    words = 'name = "bad"\n[launch]\ncommand = ["cat"]\n'
    (profiles / "bad.toml").write_text(f"{words}# \x9b31m\x85\n")
    return place


@pytest.mark.parametrize(
    "words",
    [("briefing", "show", "bad"), ("briefing", "render", "bad"), ("profile", "show", "bad")],
)
def test_a_file_of_somebody_elses_does_not_steer_the_terminal(
    torch: Torch, project: Path, words: tuple[str, ...]
) -> None:
    got = shown(torch, *words, cwd=project)
    assert b"\x1b" not in got
    assert "\x9b".encode() not in got
    assert b"\\x9b31m" in got
    if words[0] == "briefing":
        assert b"\\x1b]52;c;" in got
        assert b"\tafter\n" in got
        piped = torch(*words, cwd=project)
        assert piped.out == HOSTILE


def test_an_answer_does_not_steer_the_terminal(torch: Torch, tmp_path: Path) -> None:
    """Read from a transcript or a hook it is the program's own text, not what tmux has shown."""
    receipt = "Receipt('m-1', 'dev', '%1', Outcome.SUBMITTED, '', (), 1, 1.0)"
    program = f"""
from torch_cli.cli.common import Common
from torch_cli.cli.sending import _print_answer
from torch_cli.delivery.ask import Answer
from torch_cli.delivery.receipt import Outcome, Receipt
from torch_cli.tmux.socket import Socket
answer = Answer({receipt}, {HOSTILE!r}, "transcript")
_print_answer(answer, Common(Socket(), False, False, False))
"""
    got = shown(torch, cwd=tmp_path, argv=[sys.executable, "-c", program])
    assert b"\x1b" not in got
    assert b"\\x1b]52;c;" in got


def test_a_diff_keeps_its_own_colours_and_no_other_control(
    torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    place = tmp_path / "repository"
    place.mkdir()
    for words in (["init", "-q"], ["config", "user.name", "A"], ["config", "user.email", "a@b.c"]):
        subprocess.run(["git", *words], cwd=place, check=True)
    (place / "a.txt").write_text("one\n")
    assert torch("checkpoint", "now", cwd=place).code == 0
    (place / "a.txt").write_text(HOSTILE)
    got = shown(torch, "checkpoint", "diff", cwd=place)
    assert b"\x1b[32m" in got or b"\x1b[31m" in got, got
    assert b"\x1b]" not in got
    assert b"\x1b[2J" not in got


def test_json_holds_no_control_character(torch: Torch, project: Path) -> None:
    """JSON itself lets those above U+007E stand as they are."""
    done = torch("briefing", "show", "bad", "--json", cwd=project)
    assert done.json["text"] == HOSTILE
    assert done.out.removesuffix("\n").isprintable()


def test_a_pipe_that_is_not_the_outputs_is_an_error() -> None:
    """It may be one to tmux. A command that did nothing must not end with status 0."""
    with pytest.raises(BrokenPipeError), for_a_reader():
        raise BrokenPipeError
