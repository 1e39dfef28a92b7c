"""What commands print at a terminal, of 60 to 200 columns, in colours and without: all of it.

The whole output of each is compared with a file in ``tests/tables``, and no line is wider than the
terminal. ``TORCH_SNAPSHOTS=write`` writes the files anew; look at ``git diff`` then.
"""

import itertools
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import snapshots
from conftest import KEEPS_DEAD, SOURCE
from read_terminal import on_terminal
from snapshots import WIDTHS, bare, width_of
from world import World, world

PROGRAM = """
import fcntl, itertools, json, os, struct, sys, termios
from torch_cli.cli.group import torch
commands, widths = json.loads(sys.argv[1])
for words, width, colours in itertools.product(commands, widths, (False, True)):
    os.environ.pop("NO_COLOR", None)
    if not colours:
        os.environ["NO_COLOR"] = "1"
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    print("=" * 9, words, width, colours, sep="|", flush=True)
    sys.argv[1:] = words.split()
    try:
        torch(prog_name="torch")
    except SystemExit as ended:
        assert ended.code != 2, words
"""
"""One process for all of them, which takes less time to start than they take."""

STABLE = (
    # agents
    *("ps", "ps -v", "tree", "who", "state", "health", "health --explain", "resurrect --dry-run"),
    *("adopt --all --dry-run",),
    # who needs you
    *("status", "since 4d", "why dev", "why pm", "why gone", "events", "mute"),
    # messages
    *("inbox dev", "outbox list", "message kinds"),
    *("outbox show {title}", "thread {question}"),
    # teams and tasks
    *("up --dry-run", "briefing list", "agreement check", "task list --all", "task stats"),
    *("task route --dry-run --explain", "task show {task}"),
    # check-ins and checkpoints
    *("checkin list --all", "checkin show how-far", "checkin history", "daemon status"),
    *("checkpoint list", "checkpoint status", "recover"),
    *("checkpoint show {checkpoint}", "checkpoint diff {checkpoint} latest"),
)
"""Commands whose output is the same in every world, but for the characters of times and ids. What
stands in braces is an id (``World.ids``).
"""

CHANGING = (
    *("state -v", "since", "profile list", "notify test", "doctor", "store prune --dry-run"),
    *("receipt {title}", "uninstall --dry-run --checkpoints --state"),
)
"""Commands that say what differs between machines or from day to day: versions, programs, paths."""

SAME_WIDTH = (
    r"\b((?:c|ci|m|r|t)-)([0-9a-f]{1,12})\b",  # ids, also if they were cut
    r"(--hash )([0-9a-f]{12})",
    r"()\b((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) 20\d\d)",
    r"()(\b(?:20\d\d-)?\d\d-\d\d(?: \d\d:\d\d(?::\d\d)?)?)",  # days and times
    r"()\b(\d\d:\d\d(?::\d\d)?)",
    r"(refs/torch/checkpoints/main/)(\d+)",
)
"""What differs between runs: patterns whose second group is filled with zeros, one for each
character, so that every line stays as wide as it was.
"""


@pytest.fixture(scope="module")
def made() -> Iterator[World]:
    with world() as one:
        yield one


@pytest.fixture(scope="module")
def printed(made: World) -> dict[str, dict[str, str]]:
    """Return what each command prints, by width and colours."""
    ids = made.ids()
    given = json.dumps([[words.format(**ids) for words in (*STABLE, *CHANGING)], WIDTHS])
    command = [sys.executable, "-c", PROGRAM, given]
    text = on_terminal(command, made.environ, made.project, (80, 40), errors=True).decode()
    text = text.replace(str(made.place), "/tmp/torch".ljust(len(str(made.place)), "-"))
    for commit in made.commits():
        text = text.replace(commit[:10], "0" * 10).replace(commit[:9], "0" * 9)
        for length in range(2, 9):  # a cell of its own, cut
            text = text.replace(f"  {commit[:length]}…", f"  {'0' * length}…")
    parts = re.split(r"^={9}\|(.+)\|(\d+)\|(\w+)\n", text, flags=re.MULTILINE)[1:]
    shown: dict[str, dict[str, str]] = {words: {} for words in (*STABLE, *CHANGING)}
    for given, width, colours, text in zip(*(parts[n::4] for n in range(4)), strict=True):
        words = next(words for words in shown if words.format(**ids) == given)
        shown[words][f"{width} columns{', colours' if colours == 'True' else ''}"] = text
    return shown


def steady(text: str) -> str:
    """Return ``text`` with zeros for what differs between runs; each line is as wide as before."""
    for pattern in SAME_WIDTH:
        text = re.sub(pattern, lambda found: found[1] + re.sub(r"[^-: ]", "0", found[2]), text)
    return text


@pytest.mark.parametrize("words", [*STABLE, *CHANGING])
def test_what_is_printed_fits_the_terminal(printed: dict[str, dict[str, str]], words: str) -> None:
    shown = printed[words]
    assert len(shown) == 2 * len(WIDTHS)
    for width, more in itertools.product(WIDTHS, ("", ", colours")):
        text = shown[f"{width} columns{more}"]
        assert text.strip()
        wide = [row for row in text.splitlines() if width_of(row) > width]
        assert [row for row in wide if not is_command(row)] == []
        assert more or "\x1b" not in text


def is_command(row: str) -> bool:
    """Return whether ``row`` is a command, which stays whole to be copied, or one long word."""
    words = bare(row).strip()
    return words.startswith("torch ") or " " not in words


@pytest.mark.parametrize("words", STABLE)
def test_what_is_printed_is_as_it_was_seen_last(
    printed: dict[str, dict[str, str]], words: str
) -> None:
    shown = {title: steady(text) for title, text in printed[words].items()}
    for title, text in shown.items():
        assert list(map(width_of, text.splitlines())) == list(
            map(width_of, printed[words][title].splitlines())
        )
    for width in WIDTHS:
        assert bare(shown[f"{width} columns, colours"]) == shown[f"{width} columns"]
    if not KEEPS_DEAD:  # the pane of the agent that has ended is gone there, and is said to be
        return
    name = re.sub(r"[-{}]", "", words)
    snapshots.check("-".join(["torch", *name.split()]), shown)


ENDED = """
import fcntl, struct, sys, termios
from torch_cli.cli.common import Common
from torch_cli.cli.teams.down import print_ended
from torch_cli.teams.down import DownState, EndedMember
from torch_cli.tmux.socket import Socket
fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, int(sys.argv[1]), 0, 0))
note = "note /home/anna/.local/state/torch/handoffs/cart-20261130-124208/note.md"
tree = "the worktree /home/anna/shop-feature-cart was removed: all of it is merged"
for one in (
    EndedMember("cart", DownState.STOPPED, ("checkpoint c-00000000", note, tree)),
    EndedMember("開発者", DownState.GONE, ("no checkpoint: /home/anna/far is outside git",)),
    EndedMember("server", DownState.LEFT),
):
    print_ended(one, Common(Socket(), False, False, False))
"""


def test_what_down_prints_is_as_it_was_seen_last(tmp_path: Path) -> None:
    shown = {}
    for width in WIDTHS:
        command = [sys.executable, "-c", ENDED, str(width)]
        environ = {**os.environ, "HOME": "/home/anna", "PYTHONPATH": str(SOURCE)}
        text = on_terminal(command, environ, tmp_path, (width, 40), errors=True).decode()
        assert max(map(width_of, text.splitlines())) <= width
        shown[f"{width} columns"] = text
    snapshots.check("torch-down", shown)


def test_these_are_all_commands_with_a_table() -> None:
    places = (SOURCE / "torch_cli" / "cli").rglob("*.py")
    marks = sum(len(re.findall(r"^@table_options\(", p.read_text(), re.MULTILINE)) for p in places)
    with_options = {"checkpoint status", "inbox dev", "task list --all", "checkin list --all"}
    with_options |= {"ps", "who", "health", "outbox list", "message kinds", "briefing list"}
    with_options |= {"task stats", "checkpoint list", "recover", "profile list", "notify test"}
    assert with_options <= {*STABLE, *CHANGING}
    assert marks == len(with_options)
