"""The signals that end a command: Ctrl-C, SIGTERM, SIGHUP. Each raises an exception once.

The code that has a message in hand then settles it. A second signal must not interrupt that. A
third one does.
"""

import _thread
import os
import signal
import sys
from typing import NoReturn

from torch_cli.errors import SIGNALLED, Interrupted
from torch_cli.interrupts import NUMBERS

_heard: list[int] = []


def heed() -> None:
    """Raise each of the signals as ``Interrupted``, unless it is already ignored."""
    for number in NUMBERS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _raise_again


def ignore() -> None:
    """Ignore the signals at the end of a process whose command is done."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: object) -> None:
    _heard.append(number)
    if len(_heard) == 1:
        raise Interrupted(number)
    if len(_heard) > 2:
        end(number)


def _raise_again(lost: "sys.UnraisableHookArgs") -> None:
    """Send a signal again if it came where Python drops exceptions, in one of its own callbacks.

    The import system has such a callback. Seen once in 150 senders that were ended at random
    moments.
    """
    if not isinstance(lost.exc_value, Interrupted):
        sys.__unraisablehook__(lost)
        return
    _heard.clear()
    _thread.start_new_thread(os.kill, (os.getpid(), lost.exc_value.number))


def end(number: int) -> NoReturn:
    """End the process now, with the exit status that a shell gives to the signal."""
    os._exit(SIGNALLED + number)
