"""Sentences fit the terminal: they are folded between words, and a pipe gets them in one line."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import SOURCE, Torch
from torch_cli.cli.cells import cells, folded
from torch_cli.cli.present import _fitted


def both(torch: Torch, columns: int, *words: str, cwd: Path) -> list[str]:
    """Return the rows that a terminal of ``columns`` gets from ``torch WORDS`` and its errors."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    subprocess.run(
        torch.argv(*words),
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        cwd=cwd,
        check=False,
        timeout=60,
    )
    os.close(terminal)
    got = b""
    try:
        while step := os.read(master, 65536):
            got += step
    except OSError:  # everything was read
        pass
    os.close(master)
    return got.decode().replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        (("send", "nobody", "x"), 60),
        (("spawn", "dev", "--profile", "nosuch"), 80),
        (("daemon", "status"), 60),
        (("doctor",), 80),
    ],
)
def test_a_sentence_fits_the_terminal(
    torch: Torch, tmp_path: Path, words: tuple[str, ...], columns: int
) -> None:
    rows = both(torch, columns, *words, cwd=tmp_path)
    assert rows
    for row in rows:
        assert cells(row) <= columns or " " not in row.strip(), "only a long word may be longer"
        assert row.count("'torch") == 0 or row.count("'") % 2 == 0, f"a command is broken: {row}"


def test_a_pipe_gets_a_sentence_in_one_line(torch: Torch, tmp_path: Path) -> None:
    said = torch("spawn", "dev", "--profile", "nosuch", cwd=tmp_path).err.splitlines()
    assert len(said) == 2
    assert max(map(len, said)) > 80


def test_json_is_not_folded(torch: Torch, tmp_path: Path) -> None:
    (row,) = both(torch, 60, "daemon", "status", "--json", cwd=tmp_path)
    assert len(row) > 60


def test_a_command_at_the_end_has_a_row_of_its_own() -> None:
    command = "torch spawn api --profile claude --dir /home/ada/shop --resume 4604ae3e-5692"
    rows = folded(f"End it, and start it with Torch: {command}", 60, 2, whole=True)
    assert rows == ["End it, and start it with Torch:", f"  {command}"]
    two = "Start it again: torch spawn pm. If a team's file names it, then with it: torch up"
    assert folded(two, 60, 2, whole=True)[1].endswith("torch up")


@given(st.text("ab '日本/", max_size=60), st.integers(4, 40))
def test_a_word_is_not_broken_if_it_is_to_be_copied(text: str, columns: int) -> None:
    rows = folded(text, columns, 2, whole=True)
    assert "".join(rows).split() == text.split() or " ".join(rows).split() == text.split()


@given(
    st.integers(10, 120),
    st.integers(0, 150),
    st.lists(st.text("xy", min_size=1, max_size=5), min_size=1, max_size=40),
    st.sampled_from(["", "torch: "]),
    st.sampled_from([" ", "  ", " " * 30]),
    st.sampled_from([None, 2, 30]),
)
def test_a_line_that_begins_far_to_the_right_fits_too(
    columns: int, begins: int, words: list[str], prefix: str, gap: str, indent: int | None
) -> None:
    """An error may quote a screen, with what it had in the middle of a wide terminal."""
    line = f"{' ' * begins}{prefix}{gap.join(words)}"
    rows = _fitted(line, columns, indent).split("\n")
    assert max(map(cells, rows)) <= columns
    assert " ".join(rows).split() == line.split()


def test_what_is_a_text_for_a_file_stays_as_it_is(torch: Torch, tmp_path: Path) -> None:
    piped = torch("shell", "tmux").out.splitlines()
    assert both(torch, 60, "shell", "tmux", cwd=tmp_path) == piped
    assert max(map(len, piped)) > 60


def test_torch_alone_shows_the_commands_of_every_day(torch: Torch, tmp_path: Path) -> None:
    rows = both(torch, 80, cwd=tmp_path)
    assert len(rows) < 24, "it fits a small terminal"
    assert any("torch help" in row for row in rows)
    assert subprocess.run(
        [sys.executable, "-m", "torch_cli"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    ).stdout.startswith("Usage: torch COMMAND")


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_what_takes_longer_than_a_second_is_said(
    torch: Torch, tmp_path: Path, quiet: tuple[str, ...]
) -> None:
    """On a terminal, while it is done; a pipe hears of it with -v only."""
    words = ("spawn", "dev", "--profile", "demo", *quiet, "--", "--start-delay", "3")
    rows = both(torch, 80, *words, cwd=tmp_path)
    said = [row for row in rows if row.startswith("torch: waiting up to ")]
    assert len(said) == (0 if quiet else 1), rows
    again = torch("spawn", "other", *words[2:], cwd=tmp_path)
    assert again.code == 0, again
    assert "waiting up to" not in again.err
