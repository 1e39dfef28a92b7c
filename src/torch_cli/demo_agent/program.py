"""The world around the agent: terminal, clock, signals, log, hooks and commands.

One thread, one ``select``. Everything that is decided is decided in ``agent``.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
import tty
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Self

from torch_cli.demo_agent.agent import DemoState
from torch_cli.demo_agent.keys import Decoder, Event
from torch_cli.demo_agent.model import Effect, Hook, LogLine, Options, ShellRun
from torch_cli.demo_agent.view import Painter, Size

ESCAPE_SECONDS = 0.05  # an Esc with nothing after it for so long is the key
HOOKS_END_SECONDS = 8.0  # how long the end waits for hooks
READ_BYTES = 65536
_SLOW_DRAW_SECONDS = 0.02  # after a slower one, as much time goes to the input
_QUITTING = (signal.SIGTERM, signal.SIGHUP)
_SIGNALS = (*_QUITTING, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCHLD)


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """How the program deals with its terminal and the world; all times in seconds."""

    agent: Options = field(default_factory=Options)
    start_delay: float = 0.0
    keep_early: bool = False
    bracketed_paste: bool = True
    frame: float = 0.0
    log: str = ""
    hook: str = ""


class RawTerminal:
    """The terminal in raw mode; a context manager that puts everything back."""

    def __init__(self, settings: ProgramSettings) -> None:
        self._settings = settings
        self.input = sys.stdin.fileno()
        self._output = sys.stdout.fileno()
        self._before = termios.tcgetattr(self.input)

    def delay(self) -> None:
        """Wait for the time to start; what is typed meanwhile is kept only on request."""
        if self._settings.keep_early:
            tty.setraw(self.input, termios.TCSANOW)
        time.sleep(self._settings.start_delay)

    def __enter__(self) -> Self:
        early = termios.TCSANOW if self._settings.keep_early else termios.TCSAFLUSH
        tty.setraw(self.input, early)
        # The screen as it was goes to the scrollback; no automatic wrap: rows are exact.
        paste = "\x1b[?2004h" if self._settings.bracketed_paste else ""
        self.write("\x1b[2J\x1b[H\x1b[?25l\x1b[?7l" + paste)
        return self

    def __exit__(self, *raised: object) -> None:
        self.write("\x1b[?2004l\x1b[?7h\x1b[?25h")
        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(self.input, termios.TCSADRAIN, self._before)

    @property
    def size(self) -> Size:
        """The size of the terminal now."""
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(self._output)
            if size.columns and size.lines:
                return Size(size.columns, size.lines)
        return Size(80, 24)

    def read(self) -> bytes:
        """Return what one read gives; empty when the terminal is gone."""
        try:
            return os.read(self.input, READ_BYTES)
        except OSError:
            return b""

    def write(self, text: str) -> None:
        """Write all of ``text``; a terminal that is gone takes nothing."""
        data = memoryview(text.encode())
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._output, data) :]


class World:
    """Carries out effects: the log, hooks one after the other, and commands."""

    def __init__(self, settings: ProgramSettings, cwd: str) -> None:
        self._hook = settings.hook
        self._log = open(settings.log, "ab", buffering=0) if settings.log else None  # noqa: SIM115
        self._common = {"session_id": _session_id(), "cwd": cwd}
        self._hooks: deque[dict[str, object]] = deque()
        self._running_hook: subprocess.Popen[bytes] | None = None
        self._asked: dict[str, object] = {}
        self._said: IO[bytes] | None = None
        self.decisions: list[tuple[str, bool]] = []
        """What hooks have decided since it was last emptied: a command, and whether it may run."""
        self._commands: dict[int, subprocess.Popen[bytes]] = {}

    def perform(self, effects: list[Effect]) -> None:
        """Do these things, in order; nothing here waits."""
        for effect in effects:
            match effect:
                case LogLine(event, fields):
                    self.log(event, **fields)
                case Hook(event, fields) if self._hook:
                    self._hooks.append({"hook_event_name": event, **self._common, **fields})
                    self._next_hook()
                case ShellRun(number, command):
                    self._commands[number] = _shell(command, subprocess.DEVNULL)

    def log(self, event: str, **fields: object) -> None:
        """Append one line to the log; ``t`` is the time in seconds since the epoch."""
        if self._log:
            line = json.dumps({"event": event, "t": time.time(), **fields})
            self._log.write(line.encode() + b"\n")

    def start(self, size: Size) -> None:
        """Log that the agent is ready for input."""
        self.log("start", pid=os.getpid(), columns=size.columns, rows=size.rows, **self._common)

    def reap(self) -> list[int]:
        """Collect children that have ended; return the numbers of the commands among them."""
        self._next_hook()
        ended = [number for number, child in self._commands.items() if child.poll() is not None]
        for number in ended:
            del self._commands[number]
        return ended

    def finish(self, effects: list[Effect]) -> None:
        """Do the last things, and wait for the hooks, ``HOOKS_END_SECONDS`` at most.

        What goes wrong is logged: a terminal that is gone would not show it.
        """
        try:
            self.perform(effects)
            self._finish_hooks()
        except BaseException as error:
            self.log("fault", error=repr(error))
            raise
        if self._running_hook or self._hooks:
            self.log("fault", error="hooks are left", waiting=len(self._hooks))

    def _finish_hooks(self) -> None:
        deadline = time.monotonic() + HOOKS_END_SECONDS
        while self._running_hook and (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._running_hook.wait(left)
            self._next_hook()

    def _next_hook(self) -> None:
        if self._running_hook and self._running_hook.poll() is None:
            return
        self._running_hook = None
        if self._said is not None:
            with self._said as said:
                said.seek(0)
                self._hear(said.read())
            self._said = None
        if self._hooks:
            self._asked = self._hooks.popleft()
            # Files, not pipes: a hook that does not read or write must not stop the agent.
            self._said = tempfile.TemporaryFile()  # noqa: SIM115
            with tempfile.TemporaryFile() as payload:
                payload.write(json.dumps(self._asked).encode())
                payload.seek(0)
                self._running_hook = _shell(self._hook, payload.fileno(), self._said.fileno())

    def _hear(self, said: bytes) -> None:
        """Take the decision that a hook has printed, if it is one about what was asked."""
        given = self._asked.get("tool_input")
        if not isinstance(given, dict):
            return
        self.log("hooked", command=given["command"])
        try:
            behavior = json.loads(said)["hookSpecificOutput"]["decision"]["behavior"]
        except (ValueError, KeyError, TypeError):
            return
        if behavior in ("allow", "deny"):
            self.decisions.append((given["command"], behavior == "allow"))


class DemoLoop:
    """The loop between one terminal and one agent."""

    def __init__(self, settings: ProgramSettings) -> None:
        cwd = os.getcwd()
        self._settings = settings
        self._agent = DemoState(settings.agent, cwd)
        self._decoder = Decoder()
        self._painter = Painter(self._agent)
        self._world = World(settings, cwd)
        self._next_draw = 0.0
        self._escape_due = 0.0
        self._stale = True

    def run(self) -> int:
        """Run until the agent ends; return its exit status."""
        terminal = RawTerminal(self._settings)
        terminal.delay()
        with _signal_pipe() as signals:
            with terminal:
                self._agent.start(time.monotonic())
                self._draw(terminal, time.monotonic())
                self._world.start(terminal.size)
                while self._agent.exit_status is None:
                    self._world.perform(self._agent.take_effects())
                    self._turn(terminal, signals)
                self._draw(terminal, time.monotonic())
            self._world.finish(self._agent.take_effects())
        return self._agent.exit_status

    def _turn(self, terminal: RawTerminal, signals: int) -> None:
        """Wait for one thing to happen, and take it in."""
        now = time.monotonic()
        sources = [signals] if now < self._agent.deaf_until else [signals, terminal.input]
        change = self._agent.next_change(now)
        ready, _, _ = select.select(sources, [], [], self._patience(now, change))
        now = time.monotonic()
        if signals in ready:
            self._take_signals(os.read(signals, READ_BYTES), now)
        if terminal.input in ready:
            self._take_input(terminal.read(), now)
        elif self._decoder.waiting and now >= self._escape_due:
            self._handle(self._decoder.flush(), now)
        self._agent.tick(now)
        if ready or now >= change:
            self._stale = True
        if self._stale and now >= self._next_draw:
            self._draw(terminal, now)

    def _patience(self, now: float, change: float) -> float | None:
        """Return the seconds until something is due without input; None forever."""
        times = [change]
        if now < self._agent.deaf_until:
            times.append(self._agent.deaf_until)
        if self._decoder.waiting:
            times.append(self._escape_due)
        if self._stale:
            times.append(self._next_draw)
        soonest = min(times)
        return None if soonest == float("inf") else max(0.0, soonest - now)

    def _take_signals(self, numbers: bytes, now: float) -> None:
        for number in numbers:
            if number == signal.SIGUSR1:
                self._agent.open_dialog(self._settings.agent.dialog_command)
            elif number == signal.SIGUSR2:
                self._agent.end_work(now)
            elif number in _QUITTING:
                self._agent.quit(128 + number, signal.Signals(number).name)
        for command in self._world.reap():
            self._agent.command_ended(command, now)
        while self._world.decisions:
            self._agent.decide(*self._world.decisions.pop(0), now)

    def _take_input(self, chunk: bytes, now: float) -> None:
        if not chunk:
            self._agent.quit(128 + signal.SIGHUP, "the terminal is gone")
            return
        self._escape_due = now + ESCAPE_SECONDS
        self._handle(self._decoder.feed(chunk), now)

    def _handle(self, events: list[Event], now: float) -> None:
        for event in events:
            if self._agent.exit_status is None:
                self._agent.handle(event, now)
                self._stale = True

    def _draw(self, terminal: RawTerminal, now: float) -> None:
        terminal.write(self._painter.paint(now, terminal.size))
        cost = time.monotonic() - now
        rest = 2 * cost if cost > _SLOW_DRAW_SECONDS else 0.0
        self._stale = False
        self._next_draw = now + max(self._settings.frame, rest)


@contextlib.contextmanager
def _signal_pipe() -> Iterator[int]:
    """Turn signals into bytes, each the signal's number, on the descriptor that is given."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    try:
        yield reader
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)


def _shell(command: str, stdin: int, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    # A process group of its own: the last hook must outlive the hangup of a pane that is killed.
    # `process_group` sets it too late: of a child by vfork, SIGHUP ends the program before that. A
    # child by fork, which a `preexec_fn` makes, still has our handlers then.
    return subprocess.Popen(
        command,
        shell=True,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        preexec_fn=os.setpgrp,  # no thread runs here
    )


def _session_id() -> str:
    digits = os.urandom(16).hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
