"""What is shown on the whole terminal until a person ends it (``--watch``).

It is drawn on the alternate screen, as ``watch`` and ``less`` do: afterwards the terminal is as it
was before. Only what has changed since is written.
"""

import contextlib
import os
import select
import signal
import sys
import termios
from collections.abc import Callable
from typing import Any

from torch_cli.cli.common import Common
from torch_cli.cli.present import terminal_size
from torch_cli.cli.table import Paper, paper
from torch_cli.errors import RefusedError
from torch_cli.intervals import INTERVALS

_BEGIN = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J"
_END = "\x1b[?7h\x1b[?25h\x1b[?1049l"
"""The alternate screen, without a cursor and without a second row for what is too wide; and back
(xterm's control sequences).
"""

_END_KEYS = (b"q", b"Q", b"\x04")


def check_watchable(common: Common, stream: str) -> None:
    """Raise ``RefusedError`` unless a person at a terminal can watch; ``stream`` is for others."""
    if common.json or not sys.stdout.isatty():
        raise RefusedError(
            "--watch is for a person at a terminal; nothing was shown",
            hint=f"For a program: {stream}",
            code="usage",
        )


def watch(draw: Callable[[Paper], list[str]]) -> None:
    """Show the lines that ``draw`` returns, twice a second, until q or an interrupt."""
    with _Terminal() as terminal:
        while True:
            on = paper()
            terminal.show(_cropped(draw(on), terminal_size().lines, on), on)
            if terminal.is_left(INTERVALS.states):
                return


def _cropped(lines: list[str], rows: int, on: Paper) -> list[str]:
    """Return as many of ``lines`` as the terminal has rows for; the last says how many are left."""
    if len(lines) <= rows:
        return lines
    return [*lines[: rows - 1], f"{on.mark} {len(lines) - rows + 1} more lines"]


class _Terminal:
    """The whole terminal inside the block, given back as it was. Ctrl-Z gives it back too."""

    def __init__(self) -> None:
        self._keys = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before: list[Any] = []
        self._shown: tuple[list[str], Paper] | None = None

    def __enter__(self) -> "_Terminal":
        self._take()
        self._stops = signal.signal(signal.SIGTSTP, self._stop)
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGTSTP, self._stops)
        with contextlib.suppress(OSError):
            self._give_back()

    def show(self, lines: list[str], on: Paper) -> None:
        """Write the lines, if anything is different from what the terminal shows."""
        if (lines, on) != self._shown:
            self._shown = (lines, on)
            _write("\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")

    def is_left(self, seconds: float) -> bool:
        """Wait; return whether a person has pressed a key that ends it."""
        if self._keys is None:
            select.select([], [], [], seconds)
            return False
        if not select.select([self._keys], [], [], seconds)[0]:
            return False
        pressed = os.read(self._keys, 64)
        return not pressed or pressed in _END_KEYS

    def _take(self) -> None:
        if self._keys is not None:
            self._before = termios.tcgetattr(self._keys)
            quiet = termios.tcgetattr(self._keys)
            quiet[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(self._keys, termios.TCSANOW, quiet)
        self._shown = None
        _write(_BEGIN)

    def _give_back(self) -> None:
        _write(_END)
        if self._keys is not None:
            termios.tcsetattr(self._keys, termios.TCSAFLUSH, self._before)

    def _stop(self, number: int, frame: object) -> None:
        # A shell that was stopped before may have the terminal already: that must not stop us here.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        self._give_back()
        signal.signal(signal.SIGTTOU, before)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # it returns when the process is continued
        signal.signal(signal.SIGTSTP, self._stop)
        self._take()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
