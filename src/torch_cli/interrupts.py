"""Delays signals for a moment, so that they do not interrupt an act half way.

An exception in the middle of an act would leave something that nobody can interpret afterwards: a
half-read reply of tmux, or text in a box that nobody saw arrive.
"""

import signal
import time
from types import FrameType
from typing import Any

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end a command from outside."""


class PutOff:
    """Delays the signals that come between ``begin`` and ``end``. At ``end`` they take effect.

    ``check`` ends the delay if the first signal came more than ``seconds`` ago. Only the main
    thread gets signals, so in other threads this does nothing.
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
        """Delay signals from now on, except ignored ones and those that Python does not handle."""
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
        """End the delay if a signal has waited for long enough."""
        if self._heard and time.monotonic() >= self._first + self.seconds:
            self.end()

    def end(self) -> None:
        """End the delay. Signals that came take effect now, and may raise ``KeyboardInterrupt``."""
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
