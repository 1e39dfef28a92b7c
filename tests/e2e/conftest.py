"""Fixtures that own the real program: a private tmux server, a home, a stub, and a Torch agent.

A ``World`` is one of the three set-ups that the messages are proven in. What is counted goes into
the ``Report``, which is printed at the end of the run.
"""

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from conftest import SOURCE, TMUX, Result, TmuxServer, Torch, wait_until
from e2e.program import NotInstalledError, Program, View
from e2e.report import REPORTS, Report, Tally
from torch_cli import paths, procs
from torch_cli.profiling.houses import Home
from torch_cli.profiling.stub import Behaviour, Hold, StubServer
from torch_cli.tmux.socket import Socket

FULL = os.environ.get("TORCH_E2E") == "full"
"""As many of everything as a claim needs, and a document of each program; else the short form."""

SESSION = "e2e"
WIDTH, HEIGHT = 120, 40
STARTING = 300.0
"""Seconds for a program to start on an overloaded machine."""

PATIENCE = 180.0
"""Seconds for anything that the program does in a fraction of one on a quiet machine."""

STANDING = 1.0
"""Seconds that a text stands in the box before it is a draft, and not a screen being drawn."""

SWALLOWED = 100
"""Looks in a row without a box, after which what was pasted has gone elsewhere."""


class Setup(StrEnum):
    """What Torch may lean on: the program's own reports, and a submit key that no dialog hears."""

    CHORD = "hooks and chord"
    HOOKS = "hooks only"
    BARE = "neither"
    SPAWNED = "spawned"
    """The same for programs whose key comes from ``torch spawn`` and which report nothing."""
    ADOPTED = "adopted"


# -- reports ---------------------------------------------------------------------------------------


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the reports of a worker to the process that prints them."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["reports"] = [one.packed() for one in REPORTS.values()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the reports of a worker that has ended; another may have tested the same program."""
    for text in getattr(node, "workeroutput", {}).get("reports", []):
        report = Report.unpacked(text)
        if report.name in REPORTS:
            REPORTS[report.name].add(report)
        else:
            REPORTS[report.name] = report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was counted; a full run writes it down, too."""
    for report in REPORTS.values():
        terminalreporter.section(f"delivery to the real program: {report.versions()}")
        for line in report.printed():
            terminalreporter.write_line(line)
        if FULL:
            report.document()


# -- the world -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """One message handed to ``torch send``: what it printed, and since when to look for it."""

    text: str
    result: Result
    mark: int

    @property
    def state(self) -> str:
        """The receipt's state, or the code of the error."""
        answer = self.result.json
        return str(answer["state"] if "state" in answer else answer["error"]["code"])

    @property
    def delivered(self) -> bool:
        """Whether Torch says that it was."""
        return self.result.code == 0

    def __str__(self) -> str:
        return f"{self.text[:200]!r}: exit {self.result.code}, {self.result.out}{self.result.err}"


class World:
    """The program in a private tmux server, with a home and a stub of its own, as an agent."""

    def __init__(
        self,
        root: Path,
        kit: Program,
        program: Path,
        setup: Setup,
        *,
        home: Home | None = None,
        extra: dict[str, str] | None = None,
        beside: "World | None" = None,
    ) -> None:
        """House the program; ``beside`` another one, on its server and with its Torch."""
        self.kit, self.setup, self.program = kit, setup, program
        self.home = home or kit.make_home(root)
        self.stub = StubServer(kit.handler, root / "requests.jsonl").start()
        self.variables = kit.environment(self.home, self.stub.url) | (extra or {})
        self.beside = beside
        # The path of a socket must be short.
        self.directory: Path = (
            beside.directory
            if beside
            else Path(tempfile.mkdtemp(prefix="te", dir="/tmp")).resolve()
        )
        self.server = TmuxServer(Socket(path=str(self.directory / "s")), self.directory)
        path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
        self.environment = {
            "HOME": str(self.home.path),
            "LANG": "C.UTF-8",
            "PATH": path,
            "SHELL": "/bin/sh",
            "TERM": "xterm-256color",
            "TMUX_TMPDIR": str(self.directory),
        }
        self.name, self.pane, self.pid = "", "", 0
        self.pressed = 0.0
        """When a person's key was last pressed by which a second one could end the program."""
        self.sound = True
        """Whether the program came to rest when it was last asked to; else it is started anew."""
        self.kept: Hold | None = None
        """An answer that goes to a sub-agent and never ends, so that it works beside the rest."""
        self.pending = kit.pause
        """Seconds for which such a key may wait to be acted on while the program looks at rest."""
        self._starts = 0
        if beside is None:
            self._start_server()
        else:
            # What this program needs, the server does not have.
            self.variables |= {name: self.environment[name] for name in ("HOME", "PATH")}
        if setup is Setup.CHORD:
            installed = self.torch("agent-setup", "claude", "--yes", "--json")
            assert installed.code == 0, installed

    def inside(self, words: Sequence[str]) -> list[str]:
        """Return the words that run ``words`` where the agents live: here."""
        return [*words]

    def _start_server(self) -> None:
        words = ["new-session", "-d", "-s", SESSION, "-x", str(WIDTH), "-y", str(HEIGHT)]
        begin = [TMUX, "-u", "-f", "/dev/null", *self.server.socket.arguments, *words, "sleep 1d"]
        started = subprocess.run(
            self.inside(begin),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert started.returncode == 0, started.stderr
        self.server.cmd("set-option", "-g", "default-size", f"{WIDTH}x{HEIGHT}")

    def close(self) -> None:
        """End the server with everything in it, what the program left behind, and the stub."""
        if self.beside is None:
            self.server.kill()
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.stub.stop()
        if self.beside is None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def processes(self) -> list[procs.Process]:
        """Return the processes that work in the program's directory, wherever they hang."""
        work = str(self.home.work)
        return [one for one in procs.descendants(0) if procs.directory(one.pid) == work]

    # -- Torch -------------------------------------------------------------------------------------

    def popen(self, *args: str) -> subprocess.Popen[bytes]:
        """Begin to run ``torch ARGS`` with nothing of the caller's environment."""
        return self._begin(Torch(self.server.socket).argv(*args))

    def popen_with(self, fault: str, *args: str) -> subprocess.Popen[bytes]:
        """Begin to run ``torch ARGS`` in a process that runs the code ``fault`` first."""
        words = list(Torch(self.server.socket).argv(*args))
        words[1:3] = ["-c", f"{fault}\nfrom torch_cli.__main__ import main\nmain()"]
        return self._begin(words)

    def _begin(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        environment = (
            self.environment
            | self.variables
            | {
                "PYTHONPATH": str(SOURCE),
                "TORCH_HOME": str(self.directory / "torch"),
                "TORCH_TMUX": TMUX,
            }
        )
        return subprocess.Popen(
            self.inside(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=self.home.work,
        )

    def torch(self, *args: str, text: str = "", timeout: float = 1.5 * STARTING) -> Result:
        """Run ``torch ARGS`` with ``text`` on standard input."""
        with self.popen(*args) as process:
            try:
                out, err = process.communicate(text.encode(), timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                pytest.fail(f"torch {args} did not end in {timeout:g} s\n{self.server.screens()}")
        return Result(process.returncode, out.decode(), err.decode())

    def empty_outbox(self) -> None:
        """Take out what was held and not typed: each message is counted on its own here."""
        state = self.directory / "torch" / paths.DATABASE
        with contextlib.closing(sqlite3.connect(state, timeout=30)) as store, store:
            store.execute("UPDATE messages SET kept = 0 WHERE state = 'held' AND step = 'accepted'")

    @property
    def reports(self) -> bool:
        """Whether the program reports to Torch by hooks."""
        state = self.directory / "torch" / paths.DATABASE
        with contextlib.closing(sqlite3.connect(state, timeout=30)) as store:
            (hooks,) = store.execute("SELECT hooks FROM agents WHERE name = ?", (self.name,))
        return bool(hooks[0])

    def begin_send(self, *options: str) -> tuple[subprocess.Popen[bytes], int]:
        """Begin ``torch send``, its text still to be given; the number is a mark for ``Sent``."""
        self.empty_outbox()
        mark = len(self.stub.requests)
        return self.popen("send", self.name, "-", "--plain", "--json", *options), mark

    def send(self, text: str, *options: str) -> Sent:
        """Send ``text`` through the command line, without an envelope."""
        self.empty_outbox()
        mark = len(self.stub.requests)
        result = self.torch("send", self.name, "-", "--plain", "--json", *options, text=text)
        return Sent(text, result, mark)

    def state(self) -> dict[str, Any]:
        """Return what ``torch state`` says of the agent."""
        answer: dict[str, Any] = self.torch("state", self.name, "--json").json
        return answer

    # -- the program -------------------------------------------------------------------------------

    def start(self, *, wait: float = STARTING, arguments: Sequence[str] = ()) -> Result:
        """Start the program as an agent of a new name; return what Torch printed.

        ``arguments`` are the program's, if Torch starts it.
        """
        self._starts += 1
        self.name = f"{self.kit.name}{self._starts}"
        if self.setup in (Setup.BARE, Setup.ADOPTED):
            result = self._adopt()
        else:
            given = [word for name in self.variables for word in ("--env", name)]
            words = ["--profile", self.kit.name, "--session", SESSION, "--dir", str(self.home.work)]
            result = self.torch(
                "spawn",
                self.name,
                *words,
                *given,
                "--wait",
                f"{wait:g}",
                "--json",
                "--",
                *arguments,
            )
            self.pane = self._newest_pane()
        self.pid = int(self.server.cmd("display-message", "-p", "-t", self.pane, "#{pane_pid}"))
        self.resize(WIDTH, HEIGHT)
        return result

    def resize(self, width: int, height: int) -> None:
        """Give the pane's window this size for good, whoever attaches."""
        # The global option would end a tmux 3.3a server at the next new window.
        words = ["-t", self.pane, "-x", str(width), "-y", str(height)]
        self.server.cmd("resize-window", *words)

    def _adopt(self) -> Result:
        """Start the program by hand, without hooks, and register it."""
        given = [word for item in self.variables.items() for word in ("-e", "=".join(item))]
        words = ["new-window", "-d", "-P", "-F", "#{pane_id}", "-t", f"{SESSION}:"]
        words += ["-c", str(self.home.work), *given, str(self.program)]
        self.pane = self.server.cmd(*words)
        self.server.cmd("set-option", "-p", "-t", self.pane, "remain-on-exit", "on")
        self.wait(lambda: self.view().box is not None, "the program's input box", STARTING)
        return self.torch("adopt", self.pane, self.name, "--profile", self.kit.name, "--json")

    def _newest_pane(self) -> str:
        panes = self.server.cmd("list-panes", "-a", "-F", "#{pane_id}").split()
        return max(panes, key=lambda pane: int(pane[1:]))

    @property
    def alive(self) -> bool:
        """Whether the program still runs in its pane."""
        dead = self.server.run("list-panes", "-a", "-F", "#{pane_id} #{pane_dead}").stdout
        return f"{self.pane} 0" in dead.decode().split("\n")

    def ready(self) -> "World":
        """Return this world with the program idle and its box empty; start it anew if it ended."""
        if not self.pane or not self.alive or not self.sound:
            if self.pane:
                self.server.run("kill-pane", "-t", self.pane)
            self.sound = False
            started = self.start()
            assert started.code == 0, f"{started}\n{self.server.screens()}"
        self.settle()
        return self

    def settle(self) -> None:
        """Bring the program to rest as a person would: decline, clear the box, let it finish."""
        quiet = hidden = 0
        stood = ("", 0.0)
        for hold in self.stub.holds():
            if hold is not self.kept:
                hold.release(Behaviour())

        def at_rest() -> bool:
            nonlocal quiet, hidden, stood
            self.server.run("copy-mode", "-q", "-t", self.pane)
            view = self.view()
            quiet = quiet + 1 if view.idle and not self.busy else 0
            hidden = hidden + 1 if view.box is None else 0
            # Esc declines a dialog, C-c empties the box; never twice in a row: that would open
            # the list of checkpoints, or exit. A half-drawn screen has no box either.
            now = time.monotonic()
            stood = stood if stood[0] == (view.box or "") else (view.box or "", now)
            # Only a text that stands is a draft: what was just submitted may show for a moment, and
            # so may a half-drawn box, while C-c in an empty one ends opencode.
            draft = view.box and now - stood[1] >= STANDING
            unknown = hidden >= 3 and not (view.asks or self.kit.hides_box)
            if now - self.pressed > self.kit.pause and (view.asks or unknown or draft):
                self.keys("C-c" if draft else self.kit.refusal(view))
                self.pressed = now
            # A busy program may act on the key only now: on one Esc, or on two at once.
            return (quiet >= 3 and now - self.pressed > self.pending) or not self.alive

        self.sound = False
        self.wait(at_rest, "an idle program with an empty box")
        assert self.alive, f"the program ended\n{self.server.screens()}"
        self.sound = True

    @property
    def busy(self) -> bool:
        """Whether an answer is still being given, but for that of the sub-agent that is kept."""
        given = sum(request.outcome == "open" for request in self.stub.requests)
        return given > (self.kept is not None)

    def pause(self) -> None:
        """Wait until a key that was pressed before is no part of a sequence any more."""
        time.sleep(max(0.0, self.pressed + self.kit.pause - time.monotonic()))

    def decline(self) -> None:
        """Say no to what the program asks, as a person does."""
        self.pause()
        self.keys(self.kit.decline)
        if self.kit.why:
            self.wait(lambda: self.kit.refusal(self.view()) == "Enter", "the question for a reason")
            self.keys("Enter")
        self.pressed = time.monotonic()

    def ask(self, text: str) -> None:
        """Put a question as a person does, with tmux alone, and wait until it reaches the stub."""
        mark = len(self.stub.requests)
        self.paste(text)
        gone = 0

        def is_there() -> bool:
            nonlocal gone
            view = self.view()
            # The list of checkpoints, opened late by two keys of before, has swallowed it.
            gone = gone + 1 if view.box is None and not view.asks else 0
            if gone >= SWALLOWED and not self.kit.hides_box:
                self.settle()
                self.paste(text)
                gone = 0
            return text in (self.view().box or "")

        self.wait(is_there, "the question in the box")
        time.sleep(self.kit.unhurried)
        self.keys("Enter")
        self.wait(lambda: len(self.stub.requests) > mark, "the question at the stub")

    def paste(self, text: str) -> None:
        """Paste ``text`` into the pane, framed."""
        self.server.run("load-buffer", "-b", "e2e", "-", stdin=text.encode())
        self.server.cmd("paste-buffer", "-p", "-r", "-d", "-b", "e2e", "-t", self.pane)

    def keys(self, *keys: str) -> None:
        """Press keys in the pane."""
        self.server.cmd("send-keys", "-t", self.pane, *keys)

    def view(self) -> View:
        """Return what the pane shows."""
        words = ["display-message", "-p", "-t", self.pane, "#{pane_width}", ";"]
        shown = self.server.cmd(*words, "capture-pane", "-p", "-e", "-t", self.pane)
        width, _, captured = shown.partition("\n")
        return self.kit.view(captured, int(width or WIDTH))

    def wait(self, condition: Callable[[], object], what: str, timeout: float = PATIENCE) -> None:
        """Wait for a condition; the failure shows every screen."""
        wait_until(condition, timeout, what, screen=self.server.screens)

    # -- the truth ---------------------------------------------------------------------------------

    def arrivals(self, sent: Sent) -> int:
        """Say how many times exactly this message has reached the stub since it was sent."""
        wanted = self.kit.expected(sent.text)
        return sum(self.kit.received(text) == wanted for text in self.stub.texts(sent.mark))

    def await_arrival(self, sent: Sent, timeout: float = PATIENCE) -> bool:
        """Say whether the message reaches the stub; wait for it as long as it may take."""
        deadline = time.monotonic() + timeout
        while not self.arrivals(sent):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def deliver(self, text: str, tally: Tally, *options: str) -> Sent:
        """Send a message to the idle program; count whether it arrived once, and exact."""
        sent = self.send(text, *options)
        came = self.await_arrival(sent) if sent.delivered else False
        shown = "" if came else self.server.screen(self.pane).rstrip()
        self.settle()
        tally.sent += 1
        tally.states[sent.state] += 1
        if sent.delivered:
            tally.milliseconds.append(sent.result.json["elapsed_ms"])
        if came and self.arrivals(sent) == 1:
            tally.exact += 1
        else:
            got = [text[:300] for text in self.stub.texts(sent.mark)]
            tally.failures.append(
                f"{sent}\n{self.arrivals(sent)} arrived exact; the stub got {got!r}\n{shown}"
            )
        return sent


@pytest.fixture(scope="module")
def program(kit: Program) -> Path:
    """The real program. It is never skipped: without it, everything fails and says why.

    Which one ``kit`` is, each module says.
    """
    path, why = None, ""
    try:
        path = kit.install()
    except NotInstalledError as error:
        why = str(error)
    if path is None:
        pytest.fail(f"the e2e tests need {kit.title} {kit.version}: {why}", pytrace=False)
    return path


@pytest.fixture(scope="module")
def world(
    request: pytest.FixtureRequest,
    kit: Program,
    program: Path,
    setup: Setup,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """One long-lived agent for each set-up; which there are, each module says."""
    world = World(tmp_path_factory.mktemp(setup.name.lower()), kit, program, setup)
    yield world
    world.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the short form would prove twice: see ``contract.Alike``."""
    twice = [] if FULL else [one for one in items if _is_repetition(one)]
    if twice:
        config.hook.pytest_deselected(items=twice)
        items[:] = [one for one in items if one not in twice]


def _is_repetition(item: pytest.Item) -> bool:
    given = getattr(item, "callspec", None)
    in_both = getattr(getattr(item, "cls", None), "in_both", None)
    if given is None or in_both is None or given.params.get("setup") is not Setup.ADOPTED:
        return False
    return getattr(item, "originalname", "") not in in_both


class OneSetup(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a worker all tests that share an agent: those of a module and set-up."""

    def _split_scope(self, nodeid: str) -> str:
        module, _, test = nodeid.partition("::")
        first = re.split(r"[\[\]-]", test)[1:2]
        return "-".join([module, *(name for name in first if name.upper() in Setup.__members__)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneSetup:
    """Spread the tests over the workers."""
    return OneSetup(config, log)


@pytest.fixture(
    scope="module",
    params=[Setup.SPAWNED, Setup.ADOPTED],
    ids=lambda setup: setup.name.lower(),
)
def setup(request: pytest.FixtureRequest) -> Setup:
    """The set-ups that everything is proven in; a module may have others."""
    return Setup(request.param)


@pytest.fixture
def agent(world: World) -> World:
    """The set-up's agent, idle, its box empty."""
    return world.ready()


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(kit: Program, program: Path, tmp_path: Path) -> Iterator[MakeWorld]:
    """Make worlds of a test's own: other homes, other environments, programs that end."""
    made: list[World] = []

    def make(setup: Setup = Setup.CHORD, **homing: Any) -> World:
        root = tmp_path / f"world{len(made)}"
        root.mkdir()
        extra = homing.pop("extra", None)
        home = kit.make_home(root, **homing)
        made.append(World(root, kit, program, setup, home=home, extra=extra))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def report(kit: Program) -> Report:
    """Where everything about the program is counted."""
    title = f"{kit.title} {kit.version}"
    return REPORTS.setdefault(kit.name, Report(kit.name, title, kit.truth, kit.exact))


def describe(failures: Sequence[str], most: int = 3) -> str:
    """Return the first failures in full, and how many there are."""
    return f"{len(failures)} failed:\n" + "\n\n".join(failures[:most])
