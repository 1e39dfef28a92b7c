"""Every command that prints a table fits the terminal, in a real one, with names hard to print."""

import os
import re
import sys
import time
from pathlib import Path

import pytest

import snapshots
from conftest import SOURCE, TmuxServer, Torch
from read_terminal import on_terminal
from repository import Repository
from snapshots import WIDTHS, bare, width_of
from torch_cli.store import Store
from torch_cli.store.messages import new_message
from torch_cli.store.tasks import Task

TITLE = "Fix the 日本語 parser 🚀 👍🏽 and say in the changelog what was wrong with it before"

PROGRAM = """
import fcntl, itertools, os, struct, sys, termios
from torch_cli.cli.group import torch
for words, width, colours in itertools.product({commands}, {widths}, (False, True)):
    os.environ.pop("NO_COLOR", None)
    if not colours:
        os.environ["NO_COLOR"] = "1"
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    print("=" * 9, words, width, colours, sep="|", flush=True)
    sys.argv[1:] = words.split()
    try:
        torch(prog_name="torch")
    except SystemExit as ended:
        assert ended.code in (0, 1), (words, ended.code)
"""
"""One process for all of them: the project with its agents takes longer to make than they take."""

STABLE = ("task list --all", "outbox list", "inbox dev", "message kinds", "briefing list")
"""Commands whose whole output is kept as a snapshot; of the others times and versions change."""

COMMANDS = [
    *STABLE,
    *("who", "task stats", "checkin list", "checkpoint list", "checkpoint list --all"),
    *("checkpoint status", "recover", "profile list", "notify test", "health"),
]


@pytest.fixture
def project(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> Path:
    """A project with something in every list."""
    repository = Repository.make(tmp_path / "日本 проект 🚀 with a long name", {"a file": "1\n"})
    pane = tmux.new_session("main", "exec cat", directory=repository.path)
    tmux.wait_until(lambda: tmux.pane(pane.id).command == "cat", "cat")
    for name in ("開発者-with-a-name-that-is-long", "dev"):
        target = pane.id if name == "dev" else tmux.new_window("main", "w", "exec cat").id
        assert torch("adopt", target, name, "--profile", "demo").code == 0
    assert torch("checkin", "add", "dev", TITLE, "--every", "20m").code == 0
    there = str(repository.path)
    assert torch("checkpoint", "now", there, "-m", TITLE).code == 0
    repository.write("a file", "2\n")
    assert torch("checkpoint", "now", there).code == 0
    with Store() as store:
        store.tasks.add(Task("", "short"))
    assert torch("task", "claim", env={"TORCH_AGENT": "dev"}).code == 0
    at = time.time() - 3 * 86_400 - 60
    with Store() as store:
        agent = store.agents.get("dev")
        assert agent is not None
        for number, state in enumerate(("open", "done", "failed")):
            task = store.tasks.add(Task("", TITLE, skills=("sql", "café ☺️"), priority=-number))
            sql = "UPDATE tasks SET state = ?, holder = 'dev' WHERE id = ?"
            store.database.query(sql, state, task.id)
        store.database.query("DELETE FROM tasks WHERE title = 'short'")
        store.database.query("UPDATE tasks SET created = ?, changed = ?", at, at)
        for number in range(3):
            message = new_message(
                f"m-00000000000{number}",
                recipient="dev",
                agent=agent.identity,
                sender="" if number else "開発者-with-a-name-that-is-long",
                body=TITLE,
                typed=TITLE,
                server=agent.server,
                pane=agent.pane,
                pane_pid=agent.pane_pid,
                kept=True,
                created=at,
                state="held",
                reason="dialog: the program asks 'Do you want to proceed?'; nothing was typed",
            )
            store.messages.accept(message)
        store.database.query("UPDATE messages SET created = ?, updated = ?", at, at)
    return repository.path


def printed(torch: Torch, cwd: Path) -> dict[str, dict[str, str]]:
    """Return what each of ``COMMANDS`` prints, by width and colours."""
    program = PROGRAM.format(widths=WIDTHS, commands=COMMANDS)
    environ = {**os.environ, "PYTHONPATH": str(SOURCE), "TERM": "xterm"}
    environ["TORCH_TMUX_SOCKET"] = torch.socket.name
    text = on_terminal([sys.executable, "-c", program], environ, cwd, (80, 40)).decode()
    parts = re.split(r"^={9}\|(.+)\|(\d+)\|(\w+)\n", text, flags=re.MULTILINE)[1:]
    shown: dict[str, dict[str, str]] = {words: {} for words in COMMANDS}
    for words, width, colours, text in zip(*(parts[n::4] for n in range(4)), strict=True):
        shown[words][f"{width} columns{', colours' if colours == 'True' else ''}"] = text
    return shown


def test_every_table_fits_the_terminal(torch: Torch, project: Path) -> None:
    for words, shown in printed(torch, project).items():
        assert len(shown) == 2 * len(WIDTHS), words
        for width in WIDTHS:
            plain, coloured = (shown[f"{width} columns{more}"] for more in ("", ", colours"))
            rows = plain.splitlines()
            assert len(rows) >= 2, (words, plain)
            assert max(map(width_of, rows)) <= width, (words, plain)
            assert "\x1b" not in plain, words
            assert "\x1b[1m" in coloured, f"the headings of {words}"
            if words in STABLE:
                assert bare(coloured) == plain, words
        if words in STABLE:
            same = {
                title: re.sub(r"t-[0-9a-f]{8}", "t-00000000", text) for title, text in shown.items()
            }
            snapshots.check("-".join(words.replace("--", "").split()), same)


def test_these_are_all_commands_with_a_table() -> None:
    places = (SOURCE / "torch_cli" / "cli").rglob("*.py")
    marks = sum(len(re.findall(r"^@table_options\(", p.read_text(), re.MULTILINE)) for p in places)
    assert marks == len({one.partition(" --")[0] for one in COMMANDS}) + len(["ps"])
