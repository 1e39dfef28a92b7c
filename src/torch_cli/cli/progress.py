"""Tells a person on a terminal what Torch waits for, after the first second.

It also checks whether anybody still reads the output. If nobody does, Torch stops waiting.
"""

import sys
import time
from typing import TYPE_CHECKING

from torch_cli.cli.common import Common
from torch_cli.cli.present import nobody_reads, note
from torch_cli.delivery.ending import WAITS
from torch_cli.errors import Abandoned

if TYPE_CHECKING:
    from threading import Timer

QUIET_SECONDS = 1.0
"""Seconds before anything is said. Most deliveries are over by then."""


class ProgressPrinter:
    """Gets the steps of a delivery, and prints those that matter to a person.

    ``advice`` is printed once, with the first of them: for how long, and what else can be done.
    """

    def __init__(self, common: Common, advice: str = "") -> None:
        self._common, self._advice = common, advice
        self._began = time.monotonic()
        self._said = ""
        self._shows = not common.quiet and sys.stderr.isatty()

    def __call__(self, step: str) -> None:
        """Print ``step`` with ``-v``, or once what Torch waits for."""
        if not step.startswith(WAITS):
            self._common.tell(step)
            return
        check_reader()
        if self._shows and step != self._said and time.monotonic() >= self._began + QUIET_SECONDS:
            self._said = step
            self._common.inform(step)
            if self._advice:
                note(f"       {self._advice}")
                self._advice = ""


class StepPrinter:
    """Gets the steps of long work, and prints each that takes longer than a second, on a terminal.

    With ``-v`` all of them are printed at once. Use it in a ``with`` block: after that, and after
    ``over``, nothing more is printed.
    """

    def __init__(self, common: Common) -> None:
        self._common = common
        self._shows = not (common.quiet or common.verbose) and sys.stderr.isatty()
        self._waits: Timer | None = None

    def __enter__(self) -> "StepPrinter":
        return self

    def __exit__(self, *_: object) -> None:
        self.over()

    def __call__(self, step: str) -> None:
        """Take ``step`` as what is being done now."""
        self.over()
        self._common.tell(step)
        if self._shows:
            from threading import Timer

            from torch_cli.cli.table import homely_words

            words = f"{homely_words(step)}…"
            self._waits = Timer(QUIET_SECONDS, self._common.inform, (words,))
            self._waits.daemon = True
            self._waits.start()

    def over(self) -> None:
        """Print nothing of the last step any more: its outcome is known."""
        if self._waits is not None:
            self._waits.cancel()


def check_reader() -> None:
    """Raise ``Abandoned`` if nobody reads the output any more."""
    if nobody_reads(sys.stdout):
        raise Abandoned
