"""The real opencode for the e2e tests: installing it, a home for it, reading its screen."""

import os
import platform
import re
import sys
from pathlib import Path

from e2e.program import CACHE, NotInstalledError, Program, View, install_from_npm, rows_of
from torch_cli.profiling.houses import Home
from torch_cli.profiling.houses.opencode import environment
from torch_cli.profiling.stub.completions import CompletionsHandler

VERSION = os.environ.get("TORCH_E2E_OPENCODE", "1.18.33")
"""The version that is installed and driven."""

GHOSTS = ('Ask anything… "', 'Ask anything... "')
DIALOGS = ("△ Permission required", "△ Reject permission")

_EDGE = re.compile(r"( *)╹(▀+)")


class OpenCode(Program):
    """opencode, as the tests drive it."""

    name, title, version, handler = "opencode", "opencode", VERSION, CompletionsHandler
    truth = "a stub of the Chat Completions API"
    exact = (
        "line ends LF, blanks at the end dropped (of long texts at both ends), and the "
        "guard (one blank before `/`)"
    )
    consent = ("allow once", "reject")
    modes: tuple[str, ...] = ("build", "plan")

    long, many = 151, 3
    """From so many characters or lines a paste shows as a placeholder, and loses blanks before it.
    """

    def install(self) -> Path:
        system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform, "")
        machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
        if not (system and machine):
            raise NotInstalledError(f"opencode has no package for {sys.platform}")
        program = f"opencode-{system}-{machine}/bin/opencode"
        return install_from_npm("opencode-ai", self.version, "opencode", program)

    def make_home(self, root: Path, **options: bool) -> Home:
        return Home.at(root)

    def environment(self, home: Home, url: str) -> dict[str, str]:
        # What it installs for itself before its first request is installed once.
        kept = str(CACHE / "opencode-kept")
        return environment(home, url) | {"XDG_CACHE_HOME": kept, "npm_config_cache": kept}

    def expected(self, text: str) -> str:
        text = re.sub("\r\n|[\r\u2028\u2029]", "\n", text).rstrip()
        if len(text.strip()) >= self.long or text.strip().count("\n") + 1 >= self.many:
            return text.strip()
        return f" {text}" if text.startswith("/") else text

    def received(self, block: str) -> str:
        return block.rstrip()

    def view(self, captured: str, width: int) -> View:
        shown = rows_of(captured)
        text = "\n".join(shown)
        edges = [(at, _EDGE.match(row)) for at, row in enumerate(shown)]
        bottom, edge = next(((at, found) for at, found in reversed(edges) if found), (0, None))
        box, footer = None, ""
        if edge is not None:
            column, end = len(edge[1]), len(edge[1]) + len(edge[2])
            inside: list[str] = []
            for row in reversed(shown[:bottom]):
                if not row.startswith("┃", column) or row[column + 1 : column + 2].strip():
                    break
                inside.insert(0, row[column + 3 : end].strip())
            about = max((at for at, row in enumerate(inside) if not row), default=0)
            box = "\n".join(inside[1:about])
            box = "" if box.startswith(GHOSTS) else box
            footer = "\n".join(shown[bottom + 1 : bottom + 3])
        return View(
            tuple(shown),
            box,
            working=re.search(r"[■⬝]{3}|esc +interrupt", footer) is not None,
            asks=box is None and any(title in text for title in DIALOGS),
        )
