"""Where the measuring is done: a private tmux server, a state of its own, an installed Torch."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from torch_cli import procs
from torch_cli.errors import NotFoundError
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

ROOT = Path(__file__).resolve().parents[1]

COLUMNS, ROWS = 120, 40
"""The size of every pane."""

_FOREIGN = ("TMUX", "TORCH_", "PYTHON", "XDG_STATE", "XDG_CONFIG")


class Lab:
    """A directory that holds everything, and what was found or made in it."""

    def __init__(self, directory: Path, installed: "Installed") -> None:
        self.directory = directory
        self._installed = installed
        self.socket = Socket(name="bench")
        self._outside = dict(os.environ)
        (directory / "home").mkdir()
        (directory / "project").mkdir()
        for name in list(os.environ):
            # PYTHONDONTWRITEBYTECODE and its like would be measured too.
            if name.startswith(_FOREIGN) and name != "TORCH_TMUX":
                del os.environ[name]
        os.environ |= {
            "HOME": str(directory / "home"),
            "TORCH_HOME": str(directory / "state"),
            "TMUX_TMPDIR": str(directory),
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
        }

    @property
    def bin(self) -> Path:
        """The directory of the installed programs."""
        return self._installed.bin

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """The environment of whoever measures, for what installs programs: npm and pip have
        settings at home."""
        inside = dict(os.environ)
        _set_environment(self._outside)
        try:
            yield
        finally:
            _set_environment(inside)

    def tmux(self, *words: str) -> str:
        """Run a tmux command, which must succeed; return what it printed."""
        done = run(self.socket, "-f", os.devnull, *words, timeout=30)
        if done.status != 0:
            raise RuntimeError(f"tmux {' '.join(words)}: {done.error}")
        return done.out.removesuffix("\n")

    def open_pane(self, session: str, command: Sequence[str]) -> Pane:
        """Open a window with ``command`` in a session, which is made if need be."""
        common = ["-d", "-P", "-F", "#{pane_id}", "-c", str(self.directory / "project")]
        if session in {pane.session for pane in self.panes()}:
            words = ["new-window", *common, "-t", f"={session}:"]
        else:
            words = ["new-session", *common, "-s", session, "-x", str(COLUMNS), "-y", str(ROWS)]
        return self.pane(self.tmux(*words, "--", *command))

    def panes(self) -> list[Pane]:
        """Return every pane; none if no server runs."""
        try:
            return list_panes(self.socket)
        except NotFoundError:
            return []

    def pane(self, pane_id: str) -> Pane:
        """Return one pane as it is now."""
        return next(pane for pane in self.panes() if pane.id == pane_id)

    def client(self) -> ControlClient:
        """Return an open control client."""
        return ControlClient(self.socket, self.panes()[0].session_id)

    def wait_for_screen(self, pane: Pane, wanted: Callable[[str], bool]) -> None:
        """Wait until what ``pane`` shows is as ``wanted``."""
        wait_until(lambda: wanted(self.tmux("capture-pane", "-p", "-t", pane.id)))

    def close(self) -> None:
        """End the server and what ran in it."""
        with contextlib.suppress(Exception):
            server = procs.identify(int(self.tmux("-N", "display-message", "-p", "#{pid}")))
            inside = procs.descendants(server.pid) if server else []
            self.tmux("-N", "kill-server")
            time.sleep(0.2)
            for process in [*inside, *([server] if server else [])]:
                if procs.alive(process):
                    os.kill(process.pid, signal.SIGKILL)


class Installed:
    """Torch's wheel, built from this tree, in a virtual environment made when first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made = False

    @property
    def bin(self) -> Path:
        """The directory of its programs."""
        venv = self._directory / "venv"
        if not self._made:
            say("building the wheel and installing it into a fresh virtual environment ...")
            check([sys.executable, "-m", "venv", str(venv)])
            pip = [str(venv / "bin/python"), "-m", "pip", "-q", "--disable-pip-version-check"]
            check([*pip, "wheel", "--no-deps", "-w", str(self._directory), str(ROOT)])
            wheels = [str(wheel) for wheel in self._directory.glob("*.whl")]
            check([*pip, "install", "--compile", "-c", str(ROOT / "constraints.txt"), *wheels])
            self._made = True
        return venv / "bin"


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """A directory with a short path, as a socket needs, gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="tb", dir="/tmp")).resolve()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def lab(installed: Installed) -> Iterator[Lab]:
    """A laboratory, gone afterwards."""
    before = dict(os.environ)
    with directory() as path:
        place = Lab(path, installed)
        try:
            yield place
        finally:
            place.close()
            _set_environment(before)


def _set_environment(variables: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


def check(argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Run a program that must succeed; return its output."""
    done = subprocess.run(argv, capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def wait_until(condition: Callable[[], bool], timeout: float = 20.0) -> None:
    """Wait until ``condition`` is true; raise ``RuntimeError`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {timeout:g} s")
        time.sleep(0.01)


def timed(action: Callable[[], object]) -> float:
    """Return how long ``action`` took, in milliseconds."""
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def say(text: str) -> None:
    """Tell the person who waits what is going on."""
    print(text, file=sys.stderr, flush=True)
