"""Signals that are put off for a moment: in the middle of an act they would leave half of it.

Raised there, the exception of a signal leaves what nobody can make sense of afterwards: a reply of
tmux's that is read in part, or text in a box that nobody has seen come.
"""

import signal
import time
from types import FrameType
from typing import Any

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a command from outside."""


class PutOff:
    """Puts off the signals that come between ``begin`` and ``end``, and then has them act.

    ``check`` ends it if the first of them came more than ``seconds`` ago. Only the main thread
    hears signals: in any other nothing is put off, and nothing comes.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._heard: list[int] = []
        self._first = 0.0
        self._active = False
        self._handlers: dict[int, Any] = {}

    @property
    def heard(self) -> bool:
        """Whether a signal waits."""
        return bool(self._heard)

    def begin(self) -> None:
        """Put off what comes from now on, but what is ignored or is not Python's to handle."""
        if self._active:
            return
        self._active = True
        for number in NUMBERS:
            handler = signal.getsignal(number)
            if handler in (signal.SIG_IGN, None):
                continue
            try:
                signal.signal(number, self._note)
            except ValueError:  # not the main thread
                return
            self._handlers[number] = handler

    def check(self) -> None:
        """End it if a signal has waited for long enough."""
        if self._heard and time.monotonic() >= self._first + self.seconds:
            self.end()

    def end(self) -> None:
        """Put nothing off any more; what came acts now, which may raise ``KeyboardInterrupt``."""
        self._active = False
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
        if self._heard:
            first, self._heard = self._heard[0], []
            signal.raise_signal(first)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._active:
            self._first = self._first or time.monotonic()
            self._heard.append(number)
        elif callable(handler := self._handlers.get(number)):  # between two steps of ``end``
            handler(number, frame)
