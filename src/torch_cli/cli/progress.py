"""What is waited for, said to a person who looks on: on a terminal, after the first second."""

import sys
import time

from torch_cli.cli.common import Common
from torch_cli.delivery.ending import WAITS

PATIENCE = 1.0
"""Seconds in which nothing is said: most deliveries are over by then."""


class Progress:
    """Is told the steps of a delivery, and prints what a person wants to know of them."""

    def __init__(self, common: Common) -> None:
        self._common = common
        self._began = time.monotonic()
        self._said = ""
        self._shows = not common.quiet and sys.stderr.isatty()

    def __call__(self, step: str) -> None:
        """Say ``step`` if that was asked for, or what is waited for if it was not said before."""
        if not step.startswith(WAITS):
            self._common.tell(step)
        elif self._shows and step != self._said and time.monotonic() >= self._began + PATIENCE:
            self._said = step
            self._common.inform(step)
