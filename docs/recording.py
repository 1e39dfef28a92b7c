"""The film of the README, ``docs/demo.svg``: a real session in tmux, on 80 columns and 24 rows.

``make recording`` plays it and writes the file. The agents are the demo agents that come with
Torch. tmux, the state and the home directory are its own and are removed at the end, so nothing of
the machine is in the film; a test looks for that.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from film import Frame, film, joined

FILE = Path(__file__).with_name("demo.svg")
COLUMNS, ROWS = 80, 24
TITLE = "Three agents in tmux: one asks, you answer, and see what happened"

PATIENCE = 60.0
"""Seconds that anything on the screen may take."""

LETTERS, LETTER_SECONDS = 3, 0.12
"""How many letters are typed from one frame to the next, and how long such a frame stays."""

WORK_SECONDS, READ_SECONDS = 0.4, 2.6
"""How long a frame stays while a command works, and what it has printed at its end."""


class Stage:
    """A machine of its own: a home directory, a state, a tmux server with agents, and a terminal.

    ``frames`` is what the terminal has shown.
    """

    def __init__(self, scratch: Path) -> None:
        self.frames: list[Frame] = []
        home = scratch / "home"
        self.directory = home / "shop"
        self.directory.mkdir(parents=True)
        kept = {name: os.environ[name] for name in ("LANG", "TORCH_TMUX") if name in os.environ}
        self.environment = {
            "LANG": "C.UTF-8",
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "TMUX_TMPDIR": str(scratch),
            "TORCH_HOME": str(scratch / "torch"),
            "TERM": "screen-256color",
        }
        self._tmux = os.environ.get("TORCH_TMUX") or "tmux"

    def run(self, *words: str) -> str:
        """Run a command off the screen; return what it prints."""
        done = subprocess.run(
            words, env=self.environment, cwd=self.directory, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{shlex.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def tmux(self, *words: str) -> str:
        """Ask the server that has the terminal."""
        return self.run(self._tmux, "-L", "film", *words)

    def open(self) -> None:
        """Open the terminal, with a shell that has a plain prompt."""
        shell = ["env", "PS1=$ ", "bash", "--norc", "--noprofile"]
        size = ["-x", str(COLUMNS), "-y", str(ROWS)]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "film", *size, *shell)
        self.tmux("set-option", "-g", "status", "off")
        self.tmux("resize-window", "-t", "film", *size)
        self.wait(lambda: self.screen()[0] == "$", "the prompt")

    def screen(self, *flags: str) -> list[str]:
        """Return the rows of the terminal."""
        return [row.rstrip() for row in self.tmux("capture-pane", "-p", *flags).split("\n")]

    def take(self, seconds: float) -> None:
        """Take a frame that stays for some seconds."""
        rows = tuple(self.screen("-e")[:ROWS])
        self.frames.append(Frame(rows, self.cursor(), seconds))

    def cursor(self) -> tuple[int, int]:
        """Return the column and the row of the cursor."""
        column, row = self.tmux("display-message", "-p", "#{cursor_x} #{cursor_y}").split()
        return int(column), int(row)

    def wait(self, true: Callable[[], object], what: str, *, film: bool = False) -> None:
        """Wait until something is so; with ``film`` frames are taken meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                raise SystemExit(f"{what} did not come:\n" + "\n".join(self.screen()))
            if film and list(self.frames[-1].rows) != self.screen("-e")[:ROWS]:
                self.take(WORK_SECONDS)
            time.sleep(0.05)

    def type(self, words: str) -> None:
        """Type, as a person does."""
        for at in range(0, len(words), LETTERS):
            self._type(words[at : at + LETTERS])
            self.take(LETTER_SECONDS)

    def _type(self, letters: str) -> None:
        before = self.cursor()
        self.tmux("send-keys", "-l", "--", letters)
        self.wait(lambda: self.cursor() != before, letters)

    def command(self, words: str, read: float = READ_SECONDS, until: str = "$") -> None:
        """Type a command, and let it be read when the last row is ``until``."""
        self.type(words)
        self.enter(until)
        self.take(read)

    def enter(self, until: str = "$") -> None:
        """Press Enter, and wait until the last row begins with ``until``, or is the prompt."""
        before = self.screen()
        self.tmux("send-keys", "Enter")

        def ended() -> bool:
            last = self._last_row()
            return self.screen() != before and (last == until or last.startswith(f"{until},"))

        self.wait(ended, until, film=True)
        if any(row.startswith("torch: ") for row in self.screen()):
            raise SystemExit("\n".join(self.screen()))

    def _last_row(self) -> str:
        return next((row for row in reversed(self.screen()) if row), "")


def play(stage: Stage) -> int:
    """Play the session; return the number of the frame that is shown without motion."""
    _prepare(stage)
    stage.open()
    stage.take(0.8)
    stage.command("torch ps")
    stage.command('torch send dev "Run the tests of the parser."')
    _ask(stage)
    stage.command("clear", read=0.3)
    stage.command("torch status", read=4.0)
    still = len(joined(stage.frames)) - 1
    stage.command("torch answer", until="1, 2", read=2.4)
    stage.type("1")
    stage.enter()
    stage.take(2.0)
    stage.run("torch", "wait", "dev", "--for", "idle", "--timeout", "60", "-q")
    stage.command("clear", read=0.3)
    stage.command("torch since", read=6.0)
    return still


def _prepare(stage: Stage) -> None:
    """Start three agents with tasks, and the daemon."""
    stage.run("git", "init", "-q")
    spawn = ("torch", "spawn", "-q", "--profile", "demo", "--session", "shop")
    stage.run(*spawn, "dev", "--role", "developer", "--", "--dialog-command", "pytest -q")
    stage.run(*spawn, "docs", "--role", "writer", "--", "--work", "3600")
    stage.run(*spawn, "qa", "--role", "tester")
    for name, title in (("dev", "Fix the parser"), ("docs", "Write the manual")):
        task = stage.run("torch", "task", "add", title, "--json")
        stage.run("torch", "task", "assign", task.split('"id": "')[1].split('"')[0], name, "-q")
    stage.run("torch", "wait", "dev", "--for", "idle", "--timeout", "60", "-q")
    stage.run("torch", "daemon", "start", "-q")


def _ask(stage: Stage) -> None:
    """Have the demo agent ask: a real one would do that in the course of its work."""
    stage.run("torch", "wait", "dev", "--for", "idle", "--timeout", "60", "-q")
    pid = stage.run(stage._tmux, "display-message", "-p", "-t", "=shop:dev", "#{pane_pid}")
    os.kill(int(pid), signal.SIGUSR1)
    stage.run("torch", "wait", "dev", "--for", "waiting", "--timeout", "60", "-q")


@contextlib.contextmanager
def _stage() -> Iterator[Stage]:
    # A socket's path must be short, so this is not below $TMPDIR.
    with tempfile.TemporaryDirectory(prefix="torch-film.", dir="/tmp") as scratch:
        stage = Stage(Path(scratch))
        try:
            yield stage
        finally:
            for words in (
                ("torch", "daemon", "stop", "-q"),
                (stage._tmux, "-L", "film", "kill-server"),
                (stage._tmux, "kill-server"),
            ):
                subprocess.run(words, env=stage.environment, capture_output=True, check=False)


def main() -> None:
    """Play the session and write the film."""
    with _stage() as stage:
        still = play(stage)
        frames = joined(stage.frames)
        scratch = str(stage.directory.parents[1])
    drawn = film(frames, (COLUMNS, ROWS), still, TITLE)
    if scratch in drawn or os.uname().nodename in drawn:
        raise SystemExit("the film shows where it was made; nothing was written")
    FILE.write_text(drawn, encoding="utf-8")
    seconds = sum(one.seconds for one in frames)
    print(f"written  {FILE}  {len(drawn) // 1024} kB, {len(frames)} frames, {seconds:.0f} s")


if __name__ == "__main__":
    main()
