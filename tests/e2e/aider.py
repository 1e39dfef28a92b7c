"""The real aider for the e2e tests: installing it, a home for it, reading its screen."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from e2e.program import CACHE, INSTALL_TIMEOUT, NotInstalledError, Program, View, rows_of
from torch_cli.profiling.houses import Home
from torch_cli.profiling.houses.aider import REMINDER, environment, furnish
from torch_cli.profiling.stub.completions import CompletionsHandler

VERSION = os.environ.get("TORCH_E2E_AIDER", "0.86.2")
"""The version that is installed and driven."""

_PROMPT = re.compile(r"(?:[a-z]+)?>(?: |$)")


class Aider(Program):
    """aider, as the tests drive it."""

    name, title, version, handler = "aider", "aider", VERSION, CompletionsHandler
    truth = "a stub of the Chat Completions API"
    exact = (
        "line ends LF, blanks at the end dropped, and the guard (one blank before `/`, `!` and `{`)"
    )
    decline, hides_box, pause = "C-c", True, 2.5
    consent, approve = ("yes", "no"), ("y", "Enter")
    questions_at_once, dialog_rows = True, 3

    def install(self) -> Path:
        """Return the program, installed into an environment of its own with the running Python."""
        home = CACHE / f"aider-{self.version}"
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / f"aider-{self.version}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_whole(home):
                _install(home, self.version)
        return home / "bin" / "aider"

    def make_home(self, root: Path, **options: bool) -> Home:
        home = Home.at(root)
        furnish(home)
        return home

    def environment(self, home: Home, url: str) -> dict[str, str]:
        return environment(home, url)

    def expected(self, text: str) -> str:
        text = re.sub("\r\n|[\r\u2028\u2029]", "\n", text).rstrip()
        return f" {text}" if text.startswith(("/", "!", "{")) else text

    def received(self, block: str) -> str:
        return block.split(REMINDER)[0].rstrip()

    def view(self, captured: str, width: int) -> View:
        shown = rows_of(captured)
        begins = [bool(_PROMPT.match(row)) for row in shown]
        box = None
        if begins and begins[-1]:
            first = len(begins) - 1
            while first and begins[first - 1]:
                first -= 1
            box = "\n".join(_PROMPT.sub("", row, count=1) for row in shown[first:]).strip()
        last = shown[-1] if shown else ""
        return View(
            tuple(shown),
            box,
            working="Waiting for openai/stub-model" in last,
            asks=box is None and re.search(r"\[Yes\]: ?\S*$", "".join(shown[-3:])) is not None,
        )


def _is_whole(home: Path) -> bool:
    """Whether an installation there has come to its end: pip writes this list of files last.

    One that was killed has the program, which does not run (0.84.0, 2026-11-30).
    """
    return any(home.glob("lib/python*/site-packages/aider_chat-*.dist-info/RECORD"))


def _install(home: Path, version: str) -> None:
    """Install the program into ``home``, whole or not at all: an environment cannot be moved."""
    shutil.rmtree(home, ignore_errors=True)
    steps = [
        [sys.executable, "-m", "venv", str(home)],
        [str(home / "bin" / "pip"), "install", "--quiet", f"aider-chat=={version}"],
    ]
    for words in steps:
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_TIMEOUT)
        except subprocess.TimeoutExpired:
            shutil.rmtree(home, ignore_errors=True)
            raise NotInstalledError(f"{words} took longer than {INSTALL_TIMEOUT:g} s") from None
        if done.returncode != 0:
            shutil.rmtree(home, ignore_errors=True)
            raise NotInstalledError(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
