"""The real Claude Code for the e2e tests: installing it, a home for it, reading its screen.

Nothing here uses Torch: what the tests look at must not come from what they test.
"""

import fcntl
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

VERSION = os.environ.get("TORCH_E2E_CLAUDE", "2.1.330")
"""The version that is installed and driven."""

CACHE = Path(__file__).parents[2] / ".cache" / "agents"
"""Where programs are kept between runs; the repository ignores it."""

INSTALL_TIMEOUT = 600.0
"""Seconds for the download: the program has about 380 MB."""

API_KEY = "sk-ant-api03-not-a-real-key-0123456789ab"
"""No key of anybody's. The program remembers the last 20 characters of an approved one."""

NBSP = "\u00a0"

CHORD = {"context": "Chat", "bindings": {"ctrl+x ctrl+g": "chat:submit"}}
"""The binding that ``torch agent-setup`` installs."""


class NotInstalledError(Exception):
    """The program could not be had; the message says why and what to do."""


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


def install(cache: Path = CACHE, version: str = VERSION) -> Path:
    """Return the path of the program, installed from the npm registry unless it is there already.

    Raises ``NotInstalledError``; a half-finished installation is never left in its place.
    """
    package = platform_package()
    home = cache / f"claude-{version}"
    program = home / "node_modules" / package / "claude"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _download(f"{package}@{version}", home)
        _check(program, version)
    return program


def _download(package: str, home: Path) -> None:
    """Install an npm package into ``home``, whole or not at all."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalledError(
            f"{package} cannot be installed: there is no npm. Install Node.js, or put the program "
            f"to {home}/node_modules/…/claude yourself."
        )
    shutil.rmtree(home, ignore_errors=True)
    unfinished = home.with_name(home.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    words = [npm, "install", "--prefix", str(unfinished), "--ignore-scripts", "--no-audit"]
    words += ["--no-fund", "--no-package-lock", "--loglevel=error", package]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_TIMEOUT)
    except subprocess.TimeoutExpired:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise NotInstalledError(
            f"{package} was not installed within {INSTALL_TIMEOUT:g} s; is the registry reachable?"
        ) from None
    if done.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise NotInstalledError(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    unfinished.rename(home)


def _check(program: Path, version: str) -> None:
    """Raise ``NotInstalledError`` unless the program runs and is of this version."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=60, env={"HOME": "/"}
        )
    except OSError as error:
        raise NotInstalledError(f"{program} does not run: {error}") from None
    if done.returncode != 0 or not done.stdout.startswith(version):
        raise NotInstalledError(
            f"{program} --version says {done.stdout or done.stderr!r} instead of {version}"
        )


@dataclass(frozen=True)
class Home:
    """A home directory for the program, and the directory that it works in."""

    path: Path
    work: Path

    @property
    def settings(self) -> Path:
        """The user's settings."""
        return self.path / ".claude" / "settings.json"

    @property
    def state(self) -> Path:
        """What the program remembers: what was agreed to, and what was seen."""
        return self.path / ".claude.json"

    @property
    def keybindings(self) -> Path:
        """The user's key bindings."""
        return self.path / ".claude" / "keybindings.json"

    def forget(self, name: str) -> None:
        """Let the program ask again what the field ``name`` of its memory keeps it from asking."""
        state = json.loads(self.state.read_text())
        del state[name]
        self.state.write_text(json.dumps(state))


def make_home(root: Path, *, trusted: bool = True, mode_asked: bool = True) -> Home:
    """Make a home in which the program starts without a question, but for those asked for.

    ``trusted``: its directory is trusted. ``mode_asked``: the question about the auto mode, which
    comes a moment after the first box, has been asked before.
    """
    home = Home(root / "home", (root / "work").resolve())
    home.settings.parent.mkdir(parents=True)
    home.work.mkdir()
    home.settings.write_text(json.dumps({"permissions": {"defaultMode": "default"}}))
    state = {
        "hasCompletedOnboarding": True,
        "customApiKeyResponses": {"approved": [API_KEY[-20:]], "rejected": []},
        "projects": {str(home.work): {"hasTrustDialogAccepted": trusted}},
    }
    if mode_asked:
        state["hasSeenAutoDefaultNudge"] = True
    home.state.write_text(json.dumps(state))
    return home


def environment(home: Home, url: str) -> dict[str, str]:
    """Return what the program needs in its environment to talk to the stub and to nobody else."""
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": API_KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_TELEMETRY": "1",
        "HOME": str(home.path),
    }


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

_RULE = re.compile(r"─+(?: [↑↓] \d+ more ─+)?")
_ESCAPE = re.compile(r"\x1b\[([0-9;:]*)m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x0e\x0f]")
_COLOUR = re.compile(r"[34]8;(?:5;\d+|2;\d+;\d+;\d+)")


@dataclass(frozen=True)
class View:
    """What the program shows, read without Torch.

    ``box`` is the text in the input box, its rows joined, or ``None`` if there is none; ghost
    text does not count. ``footer`` are the rows below it.
    """

    rows: tuple[str, ...]
    box: str | None
    footer: tuple[str, ...] = ()

    @property
    def working(self) -> bool:
        """Whether it says so; it does not while its box holds text."""
        return any("esc to interrupt" in row for row in self.footer)

    @property
    def asks(self) -> bool:
        """Whether the permission dialog is up."""
        return self.box is None and any("Do you want to proceed?" in row for row in self.rows)

    @property
    def idle(self) -> bool:
        """Whether it waits for a message, with nothing in its box."""
        return self.box == "" and not self.working


def view(captured: str, width: int) -> View:
    """Read the output of ``capture-pane -p -e`` of a pane of ``width`` columns."""
    shown = [_ESCAPE.sub("", line).rstrip(" ") for line in captured.split("\n")]
    solid = _without_ghost_text(captured).split("\n")
    while shown and not shown[-1]:
        shown.pop()
    rules = [
        index
        for index, row in enumerate(shown)
        if len(row) >= width - 1 and _RULE.fullmatch(row) is not None
    ]
    box: str | None = None
    footer: tuple[str, ...] = ()
    if len(rules) > 1:
        first, last = rules[-2] + 1, rules[-1]
        if f"❯{NBSP}" in solid[first] or "more" in shown[first - 1]:
            box = "\n".join(solid[first:last]).replace(f"❯{NBSP}", "", 1).strip()
            footer = tuple(shown[last + 1 :])
    return View(tuple(shown), box, footer)


def _without_ghost_text(captured: str) -> str:
    """Return the text that is not dim; the cursor drawn on ghost text is reversed, and goes too."""
    parts: list[tuple[str, bool]] = []
    dim = reverse = False
    start = 0
    for escape in [*_ESCAPE.finditer(captured), None]:
        part = captured[start : escape.start() if escape else len(captured)]
        if part and dim and parts and parts[-1][1] and len(parts[-1][0]) == 1:
            parts.pop()
        if part:
            parts.append(("\n" * part.count("\n") if dim else part, reverse))
        if escape is None:
            break
        start = escape.end()
        for code in _COLOUR.sub("", escape[1] or "").split(";") if escape[1] is not None else ():
            dim = code == "2" or (dim and code not in ("", "0", "22"))
            reverse = code == "7" or (reverse and code not in ("", "0", "27"))
    return "".join(text for text, _ in parts)
