"""What the e2e tests need to know of an agent program: how to get it, house it, and read it.

Nothing here uses Torch: what the tests look at must not come from what they test.
"""

import fcntl
import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch_cli.profiling.houses import Home
from torch_cli.profiling.stub import Handler

CACHE = Path(__file__).parents[2] / ".cache" / "agents"
"""Where programs are kept between runs; the repository ignores it."""

INSTALL_TIMEOUT = 600.0
"""Seconds for the download: a program has about 400 MB."""

VERSION_TIMEOUT = 300.0
"""Seconds for a program to say its version; beside a load of 30 a minute was too little."""


class NotInstalledError(Exception):
    """The program could not be had; the message says why and what to do."""


@dataclass(frozen=True)
class View:
    """What the program shows, read without Torch.

    ``box`` is the text in the input box, its rows joined, or ``None`` if there is none; ghost
    text does not count. ``working`` is whether it says so, ``asks`` whether its permission dialog
    is up.
    """

    rows: tuple[str, ...]
    box: str | None
    working: bool
    asks: bool

    @property
    def idle(self) -> bool:
        """Whether it waits for a message, with nothing in its box."""
        return self.box == "" and not self.working


class Program(ABC):
    """An agent program. ``name`` is its profile's, ``handler`` its API for the stub.

    ``version`` is the one that is installed. For the documents ``truth`` says what the stub is one
    of, and ``exact`` what the program is known to change in a text.
    """

    name: str
    title: str
    version: str
    handler: type[Handler]
    truth: str
    exact: str
    decline: str = "Escape"
    """The key by which a person says no to what it asks, and stops its work."""
    why: str = ""
    """What it asks for after that, if it wants a reason; Enter gives none."""
    hides_box: bool = False
    """Whether it shows no box while it works."""
    pause: float = 2.0
    """Seconds between two such keys, or two C-c, for a second one could end the program."""
    adds: str = ""
    """How a text begins that it puts behind each message by itself, '' if it puts none."""
    unhurried: float = 0.0
    """Seconds that a person lets pass between a paste and Enter: sooner, it is a newline."""

    consent: tuple[str, str] = ("", "")
    """The options by which ``torch answer`` says yes, and no, to its permission dialog."""

    approve: tuple[str, ...] = ("Enter",)
    """The keys by which a person says yes to its permission dialog."""
    questions_at_once: bool = False
    """Whether it takes commands from an answer's text, and asks about one after the other."""
    dialog_rows: int = 40
    """The last rows of the screen, in which its permission dialog is."""

    modes: tuple[str, ...] = ()
    """Its modes that are reached without a question; the first is the one in which it starts."""

    @abstractmethod
    def install(self) -> Path:
        """Return the path of the program, installed unless it is there already."""

    @abstractmethod
    def make_home(self, root: Path, **options: bool) -> Home:
        """Make a home in which the program starts without a question, but for those asked for."""

    @abstractmethod
    def environment(self, home: Home, url: str) -> dict[str, str]:
        """Return the variables by which it talks to the stub and to nobody else."""

    @abstractmethod
    def expected(self, text: str) -> str:
        """Return ``text`` as the program brings it to the API, by the profile's rules."""

    @abstractmethod
    def received(self, block: str) -> str:
        """Return the message in a text block of a request."""

    def refusal(self, view: View) -> str:
        """Return the key by which a person says no to what it shows, and stops its work."""
        asked = self.why and any(self.why in row for row in view.rows[-self.dialog_rows :])
        return "Enter" if asked else self.decline

    def answered(self, text: str) -> str:
        """Return ``text``, an answer of the API's, as the program keeps it."""
        return text

    @abstractmethod
    def view(self, captured: str, width: int) -> View:
        """Read the output of ``capture-pane -p -e`` of a pane of ``width`` columns."""


def install_from_npm(
    package: str, version: str, name: str, program: str, *, beside: Sequence[str] = ()
) -> Path:
    """Return the path of ``program`` in an npm package, installed unless it is there already.

    ``beside`` are packages that are installed with it; their programs come first for it.
    Raises ``NotInstalledError``; a half-finished installation is never left in its place.
    """
    home = CACHE / f"{name}-{version}"
    path = home / "node_modules" / program
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}-{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _download([f"{package}@{version}", *beside], home)
        _check(path, version)
    return path


def _download(packages: Sequence[str], home: Path) -> None:
    """Install npm packages into ``home``, whole or not at all."""
    npm = shutil.which("npm")
    package = packages[0]
    if npm is None:
        raise NotInstalledError(
            f"{package} cannot be installed: there is no npm. Install Node.js, or put the program "
            f"into {home}/node_modules yourself."
        )
    shutil.rmtree(home, ignore_errors=True)
    unfinished = home.with_name(home.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    words = [npm, "install", "--prefix", str(unfinished), "--ignore-scripts", "--no-audit"]
    words += ["--no-fund", "--no-package-lock", "--loglevel=error", *packages]
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
    node = Path(shutil.which("node") or "/usr/bin/node").parent
    environment = {"HOME": "/", "PATH": f"{program.parent}{os.pathsep}{node}"}
    try:
        done = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"{program} does not run: {error}") from None
    if done.returncode != 0 or version not in done.stdout:
        raise NotInstalledError(
            f"{program} --version says {done.stdout or done.stderr!r} instead of {version}"
        )


_ESCAPE = re.compile(r"\x1b\[([0-9;:]*)m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x0e\x0f]")
_COLOUR = re.compile(r"[34]8;(?:5;\d+|2;\d+;\d+;\d+)")


def rows_of(captured: str) -> list[str]:
    """Return the rows of a captured screen without attributes, blank ones at the end left out."""
    shown = [_ESCAPE.sub("", line).rstrip(" ") for line in captured.split("\n")]
    while shown and not shown[-1]:
        shown.pop()
    return shown


def without_ghost_text(
    captured: str, *, is_ghost: Callable[[str], bool] = lambda colour: False
) -> list[str]:
    """Return the rows without what is dim, or coloured as ``is_ghost`` says.

    The cursor drawn on ghost text is reversed, and goes too.
    """
    parts: list[tuple[str, bool]] = []
    dim = reverse = False
    colour = ""
    start = 0
    for escape in [*_ESCAPE.finditer(captured), None]:
        part = captured[start : escape.start() if escape else len(captured)]
        ghost = dim or is_ghost(colour)
        if part and ghost and parts and parts[-1][1] and len(parts[-1][0]) == 1:
            parts.pop()
        if part:
            parts.append(("\n" * part.count("\n") if ghost else part, reverse))
        if escape is None:
            break
        start = escape.end()
        codes = escape[1]
        if codes is None:
            continue
        found = re.findall(r"(?<![0-9])(?:38;(?:5;\d+|2;\d+;\d+;\d+)|3[0-79]|9[0-7])", codes)
        for code in _COLOUR.sub("", codes).split(";"):
            dim = code == "2" or (dim and code not in ("", "0", "22"))
            reverse = code == "7" or (reverse and code not in ("", "0", "27"))
            colour = "" if code in ("", "0", "39") else colour
        colour = found[-1] if found and found[-1] != "39" else colour
    return "".join(text for text, _ in parts).split("\n")
