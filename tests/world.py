"""One small world with something in every list, made once for all that look at it.

It is real: agents in panes of a private tmux server, git repositories, the state file. All of its
paths have the same length in every run, and everything in it happened days or hours ago, so that
what commands print of it differs only in characters, never in widths.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent import DEMO_PROGRAM
from conftest import PATIENCE, RUN, SOURCE, TmuxServer, wait_until
from repository import Repository
from torch_cli.paths import DATABASE
from torch_cli.tmux.socket import Socket

TITLE = "Fix the 日本語 parser 🚀 👍🏽 and say in the changelog what was wrong with it before"

PLACE = "/tmp/torch-world"
"""What stands in snapshots for the directory of the world."""

_PLACE_LENGTH = 24
"""Characters of the world's own directory; the number of the process in it has one to seven."""

SEVERAL = """
import json, sys, time
from torch_cli.cli.group import torch
back = float(sys.argv[2])
now = time.time
if back:
    time.time = lambda: now() - back
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    try:
        torch(prog_name="torch")
    except SystemExit as ended:
        assert ended.code in (0, 4, 8), (words, ended.code)
"""
"""Runs several commands in one process, which takes less time to start than each of them."""

TEAM = """
[team]
name = "shop"

[[process]]
name = "server"
command = ["python3", "-m", "http.server", "8123"]

[[agent]]
name = "pm"
role = "project-manager"
profile = "demo"

[[agent]]
name = "tester"
role = "qa"
profile = "demo"
parent = "pm"
worktree = "feature/cart-with-a-long-name"

[agreement]
uncommitted_at_most = "2h"

[[allow]]
tool = "Bash"
command = "npm test *"
"""

AGENTS = {
    "pm": ("idle", ["--role", "project-manager"], ""),
    "dev": (
        "waiting",
        ["--role", "developer", "--parent", "pm"],
        "DIALOG(npm install --save-dev left-pad@1.3.0 && npm test -- --watch=false)",
    ),
    "qa": ("error", ["--role", "qa", "--parent", "pm"], "ERROR(529 overloaded)"),
    "docs": ("limited", [], "LIMIT(3pm)"),
    "開発者-with-a-name-that-is-long": ("working", ["--parent", "pm"], "DELAY(3600)"),
    "gone": ("dead", ["--restart", "never"], "CRASH(7)"),
}
"""The agents: the state of each, how it is started, and the message that brings it there."""

_AGE_SECONDS = 3 * 86_400.0 + 1_800.0
"""Seconds since all of it happened: no age that is shown is another half an hour later."""

_FOREIGN = ("TMUX", "TORCH_", "XDG_", "LC_", "CLAUDE", "DISPLAY", "WAYLAND_", "NO_COLOR", "COLUMNS")


@dataclass(frozen=True)
class World:
    """``environ`` is the environment of who looks at it, ``project`` where they stand."""

    place: Path
    project: Path
    tmux: TmuxServer
    environ: Mapping[str, str]

    def torch(
        self, *lines: Sequence[str], cwd: Path | None = None, back: float = 0, **more: str
    ) -> str:
        """Run each of ``lines`` as a command of Torch's; they must succeed. Return the output.

        The clock of their process is set ``back`` by so many seconds.
        """
        done = subprocess.run(
            [sys.executable, "-c", SEVERAL, json.dumps(lines), str(back)],
            env={**self.environ, **more},
            cwd=cwd or self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=4 * PATIENCE,
            check=False,
        )
        assert done.returncode == 0, os.fsdecode(done.stdout + done.stderr)
        return os.fsdecode(done.stdout)

    def make(self) -> None:
        """Fill it: agents in all states, and what they and a person have done."""
        self._work()
        self._agents()
        self._doings()
        self._set_back()

    @property
    def far(self) -> Path:
        """A second project, whose name is hard to print."""
        return self.place / "home/日本 проект 🚀 with a long name"

    def _work(self) -> None:
        """Make two projects with checkpoints, and a commit in one of them."""
        for path, files in ((self.project, {"torch.toml": TEAM}), (self.far, {})):
            one = Repository.make(path, {"a file": "1\n", **files})
            self.torch(["checkpoint", "now", "-m", TITLE], cwd=path, back=_AGE_SECONDS)
            one.write("a file", "2\n")
            one.write("cart.py", "def total() -> int: ...\n")
            self.torch(["checkpoint", "now"], cwd=path, back=_AGE_SECONDS - 7200)
        self.torch(["commit", "-m", "Say what is in the cart"])
        (self.project / "cart.py").write_text("def total() -> int:\n    return 1\n")

    def _agents(self) -> None:
        """Start the agents, a pane that nobody has registered, and one on a server that falls."""
        start = ["--profile", "demo", "--wait", "60"]
        here = [*start, "--session", "work", "--dir", str(self.project)]
        fallen = ["spawn", "fallen", "-L", "u", *start, "--dir", str(self.far)]
        self.torch(*(["spawn", name, *one[1], *here] for name, one in AGENTS.items()), fallen)
        TmuxServer(Socket(name="u"), self.tmux.directory).cmd("kill-server")
        self.tmux.new_window("work", "editor", "exec torch-demo-agent", directory=str(self.far))
        self.torch(*(["send", name, one[2]] for name, one in AGENTS.items() if one[2]))
        wanted = {name: one[0] for name, one in AGENTS.items()}
        wait_until(lambda: wanted.items() <= self.states().items(), what=f"{wanted}")

    def states(self) -> dict[str, str]:
        """Return the state of each agent."""
        shown = [json.loads(line) for line in self.torch(["ps", "--json"]).splitlines()]
        return {one["name"]: one["state"] for one in shown}

    def ids(self) -> dict[str, str]:
        """Return ids of some of what is in it, by what each is."""
        told = [json.loads(line) for line in self.torch(["inbox", "dev", "--json"]).splitlines()]
        told += [json.loads(line) for line in self.torch(["inbox", "pm", "--json"]).splitlines()]
        tasks = [json.loads(line) for line in self.torch(["task", "list", "--json"]).splitlines()]
        kept = self.torch(["checkpoint", "list", "--json"]).splitlines()
        return {
            "title": next(one["id"] for one in told if one["body"] == TITLE),
            "question": next(one["id"] for one in told if one["kind"] == "question"),
            "answer": next(one["id"] for one in told if "All is well" in one["body"]),
            "task": next(one["id"] for one in tasks if one["title"].startswith("Say in")),
            "checkpoint": json.loads(kept[0])["id"],
        }

    def commits(self) -> list[str]:
        """Return the ids of all commits that people have made."""
        places = [Repository(path) for path in (self.project, self.far)]
        return " ".join(one.git("rev-list", "main") for one in places).split()

    def _doings(self) -> None:
        """Give the agents messages, check-ins and tasks."""
        later = ["checkin", "add"]
        self.torch(
            [*later, "dev", TITLE, "--every", "20m"],
            [*later, "pm", "How far are you?", "--every", "1h", "--name", "how-far"],
            [*later, "pm", "Good morning. Plan the day.", "--cron", "0 9 * * 1-5"],
            ["checkin", "run", "how-far"],
            ["checkin", "pause", "good-morning-plan"],
            ["task", "add", TITLE, "--skill", "sql", "--skill", "café ☺️", "--lease", "9d"],
            ["task", "add", "Say in the README how to pay", "--body", TITLE],
            ["task", "add", "Make the cart smaller", "--criteria", "The tests pass."],
            ["task", "add", "Buy a bigger screen"],
            ["send", "dev", TITLE],
            ["send", "docs", "Go on, please."],
            ["wait", "pm", "--for", "idle", "--timeout", "60"],
            ["send", "pm", "ANSWER(All is well.)"],
            ["wait", "pm", "--for", "idle", "--timeout", "60"],
            ["mute", "docs", "7d"],
        )
        self.torch(["send", "dev", "Which of the two?", "--kind", "question"], TORCH_AGENT="pm")
        made = self.torch(["task", "list", "--json"]).splitlines()
        first, second, third, *_ = [json.loads(line)["id"] for line in made]
        gives = ["task", "assign", "--no-send"]
        self.torch([*gives, first, "dev"], [*gives, second, "qa"], [*gives, third, "pm"])
        blocks = ["task", "block", second, "-m", "Nobody knows the prices."]
        self.torch(blocks, TORCH_AGENT="qa")
        self.torch(["task", "done", third], TORCH_AGENT="pm")
        self.torch(["status"])  # it writes since when each is so

    def _set_back(self) -> None:
        """Have everything be three days old, and each agent in its state for some hours."""
        with closing(sqlite3.connect(self.place / "torch" / DATABASE)) as store:
            store.execute("DROP TRIGGER events_are_not_changed")
            tables = "SELECT m.name, t.name FROM sqlite_master m, pragma_table_info(m.name) t "
            tables += "WHERE m.type = 'table' AND t.type = 'REAL'"
            for table, column in store.execute(tables).fetchall():
                sql = f"UPDATE {table} SET {column} = {column} - ? WHERE {column} > 1e9"
                store.execute(sql, [_AGE_SECONDS])
            # Who began before the machine did is told apart from who lost its server alone.
            store.execute(
                "UPDATE agents SET created = created + ? WHERE name = 'fallen'", [_AGE_SECONDS]
            )
            store.execute("UPDATE task_log SET at = at + 630 WHERE verb = 'done'")
            store.execute("UPDATE observations SET since = since + 3600 * rowid")
            store.commit()


@contextmanager
def world() -> Iterator[World]:
    """Make a world, and end all that runs in it."""
    begin = os.environ[RUN].ljust(_PLACE_LENGTH - len("/tmp/") - 8, "x")
    place = Path(tempfile.mkdtemp(prefix=begin, dir="/tmp")).resolve()
    for name in ("home", "tmux", "bin"):
        (place / name).mkdir()
    (place / "bin/torch-demo-agent").symlink_to(DEMO_PROGRAM)
    tmux = TmuxServer(Socket(name="t"), place / "tmux")
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)},
        "HOME": str(place / "home"),
        "TORCH_HOME": str(place / "torch"),
        "TMUX_TMPDIR": str(place / "tmux"),
        "TORCH_TMUX_SOCKET": "t",
        "PATH": f"{place / 'bin'}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin",
        "PYTHONPATH": str(SOURCE),
        "LANG": "C.UTF-8",
        "SHELL": "/bin/sh",
        "PS1": "$ ",
        "TZ": "UTC",
        "TERM": "xterm",
        "GIT_AUTHOR_DATE": f"{int(time.time() - _AGE_SECONDS)} +0000",
        "GIT_COMMITTER_DATE": f"{int(time.time() - _AGE_SECONDS)} +0000",
    }
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environ)  # tmux is also asked from here
    try:
        made = World(place, place / "home/shop", tmux, environ)
        made.make()
        yield made
    finally:
        os.environ.update(environ)
        tmux.kill()
        TmuxServer(Socket(name="u"), tmux.directory).kill()
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(place, ignore_errors=True)
