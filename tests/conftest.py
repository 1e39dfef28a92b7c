"""Fixtures that own real things: a private tmux server, a directory for Torch's state.

Every test has its own server under its own ``TMUX_TMPDIR``; it is ended afterwards with everything
that ran in it, whatever the test did to it.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

import torch_cli
from schemas import check_output
from torch_cli import procs
from torch_cli.paths import DATABASE
from torch_cli.programs.accepted import copy_of
from torch_cli.roster.registry import profiles_dir
from torch_cli.store import Store
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.process import program
from torch_cli.tmux.socket import Socket

if TYPE_CHECKING:
    from agent import DemoAgent

T = TypeVar("T")

SOURCE = Path(torch_cli.__file__).parents[1]
"""Where the package under test was imported from; its commands are run from there too."""

TMUX = shutil.which(program()) or program()
"""The tmux of this run, for the tests and for Torch: ``TORCH_TMUX``, else the one on the PATH."""

TMUX_VERSION = tuple(
    int(number)
    for number in re.findall(
        r"\d+", subprocess.run([TMUX, "-V"], capture_output=True, text=True, check=False).stdout
    )[:2]
)
"""Its version as two numbers: what tmux itself does differs, and a test then names the version."""

KEEPS_DEAD = TMUX_VERSION >= (3, 3)
"""Whether Torch keeps the pane of a program that ended: not in 3.2, whose server may end of it."""

RUN = "TESTS_OF_TORCH"
"""The variable by which all that the tests start is known as this run's, also in its workers."""

_owns_run = RUN not in os.environ
_run = os.environ.setdefault(RUN, f"tt{os.getpid()}-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what a run has left that was interrupted, as by Ctrl-C: servers and what is in them."""
    if _owns_run:  # not a worker, whose processes are ended after it
        end_all_of(_run)
        for left in Path("/tmp").glob(f"{_run}*"):
            shutil.rmtree(left, ignore_errors=True)


def end_all_of(run: str) -> None:
    """Kill the processes with the mark ``run`` in their environment, except this one."""
    mark = os.fsencode(f"{RUN}={run}")
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            mine = mark in (place / "environ").read_bytes().split(b"\0")
            if mine and int(place.name) != os.getpid():
                os.kill(int(place.name), signal.SIGKILL)


_TMUX_IS_NAMED = bool(os.environ.get("TORCH_TMUX"))

WITHOUT_SOCKET = frozenset(
    {
        *("agreement", "branch", "briefing", "checkin", "checkpoint", "completion", "config"),
        *(
            "crontab",
            "daemon",
            "events",
            "help",
            "hook",
            "message",
            "mute",
            "notify",
            "outbox",
            "profile",
            "shell",
            "store",
            "tag",
            "task",
            "team",
        ),
        *("tick", "uninstall"),
    }
)
"""Commands that are not asked about one tmux server, or that have verbs of their own."""

# A shell starts what runs in its background with SIGINT ignored, nohup ignores SIGHUP, and our
# children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

settings.register_profile(
    "torch",
    deadline=None,
    database=None,
    derandomize="CI" in os.environ,
    # A server that serves all the examples of a test is meant.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("torch")

_descendants = procs.descendants
"""As it is: a test that puts another in its place must not keep its server from being ended."""


PATIENCE = 60.0
"""Seconds for what takes a fraction of one on a quiet machine: a test that waits for a condition
goes on as soon as it is true, so that a long wait costs nothing but in a failure."""


def wait_until(
    condition: Callable[[], T],
    timeout: float = PATIENCE,
    what: str = "the condition",
    *,
    screen: Callable[[], str] | None = None,
) -> T:
    """Return what ``condition`` returns as soon as it is true; fail after ``timeout`` seconds.

    The failure names ``what`` was waited for, and shows what ``screen`` returns then.
    """
    deadline = time.monotonic() + timeout
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            shown = f"\nThe last screen:\n{screen()}" if screen else ""
            pytest.fail(f"{what} did not come true within {timeout:g} s{shown}", pytrace=True)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


@dataclass(frozen=True)
class TmuxServer:
    """A private tmux server, not yet running until something starts it."""

    socket: Socket
    directory: Path

    def run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a tmux command; the server reads no configuration file if this starts it."""
        return subprocess.run(
            [TMUX, "-u", "-f", "/dev/null", *self.socket.arguments, *words],
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )

    def cmd(self, *words: str) -> str:
        """Run a tmux command that must succeed; return its output without the last newline."""
        done = self.run(*words)
        assert done.returncode == 0, f"tmux {words}: {os.fsdecode(done.stderr)}"
        return os.fsdecode(done.stdout).removesuffix("\n")

    def new_session(
        self,
        name: str = "main",
        *command: str,
        window: str | None = None,
        directory: str | Path | None = None,
        size: tuple[int, int] = (80, 24),
    ) -> Pane:
        """Start a detached session of ``size`` (columns, rows); return its pane."""
        words = ["new-session", "-d", "-P", "-F", "#{pane_id}", "-s", name]
        words += ["-x", str(size[0]), "-y", str(size[1])]
        words += ["-n", window] if window is not None else []
        words += ["-c", str(directory or self.directory)]
        pane = self.cmd(*words, *command)
        if TMUX_VERSION < (3, 3):  # it gives 80x23, whatever -x and -y say
            self.cmd("resize-window", "-t", pane, "-x", str(size[0]), "-y", str(size[1]))
        return self.pane(pane)

    def new_window(self, session: str, name: str, *command: str, directory: str = "") -> Pane:
        """Open a window in ``session``; return its pane."""
        words = ["new-window", "-d", "-P", "-F", "#{pane_id}", "-t", f"={session}:", "-n", name]
        words += ["-c", directory or str(self.directory)]
        return self.pane(self.cmd(*words, *command))

    def panes(self) -> list[Pane]:
        """Return every pane."""
        return list_panes(self.socket)

    def pane(self, pane_id: str) -> Pane:
        """Return one pane as it is now."""
        return next(pane for pane in self.panes() if pane.id == pane_id)

    def screen(self, pane: Pane | str) -> str:
        """Return the text that a pane shows."""
        return self.cmd("capture-pane", "-p", "-t", pane if isinstance(pane, str) else pane.id)

    def screens(self) -> str:
        """Return what every pane shows, for a failure."""
        listed = self.run("list-panes", "-a", "-F", "#{pane_id}").stdout.split()
        return "\n".join(f"--- {pane.decode()}\n{self.screen(pane.decode())}" for pane in listed)

    def wait_until(
        self, condition: Callable[[], T], what: str = "the condition", timeout: float = PATIENCE
    ) -> T:
        """Wait as ``wait_until`` does; the failure shows every screen."""
        return wait_until(condition, timeout, what, screen=self.screens)

    def wait_for_text(self, pane: Pane, text: str, timeout: float = PATIENCE) -> None:
        """Wait until ``pane`` shows ``text``."""
        self.wait_until(lambda: text in self.screen(pane), f"{text!r} on {pane.id}", timeout)

    def client(self, session: str | None = None, *, timeout: float = 20.0) -> ControlClient:
        """Return a control client attached to a session, by default the first."""
        return ControlClient(self.socket, session or self.panes()[0].session_id, timeout=timeout)

    def kill(self) -> None:
        """End the server and everything in it, also if it is stopped or was killed before."""
        server = self._server()
        if server is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, signal.SIGCONT)
        inside = _descendants(server.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.run("-N", "kill-server")
        for process in [*inside, server]:
            deadline = time.monotonic() + 1.0
            while procs.alive(process):
                if time.monotonic() > deadline:
                    with contextlib.suppress(ProcessLookupError):  # it has ended since
                        os.kill(process.pid, signal.SIGKILL)
                time.sleep(0.002)

    def _server(self) -> procs.Process | None:
        """Find the server's process, where possible without speaking to it: it may be stopped."""
        if not Path("/proc/self").exists():
            pid = self.run("-N", "display-message", "-p", "#{pid}").stdout
            return procs.identify(int(pid)) if pid else None
        for process in _descendants(0):
            with contextlib.suppress(OSError):
                environ = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
                name = Path(f"/proc/{process.pid}/comm").read_bytes()
                mine = b"TMUX_TMPDIR=" + os.fsencode(self.directory)
                if name.startswith(b"tmux: server") and mine in environ:
                    return process
        return None


@dataclass(frozen=True)
class Result:
    """What a ``torch`` command did: its exit code, its output, its words."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output as JSON."""
        try:
            return json.loads(self.out)
        except ValueError:
            pytest.fail(f"no JSON (exit {self.code}): {self.out!r}, stderr {self.err!r}")


@dataclass(frozen=True)
class Torch:
    """Runs ``torch`` as a process of its own, against the private server.

    ``demands`` says that it names the server with ``-L``, as a person who means no other. What it
    prints with ``--json`` must be as docs/schemas has it.
    """

    socket: Socket
    demands: bool = True

    def __call__(
        self,
        *args: str,
        input: str | bytes | None = None,  # noqa: A002
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        timeout: float = 2 * PATIENCE,
    ) -> Result:
        """Run ``torch ARGS``, with ``-L`` of the private server behind the command's name."""
        done = subprocess.run(
            self.argv(*args),
            input=input.encode("utf-8", "surrogateescape") if isinstance(input, str) else input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE), **(env or {})},
            cwd=cwd,
            timeout=timeout,
            check=False,
            start_new_session=True,  # the terminal of who runs the tests says nothing
        )
        out, err = (
            stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr)
        )
        check_output(out)
        return Result(done.returncode, out, err)

    def argv(self, *args: str) -> Sequence[str]:
        """Return the command line of ``torch ARGS``."""
        words = [sys.executable, "-m", "torch_cli", *args]
        named = args and not args[0].startswith("-") and args[0] not in WITHOUT_SOCKET
        if self.demands and named:
            words[4:4] = self.socket.arguments
        return words


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of the caller's tmux, desktop, configuration or Torch reaches a test, but ``TMUX``.

    A scheduler that the test has left at work is ended.
    """
    for name in list(os.environ):
        if name.startswith(("TMUX", "TORCH_", "XDG_", "LC_", "CLAUDE", "DISPLAY", "WAYLAND_")):
            monkeypatch.delenv(name)
    if _TMUX_IS_NAMED:
        monkeypatch.setenv("TORCH_TMUX", TMUX)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.setenv("PS1", "$ ")
    yield
    _end_scheduler(tmp_path / "torch" / DATABASE)


def _end_scheduler(database: Path) -> None:
    if not database.is_file():
        return
    with (
        contextlib.suppress(sqlite3.Error, ProcessLookupError),
        contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store,
    ):
        for pid, started in store.execute("SELECT pid, started FROM lease WHERE released = 0"):
            if pid != os.getpid() and procs.alive(procs.Process(pid, started)):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def tmux(monkeypatch: pytest.MonkeyPatch) -> Iterator[TmuxServer]:
    """A private tmux server in a directory of its own; a socket's path must be short."""
    directory = Path(tempfile.mkdtemp(prefix=_run, dir="/tmp")).resolve()
    monkeypatch.setenv("TMUX_TMPDIR", str(directory))
    server = TmuxServer(Socket(name="t"), directory)
    yield server
    server.kill()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def torch(tmux: TmuxServer) -> Torch:
    """The ``torch`` command, on the private server."""
    return Torch(tmux.socket)


def accept_profiles() -> None:
    """Accept what is in the user's directory of profiles, as ``torch profile install`` does."""
    for path in Path(profiles_dir()).glob("*.toml"):
        copy = Path(copy_of(path.stem))
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


@pytest.fixture
def store() -> Iterator[Store]:
    """The state file of the test, open."""
    with Store() as opened:
        yield opened


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> "DemoAgent":
    """A demo agent that answers at once."""
    from agent import spawn_demo  # it needs what is above

    return spawn_demo(tmux, torch, tmp_path / "project", "--work", "0")
