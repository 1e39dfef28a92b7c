"""The real Qwen Code for the e2e tests: installing it, a home for it, reading its screen."""

import os
import re
from pathlib import Path

from e2e.program import Program, View, install_from_npm, rows_of
from torch_cli.profiling.houses import Home
from torch_cli.profiling.houses.qwen import QwenHome, environment, make_home
from torch_cli.profiling.stub.completions import QwenHandler

VERSION = os.environ.get("TORCH_E2E_QWEN", "0.24.4")
"""The version that is installed and driven."""

GHOST = "Type your message or @path/to/file"


class Qwen(Program):
    """Qwen Code, as the tests drive it."""

    name, title, version, handler = "qwen", "Qwen Code", VERSION, QwenHandler
    truth = "a stub of the Chat Completions API"
    exact = (
        "line ends LF, blanks at both ends dropped, and one blank before an `@word` that begins a "
        "line"
    )
    consent, approve = ("yes, allow once", "no, suggest changes"), ("1",)
    modes = ("manual", "accept-edits", "auto", "yolo", "plan")

    unhurried = 0.5

    def install(self) -> Path:
        return install_from_npm("@qwen-code/qwen-code", self.version, "qwen", ".bin/qwen")

    def make_home(self, root: Path, **options: bool) -> QwenHome:
        return make_home(root, **options)

    def environment(self, home: Home, url: str) -> dict[str, str]:
        return environment(home, url)

    def expected(self, text: str) -> str:
        text = re.sub("\r\n|[\r\u2028\u2029]", "\n", text).strip()
        return re.sub(r"\n(?=@\S)", "\n ", text)

    def received(self, block: str) -> str:
        return block.strip()

    def view(self, captured: str, width: int) -> View:
        shown = rows_of(captured)
        rules = [at for at, row in enumerate(shown) if row == "─" * width]
        box, below, above = None, "", ""
        if len(rules) > 1 and shown[rules[-2] + 1][:2].rstrip() in (">", "*", "!"):
            inside = shown[rules[-2] + 1 : rules[-1]]
            box = "\n".join(row[2:].rstrip(" \u200b") for row in inside).strip()
            box = "" if " ".join(box.split()) == GHOST else box
            below = "\n".join(shown[rules[-1] :])
            above = "\n".join(shown[max(0, rules[-2] - 8) : rules[-2]])
        return View(
            tuple(shown),
            box,
            working="Enter to steer" in below or "esc to cancel)" in above,
            asks=box is None and "Allow execution of: " in "\n".join(shown),
        )
