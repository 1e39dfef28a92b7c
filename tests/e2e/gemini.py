"""The real Gemini CLI for the e2e tests: installing it, a home for it, reading its screen."""

import os
import re
from pathlib import Path

from e2e.program import Program, View, install_from_npm, rows_of, without_ghost_text
from torch_cli.profiling.houses import Home
from torch_cli.profiling.houses.gemini import GeminiHome, environment, make_home
from torch_cli.profiling.stub.gemini import GeminiHandler

VERSION = os.environ.get("TORCH_E2E_GEMINI", "0.61.0")
"""The version that is installed and driven."""

GHOST = "Type your message or @path/to/file"


class Gemini(Program):
    """Gemini CLI, as the tests drive it."""

    name, title, version, handler = "gemini", "Gemini CLI", VERSION, GeminiHandler
    truth = "a stub of the generateContent API"
    exact = "line ends LF and blanks at both ends dropped"
    consent, approve = ("allow once", "no"), ("1",)
    modes = ("manual", "accept-edits", "plan", "yolo")

    unhurried = 0.5

    def install(self) -> Path:
        return install_from_npm("@google/gemini-cli", self.version, "gemini", ".bin/gemini")

    def make_home(self, root: Path, **options: bool) -> GeminiHome:
        return make_home(root, **options)

    def environment(self, home: Home, url: str) -> dict[str, str]:
        return environment(home, url)

    def expected(self, text: str) -> str:
        return re.sub("\r\n|[\r\u2028\u2029]", "\n", text).strip()

    def received(self, block: str) -> str:
        return block.strip()

    def answered(self, text: str) -> str:
        return text.replace("\u200d", "")  # it drops what joins symbols

    def view(self, captured: str, width: int) -> View:
        shown, solid = rows_of(captured), without_ghost_text(captured)
        box = None
        prompts = [at for at, row in enumerate(shown) if row[:3].rstrip() in (" >", " *", " !")]
        below = shown[prompts[-1] :] if prompts else []
        # What a wider screen showed there may stand below the footer, for the program redraws less.
        foot = next((at for at, row in enumerate(below) if row.startswith(" workspace")), 0)
        if foot and not any("╭" in row for row in below):
            # Menus stand between the box and the footer, behind a blank row.
            box = "\n".join(solid[prompts[-1] : prompts[-1] + foot])[3:].strip()
            box = "" if box == GHOST else box
        text = "\n".join(shown[-20:])
        return View(
            tuple(shown),
            box,
            working="(esc to cancel, " in text and box is not None,
            asks=box is None and "Allow execution of" in text,
        )
