"""Programs that tell a person: the user's own command, the desktop's, and one that posts.

Nobody waits for them. One that hangs is killed with its process group, and tried again.
"""

import contextlib
import html
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch_cli.child import detached_environment
from torch_cli.errors import TorchError
from torch_cli.programs.state import one_line

PROGRAMS_AT_ONCE = 4
"""Programs of a channel that may run at once: one that hangs must not gather others behind it."""

RETRY_SECONDS = (5.0, 30.0)
"""Seconds after which a channel that failed is tried again, and after which once more."""

READS_PER_LOOK = 4
"""Reads of what a program says in one look, so that one that says much holds up nothing."""

LAST_WORDS_BYTES = 4096
"""Bytes of the last words of a program that are kept for its error."""

_SCRIPT = (
    *("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)"),
    "end run",
)
"""AppleScript that takes the text as arguments: in the script itself it would be code."""


def desktop_command(
    words: str, environ: Mapping[str, str] = os.environ, platform: str = sys.platform
) -> tuple[str, ...]:
    """Return the command that shows ``words`` on this machine's desktop; () if there is none."""
    path = environ.get("PATH")
    if platform == "darwin":
        program = shutil.which("osascript", path=path)
        script = (word for line in _SCRIPT for word in ("-e", line))
        return (program, *script, "Torch", words) if program else ()
    program = shutil.which("notify-send", path=path)
    if program and (environ.get("WAYLAND_DISPLAY") or environ.get("DISPLAY")):
        # The Desktop Notifications Specification lets a server take the body as markup.
        return (program, "--app-name=torch", "--", "Torch", html.escape(words, quote=False))
    return ()


class ChannelProgram(NamedTuple):
    """A program that tells a person: its ``channel``, its ``command``, and what it is ``given`` as
    JSON on its standard input. ``name`` is what it is called in errors.
    """

    channel: str
    command: tuple[str, ...]
    given: Mapping[str, Any]
    name: str


def poster(
    how: str, to: Sequence[str], notice: Mapping[str, Any], timeout: float
) -> ChannelProgram:
    """Return the program that posts ``notice`` to the addresses ``to`` by the channel ``how``.

    It ends by itself some time after ``timeout`` seconds, because whoever started it may be gone.
    """
    # -P: it starts in /, which is no place to import from.
    command = (sys.executable, "-P", "-m", "torch_cli.attention.post")
    order = {"how": how, "to": list(to), "notice": notice}
    return ChannelProgram(how, command, {**order, "timeout": timeout}, how)


class _Running:
    """A program that was started, in a process group of its own."""

    def __init__(self, program: ChannelProgram, timeout: float) -> None:
        self.program, self.timeout = program, timeout
        # A file: the program need not read it, and nobody waits until it has.
        with tempfile.TemporaryFile() as given:
            text = json.dumps(program.given, ensure_ascii=False)
            given.write(text.encode("utf-8", "replace") + b"\n")  # screens can have other bytes
            given.seek(0)
            self._child = subprocess.Popen(
                program.command,
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                cwd="/",
                env=detached_environment(),
            )
        assert self._child.stderr is not None
        self._errors = self._child.stderr
        os.set_blocking(self._errors.fileno(), False)
        self._deadline = time.monotonic() + timeout
        self._said = b""
        self.killed = False

    def has_ended(self) -> bool:
        """Return whether it has ended; kill it if its time is over."""
        ended = self._child.poll() is not None
        self._listen()
        if ended:
            return True
        if time.monotonic() >= self._deadline and not self.killed:
            self.kill()
        return False

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for _ in range(READS_PER_LOOK):
                self._said = (self._said + os.read(self._errors.fileno(), 65_536))[
                    -LAST_WORDS_BYTES:
                ]

    def kill(self) -> None:
        """Kill it, with all of its group. It has not been waited for, so that it has its number."""
        self.killed = True
        if self._child.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def close(self, seconds: float) -> None:
        """Forget it, at most ``seconds`` after it was killed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(seconds)
        self._errors.close()

    @property
    def error(self) -> str:
        """What went wrong, of a program that has ended; '' if nothing did."""
        if self.killed:
            words = f"did not end within {self.timeout:g} s, and was killed"
        elif self._child.returncode:
            words = f"ended with status {self._child.returncode}"
        else:
            return ""
        said = one_line(self._said.decode("utf-8", "replace"))
        return f"'{self.program.name}' of [notify] {words}" + (f": {said}" if said else "")


@dataclass
class _Order:
    """A program that is to run: for whom, for how long, how often it has failed, and when it is
    started again (monotonic) if it has.
    """

    program: ChannelProgram
    agents: set[str]
    timeout: float
    failed: int = 0
    at: float = 0.0


class Programs:
    """Starts programs, kills those that do not end, and tries those again that fail."""

    def __init__(self, again: Sequence[float] = ()) -> None:
        self._again = again
        self._running: list[tuple[_Running, _Order]] = []
        self._waiting: list[_Order] = []

    def start(self, program: ChannelProgram, timeout: float, agents: Iterable[str] = ()) -> None:
        """Start ``program``, which may run for ``timeout`` seconds; do not wait for it.

        ``agents`` are the identities of those that the notice tells of. Raises ``TorchError`` if it
        cannot be started, or too many of its channel have not ended.
        """
        self._start(_Order(program, set(agents), timeout))

    def _start(self, order: _Order) -> None:
        program = order.program
        beside = [other for _, other in self._running if other.program.channel == program.channel]
        if len(beside) >= PROGRAMS_AT_ONCE:
            words = (
                f"{PROGRAMS_AT_ONCE} programs of [notify] have not ended; '{program.name}' was not"
            )
            raise TorchError(f"{words} started", code="notify")
        try:
            self._running.append((_Running(program, order.timeout), order))
        except (OSError, ValueError) as error:
            words = f"'{program.name}' of [notify] cannot be started: {error}"
            raise TorchError(words, code="notify") from error

    def check(self) -> list[TorchError]:
        """Kill what has run for too long, start what is tried again; return what went wrong."""
        errors = []
        for one in [one for one in self._running if one[0].has_ended()]:
            self._running.remove(one)
            one[0].close(0.0)
            if one[0].error:
                errors.append(TorchError(one[0].error + self._put_off(one[1]), code="notify"))
        now = time.monotonic()
        due = [order for order in self._waiting if order.at <= now]
        self._waiting = [order for order in self._waiting if order.at > now]
        for order in due:
            try:
                self._start(order)
            except TorchError as error:
                errors.append(error)
        return errors

    def _put_off(self, order: _Order) -> str:
        """Have what has failed tried again, if it is; return that in words."""
        order.failed += 1
        if order.failed > len(self._again) or not order.agents:
            return ""
        pause = self._again[order.failed - 1]
        order.at = time.monotonic() + pause
        self._waiting.append(order)
        return f"; it is tried again in {pause:g} s"

    def forget(self, is_over: Callable[[str], bool]) -> None:
        """Do not try again what would only tell of agents for which ``is_over`` holds."""
        for order in [*self._waiting, *(order for _, order in self._running)]:
            order.agents = {one for one in order.agents if not is_over(one)}
        self._waiting = [order for order in self._waiting if order.agents]

    @property
    def running(self) -> bool:
        """Whether any has not ended, or is to be tried again."""
        return bool(self._running or self._waiting)

    def close(self) -> None:
        """Kill those that have not ended, and try none again."""
        for one, _ in self._running:
            one.kill()
        for one, _ in self._running:
            one.close(1.0)
        self._running, self._waiting = [], []
