"""What is waited for, said to a person who is looking: on a terminal, after the first second.

And whether anybody still reads what will be said: if not, nothing is waited for any more.
"""

import os
import select
import stat
import sys
import time

from torch_cli.cli.common import Common
from torch_cli.delivery.ending import WAITS
from torch_cli.errors import Abandoned

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
            return
        check_reader()
        if self._shows and step != self._said and time.monotonic() >= self._began + PATIENCE:
            self._said = step
            self._common.inform(step)


def check_reader() -> None:
    """Raise ``Abandoned`` if stdout is a pipe or a socket that nobody reads any more.

    A write would say so, too, but there is nothing to be written yet.
    """
    try:
        number = sys.stdout.fileno()
        kind = os.fstat(number).st_mode
    except (OSError, ValueError):  # closed, or no descriptor stands behind it
        return
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return
    poll = select.poll()
    poll.register(number, 0)  # what follows is always told
    if any(found & (select.POLLERR | select.POLLHUP) for _, found in poll.poll(0)):
        raise Abandoned
