"""The place of the soak: a private tmux server, a home and a state of Torch of its own.

It ends all that it has started. The agents and what happens to them are in other files.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

from conftest import TMUX, TmuxServer
from soak.agents import HEIGHT, WIDTH, Agent, Claude, Demo
from soak.oracle import Attempt, Draft
from torch_cli import paths, procs
from torch_cli.tmux.socket import Socket

SESSION = "soak"
STARTING = 90.0
"""Seconds that a program or a daemon may take to start on a busy machine."""

TORCH = str(Path(sys.executable).with_name("torch"))
"""The command as users run it."""

STARTED = 30.0
"""Seconds after which a daemon is past its start; it waits 10 for a state file that is locked."""

NOT_NOW = ("database is locked", "at work")
"""What one says that cannot start now: it is for its caller to start it again."""

FENCED = 30.0
"""Seconds after a long lock of the state file in which a scheduler may find its lease taken."""

_RUNS = re.compile(r"already exists, in pane (%\d+)")

SPAWNS = 5
"""How often a person tries to start an agent while other things go wrong."""

LONGEST = 120.0
"""Seconds after which a run of ``torch`` hangs; the longest is asked to wait for 20."""


class BrokenError(Exception):
    """The soak itself cannot go on: what it needs does not start."""


class World:
    """All that the soak runs in, and what has happened so far.

    ``over`` is set when the faults are to end, ``quitting`` when everything is.
    """

    def __init__(self, root: Path, seed: str) -> None:
        self.root, self.seed = root, seed
        self.server = TmuxServer(Socket(path=str(root / "s")), root)
        self.over, self.quitting = threading.Event(), threading.Event()
        self.agents: list[Agent] = []
        self.drafts: list[Draft] = []
        self.entered: list[tuple[str, float]] = []
        self.ended: list[tuple[str, float]] = []
        self.long_lock = -FENCED
        self.others: list[tuple[str, Attempt]] = []
        self.schedulers: list[str] = []
        self.asked: list[tuple[int, str]] = []
        self.running: set[subprocess.Popen[bytes]] = set()
        self.daemon: subprocess.Popen[bytes] | None = None
        self.tmux_process: subprocess.Popen[bytes] | None = None
        self._daemon_began = 0.0
        self.whole = threading.Lock()
        """Held by what concerns the whole server, or more than one pane."""
        self._numbers = iter(range(1, 1_000_000))
        self._counting = threading.Lock()
        self._log = (root / "soak.jsonl").open("a")
        home = root / "home"
        home.mkdir()
        self.environment = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(
                [
                    str(Path(sys.executable).parent),
                    "/usr/local/bin",
                    "/usr/bin",
                    "/bin",
                    "/opt/homebrew/bin",
                ]
            ),
            "SHELL": "/bin/sh",
            "TERM": "xterm-256color",
            "TMUX_TMPDIR": str(root),
            "TORCH_HOME": str(root / "torch"),
            "TORCH_TMUX": TMUX,
        }

    # -- what happened ---------------------------------------------------------------------------

    def number(self) -> int:
        """Return a number that no other message or draft has."""
        with self._counting:
            return next(self._numbers)

    def note(self, what: str, **fields: object) -> None:
        """Write down what was done, for whoever looks at a failure."""
        line = json.dumps({"t": time.time(), "what": what, **fields}, default=str)
        with self._counting:
            self._log.write(line + "\n")
            self._log.flush()

    def chance(self, name: str) -> Random:
        """Return the source of all that ``name`` decides; the same for the same seed."""
        return Random(f"{self.seed}/{name}")

    # -- processes -------------------------------------------------------------------------------

    def start(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stderr: int | None = None,
        stdout: int | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Begin a process that is ended with this world, in a group of its own."""
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE if stderr is None else stderr,
            env={**self.environment, **(env or {})},
            cwd=self.root,
            process_group=0,
        )
        self.running.add(process)
        if self.quitting.is_set():
            process.kill()
        return process

    def torch(
        self, *words: str, text: bytes = b"", env: Mapping[str, str] | None = None
    ) -> Attempt:
        """Run ``torch WORDS`` to its end, with nothing done to it."""
        began = time.time()
        process = self.start([TORCH, *words], env=env)
        return self.finish(process, began, text, "")

    def finish(
        self, process: "subprocess.Popen[bytes]", began: float, text: bytes, fault: str
    ) -> Attempt:
        """Wait for a run of ``torch`` and return how it ended."""
        status: int | None
        try:
            out, err = process.communicate(text, timeout=LONGEST)
            status = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            status = None
        self.running.discard(process)
        shown = [(stream or b"").decode("utf-8", "replace") for stream in (out, err)]
        return Attempt(began, time.time(), status, shown[0], shown[1], fault)

    def start_daemon(self) -> None:
        """Start the scheduler in the foreground of a process of ours."""
        errors = (self.root / f"daemon-{self.number()}.err").open("wb")
        words = [TORCH, "daemon", "run", "--quiet"]
        self._daemon_began = time.monotonic()
        self.daemon = self.start(words, stderr=errors.fileno(), stdout=subprocess.DEVNULL)
        errors.close()

    def look_after(self) -> None:
        """Start the scheduler again if it has ended. Without its tmux server a run says nothing."""
        ended = self.tmux_process.poll() if self.tmux_process is not None else None
        if ended is not None:
            raise BrokenError(f"the tmux server ended with status {ended}, and all agents with it")
        self._look_after_daemon()

    def _look_after_daemon(self) -> None:
        """Start the scheduler again if it ended, which counts if it had been at work.

        One that finds the state file locked, or another scheduler, ends with a word of it.
        """
        daemon = self.daemon
        if daemon is None or daemon.poll() is None:
            return
        with self.whole:
            if self.daemon is not daemon:
                return
            newest = max(self.root.glob("daemon-*.err"), key=lambda path: path.stat().st_mtime)
            words = newest.read_text()
            self.note("daemon ended", status=daemon.returncode, words=words)
            young = time.monotonic() - self._daemon_began < STARTED
            fenced = "has taken over" in words and time.monotonic() - self.long_lock < FENCED
            if not fenced and not (young and any(one in words for one in NOT_NOW)):
                self.schedulers.append(f"status {daemon.returncode}: {words}")
            self.running.discard(daemon)
            self.start_daemon()

    @staticmethod
    def finished(words: str) -> Attempt:
        """Return the run of a process of which only the error output is known."""
        return Attempt(0, 0, 0, "", words)

    # -- tmux and the panes ----------------------------------------------------------------------

    def tmux(self, *words: str) -> str:
        """Run a tmux command and return its output; what is gone meanwhile does not matter."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = self.server.run(*words)
            return done.stdout.decode("utf-8", "replace").rstrip("\n")
        return ""

    def kill(self, agent: Agent) -> bool:
        """Kill the pane of an agent; say whether its process is gone."""
        self.ended.append((agent.name, time.time()))
        self.tmux("kill-pane", "-t", agent.pane)
        return procs.identify(agent.pid) is None

    def screen(self, agent: Agent) -> str:
        """Return what an agent shows, with attributes."""
        return self.tmux("capture-pane", "-p", "-e", "-t", agent.pane)

    def box(self, agent: Agent) -> str | None:
        """Return what stands in an agent's input box; ``None`` if it shows none."""
        return agent.read(self.screen(agent))[0]

    def asks(self, agent: Agent) -> bool:
        """Say whether an agent's dialog is up."""
        return agent.read(self.screen(agent))[1]

    def press(self, agent: Agent, *keys: str) -> None:
        """Press keys as a person does."""
        if "Enter" in keys:
            self.entered.append((agent.name, time.time()))
        self.tmux("send-keys", "-t", agent.pane, *keys)
        if "Enter" in keys:
            self.entered.append((agent.name, time.time()))

    def until(self, condition: Callable[[], object], seconds: float) -> bool:
        """Wait for a condition, or until everything is to end; say whether it came true."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline or self.quitting.wait(0.1):
                return False
        return True

    # -- beginning and end -----------------------------------------------------------------------

    def open(self, demos: int, claudes: int, program: Path | None) -> None:
        """Start the server, the agents and the daemon."""
        self._start_tmux()
        self.agents += [Demo(f"demo-{number}", self.root) for number in range(1, demos + 1)]
        for number in range(1, claudes + 1):
            assert program is not None
            self.agents.append(Claude(f"claude-{number}", self.root, program))
        for agent in self.agents:
            self.spawn(agent)
        self.start_daemon()

    def _start_tmux(self) -> None:
        """Start the server as a child, so that its exit status is known, and a session in it."""
        arguments = [TMUX, "-u", "-f", "/dev/null", *self.server.socket.arguments]
        with (self.root / "tmux.err").open("wb") as errors:
            self.tmux_process = subprocess.Popen(
                [*arguments, "-D"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                process_group=0,
            )
        words = ["new-session", "-d", "-s", SESSION, "-x", str(WIDTH), "-y", str(HEIGHT)]
        # Without -N the question would start another server.
        there = lambda: self.tmux("-N", "list-commands") != ""  # noqa: E731
        if not self.until(there, STARTING):
            raise BrokenError(f"no tmux server: {(self.root / 'tmux.err').read_text()}")
        self.server.cmd(*words, "sleep 1d")

    def spawn(self, agent: Agent) -> None:
        """Start an agent; the first Claude Code has its own submit key installed."""
        env = dict(agent.variables)
        if isinstance(agent, Claude):
            env["PATH"] = os.pathsep.join([str(agent.program.parent), self.environment["PATH"]])
            if agent.name.endswith("1") and not agent.home.keybindings.exists():
                self.torch("agent-setup", "claude", "--yes", env=env)
        given = [word for name in env for word in ("--env", name)]
        words = ["--profile", agent.profile, "--session", SESSION, "--dir", str(agent.directory)]
        words += [*given, "--wait", f"{STARTING:g}", "--json", *self.server.socket.arguments]
        for _ in range(SPAWNS):
            done = self.torch("spawn", agent.name, *words, "--", *agent.arguments, env=env)
            self.others.append((f"spawn {agent.name}", done))
            # A server that is stopped at the time answers nobody. An earlier try may have left the
            # agent starting.
            here = _RUNS.search(done.out)
            if done.status == 0 or here or self.quitting.wait(2):
                break
            self.note("did not start", agent=agent.name, attempt=done)
        else:
            raise BrokenError(f"{agent.name} did not start: {done.out}{done.err}")
        agent.pane = here[1] if here else json.loads(done.out)["pane"]
        pid = self.tmux("display-message", "-p", "-t", agent.pane, "#{pane_pid}")
        agent.pid = int(pid or 0)
        self.resize(agent, WIDTH, HEIGHT)

    def resize(self, agent: Agent, width: int, height: int) -> None:
        """Give the window of an agent this size."""
        self.tmux("resize-window", "-t", agent.pane, "-x", str(width), "-y", str(height))

    def tmux_server(self) -> procs.Process | None:
        """Return the process of the server."""
        pid = self.tmux("display-message", "-p", "#{pid}")
        return procs.identify(int(pid)) if pid else None

    def database(self) -> str:
        """Return the path of Torch's state file."""
        return str(self.root / "torch" / paths.DATABASE)

    def close(self, *, keep: bool) -> None:
        """End everything that was started; remove the directory unless it is to be looked at."""
        self.quitting.set()
        self.over.set()
        for process in list(self.running):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(Exception):
            self.server.kill()
        if self.tmux_process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.tmux_process.wait(5)
        for process in list(self.running):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        self._end_left_over()
        for agent in self.agents:
            if isinstance(agent, Claude):
                agent.stub.stop()
        self._log.close()
        if not keep:
            shutil.rmtree(self.root, ignore_errors=True)

    def _end_left_over(self) -> None:
        """End what left its pane and works in our directories still: a program, or a hook of it."""
        for process in procs.descendants(0):
            where = procs.directory(process.pid) or ""
            if process.pid != os.getpid() and Path(where).is_relative_to(self.root):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process.pid, signal.SIGKILL)


def make_root() -> Path:
    """Make the directory of a run; the path of a socket in it must be short."""
    return Path(tempfile.mkdtemp(prefix="soak-", dir="/tmp")).resolve()
