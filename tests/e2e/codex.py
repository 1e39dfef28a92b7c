"""The real Codex for the e2e tests: installing it, a home for it, reading its screen."""

import os
import re
from pathlib import Path

from e2e.program import Program, View, install_from_npm, rows_of, without_ghost_text
from torch_cli.profiling.houses import Home
from torch_cli.profiling.houses.codex import CodexHome, environment, make_home
from torch_cli.profiling.stub.responses import ResponsesHandler

VERSION = os.environ.get("TORCH_E2E_CODEX", "0.169.0")
"""The version that is installed and driven."""

_FOOTER = re.compile(r"  \S.* · ?")


class Codex(Program):
    """Codex, as the tests drive it."""

    name, title, version, handler = "codex", "Codex", VERSION, ResponsesHandler
    truth = "a stub of the Responses API"
    exact = "line ends LF and blanks at both ends dropped"
    consent, approve = ("1", "no"), ("y",)
    modes = ("default", "plan")

    def install(self) -> Path:
        return install_from_npm("@openai/codex", self.version, "codex", ".bin/codex")

    def make_home(self, root: Path, **options: bool) -> CodexHome:
        return make_home(root, **options)

    def environment(self, home: Home, url: str) -> dict[str, str]:
        assert isinstance(home, CodexHome)
        return environment(home, url)

    def expected(self, text: str) -> str:
        return re.sub("\r\n|[\r\u2028\u2029]", "\n", text).strip()

    def received(self, block: str) -> str:
        return block

    def view(self, captured: str, width: int) -> View:
        shown, solid = rows_of(captured), without_ghost_text(captured)
        prompts = [at for at, row in enumerate(shown) if row[:2] in ("› ", "! ", "›", "!")]
        box = None
        if prompts:
            below = shown[prompts[-1] + 1 :]
            # The conversation begins at the left edge; menus have no status line under them.
            foot = [at for at, row in enumerate(below) if _FOOTER.match(row) and not below[at - 1]]
            # A tall box fills the screen, and has no footer; dialogs say what a key does.
            tall = len(below) > 5 and not re.search(r"\b(?:esc|enter)\b", below[-1])
            if all(row[:2] in ("", "  ") for row in below) and (foot or tall):
                end = prompts[-1] + 1 + foot[-1] if foot else len(shown)
                box = "\n".join(solid[prompts[-1] : end])[2:].strip()
        text = "\n".join(shown)
        return View(
            tuple(shown),
            box,
            working="esc to interrupt)" in text and box is not None,
            asks=box is None and "Would you like to run" in text,
        )
