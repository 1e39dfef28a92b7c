"""The real Claude Code for the e2e tests: installing it, a home for it, reading its screen.

The home is the one in which ``torch profile verify`` runs it; what reads its screen is not Torch's:
what the tests look at must not come from what they test.
"""

import os
import platform
import re
import sys
import unicodedata
from pathlib import Path

from e2e.program import (
    NotInstalledError,
    Program,
    View,
    install_from_npm,
    rows_of,
    without_ghost_text,
)
from torch_cli.profiling.houses import Home
from torch_cli.profiling.houses.claude import ClaudeHome, environment, make_home
from torch_cli.profiling.stub.messages import MessagesHandler

VERSION = os.environ.get("TORCH_E2E_CLAUDE", "2.1.330")
"""The version that is installed and driven."""

NBSP = "\u00a0"

CHORD = {"context": "Chat", "bindings": {"ctrl+x ctrl+q": "chat:submit"}}
"""The binding that ``torch agent-setup`` installs."""


def platform_package() -> str:
    """Return the npm package that holds the program for this machine."""
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower()
    )
    if system is None or machine is None:
        raise NotInstalledError(f"Claude Code has no package for {sys.platform}/{os.uname()[4]}")
    musl = "-musl" if system == "linux" and platform.libc_ver()[0] != "glibc" else ""
    return f"@anthropic-ai/claude-code-{system}-{machine}{musl}"


def install(version: str = VERSION) -> Path:
    """Return the path of the program, installed from the npm registry unless it is there already.

    Raises ``NotInstalledError``.
    """
    package = platform_package()
    return install_from_npm(package, version, "claude", f"{package}/claude")


# -- what a text becomes ---------------------------------------------------------------------------

_WRAPPED = re.compile(
    r'\A\n*<pasted_content id="(\w+)">\n(.*)\n</pasted_content id="\1">\n*\Z', re.S
)


def expected(text: str) -> str:
    """Return ``text`` as the program brings it to the API, by the profile's published rules.

    Line ends become LF, tabs four spaces, the text Unicode form NFC, and blanks at the end of the
    whole are dropped.
    """
    text = re.sub("\r\n|[\r\u2028\u2029]", "\n", text)
    return unicodedata.normalize("NFC", text.replace("\t", "    ")).rstrip()


def unwrapped(block: str) -> str:
    """Return a text block of a request without the wrapper that the program puts round pastes.

    The newline that it appends to a block which another one follows goes, too.
    """
    wrapped = _WRAPPED.match(block)
    return wrapped[2].rstrip() if wrapped else block.rstrip()


# -- what a screen shows ---------------------------------------------------------------------------

QUESTIONS = ("Do you want to proceed?", "Exit plan mode?")
"""What its permission dialog asks, and the one about a plan."""

_RULE = re.compile(r"─+(?: [↑↓] \d+ more ─+)?")

_EMPTY = re.compile(r"^ +(?:-- [A-Z ]+ -- )?[⏸⏵].*(?:\? for |to interrupt)")
"""In the footer, of which any text in the box takes this away."""

_SPINNER = re.compile(r"(?:[·✢✳✶✻✽*] \S.*|● \S+)…(?: \(|$)")
"""The row above the box while it works. The footer does not say so in vim mode."""


def view(captured: str, width: int) -> View:
    """Read the output of ``capture-pane -p -e`` of a pane of ``width`` columns."""
    shown = rows_of(captured)
    solid = without_ghost_text(captured)
    rules = [
        index
        for index, row in enumerate(shown)
        if len(row) >= width - 1 and _RULE.fullmatch(row) is not None
    ]
    box: str | None = None
    footer: tuple[str, ...] = ()
    spins = False
    if len(rules) > 1:
        first, last = rules[-2] + 1, rules[-1]
        if f"❯{NBSP}" in solid[first] or "more" in shown[first - 1]:
            box = "\n".join(solid[first:last]).replace(f"❯{NBSP}", "", 1).strip()
            footer = tuple(shown[last + 1 :])
            # Without colours an example is not dim, but for the cursor it looks like a draft.
            cursor = f"❯{NBSP}\x1b[7m" in captured.split("\n")[first]
            box = "" if cursor and any(_EMPTY.match(row) for row in footer) else box
            spins = any(_SPINNER.match(row) for row in shown[max(0, first - 5) : first - 1])
    working = spins or any("esc to interrupt" in row for row in footer)
    asks = box is None and any(question in row for row in shown for question in QUESTIONS)
    return View(tuple(shown), box, working, asks)


class ClaudeCode(Program):
    """Claude Code, as the tests drive it."""

    name, title, version, handler = "claude", "Claude Code", VERSION, MessagesHandler
    truth = "a stub of the Messages API"
    exact = (
        "line ends LF, tabs four spaces, Unicode form NFC, blanks at the end dropped, "
        "its wrapper round long pastes, and the guard (one blank before `!`, one after "
        "a trailing backslash)"
    )
    consent, approve = ("yes", "no"), ("1",)
    modes = ("manual", "accept-edits", "plan")

    def install(self) -> Path:
        return install(self.version)

    def make_home(self, root: Path, **options: bool) -> ClaudeHome:
        return make_home(root, **options)

    def environment(self, home: Home, url: str) -> dict[str, str]:
        return environment(home, url)

    def expected(self, text: str) -> str:
        return expected(text)

    def received(self, block: str) -> str:
        block = unwrapped(block)
        return block[1:] if block.startswith(" !") else block  # the guard

    def view(self, captured: str, width: int) -> View:
        return view(captured, width)
