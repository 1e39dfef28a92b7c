"""The real pi for the e2e tests: installing it beside a Node.js of its own, a home, its screen."""

import os
import platform
import re
import shlex
import sys
from pathlib import Path

from e2e.program import NotInstalledError, Program, View, install_from_npm, rows_of
from torch_cli.profiling.houses import Home
from torch_cli.profiling.houses.pi import environment, make_home
from torch_cli.profiling.stub.completions import CompletionsHandler

VERSION = os.environ.get("TORCH_E2E_PI", "1.6.0")
"""The version that is installed and driven."""

NODE = "24.19.0"
"""It needs Node.js 22.19, which is newer than what many machines have."""

_WORKING = re.compile(r"── [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] \S")
_RULE = re.compile(r"─+(?: [^─]+ ─+)?")


class Pi(Program):
    """pi, as the tests drive it."""

    name, title, version, handler = "pi", "pi", VERSION, CompletionsHandler
    truth = "a stub of the Chat Completions API"
    exact = "line ends LF, blanks at both ends dropped, and a tab as four spaces"
    consent = ("yes", "no")

    def install(self) -> Path:
        system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform, "")
        machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
        if not (system and machine):
            raise NotInstalledError(f"there is no Node.js package for {sys.platform}")
        node = f"node-{system}-{machine}"
        package, beside = "@earendil-works/pi-coding-agent", [f"{node}@{NODE}"]
        installed = install_from_npm(package, self.version, "pi", ".bin/pi", beside=beside)
        # tmux gives a window the PATH of who opens it, and there another Node.js may come first.
        program = installed.parents[2] / "bin" / "pi"
        program.parent.mkdir(exist_ok=True)
        words = [installed.with_name("node"), installed]
        program.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} "$@"\n')
        program.chmod(0o755)
        return program

    def make_home(self, root: Path, **options: bool) -> Home:
        return make_home(root, **options)

    def environment(self, home: Home, url: str) -> dict[str, str]:
        return environment(home, url)

    def expected(self, text: str) -> str:
        text = re.sub("\r\n|\r", "\n", text).replace("\t", "    ")
        return text.strip()

    def received(self, block: str) -> str:
        return block.strip()

    def view(self, captured: str, width: int) -> View:
        shown = rows_of(captured)
        rules = [at for at, row in enumerate(shown) if len(row) == width and _RULE.fullmatch(row)]
        box, working = None, False
        text = "\n".join(shown)
        asks = " ↑↓ navigate  enter select" in text
        if len(rules) > 1 and "cancel" not in "\n".join(shown[rules[-2] :]):
            box = "\n".join(shown[rules[-2] + 1 : rules[-1]]).strip()
            working = _WORKING.match(shown[rules[-2]]) is not None
        return View(tuple(shown), box, working, asks=asks and box is None)
