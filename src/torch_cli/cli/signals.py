"""What ends a command from outside: Ctrl-C, SIGTERM, SIGHUP. Each is raised once, as an exception.

Whoever has a message in hand then settles it. A second signal must not end that, a third does.
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
    """Have each of the signals raised as ``Interrupted``, unless it is ignored already."""
    for number in NUMBERS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _raise_again


def ignore() -> None:
    """Let nothing interrupt the end of a process whose command is done."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: object) -> None:
    _heard.append(number)
    if len(_heard) == 1:
        raise Interrupted(number)
    if len(_heard) > 2:
        end(number)


def _raise_again(lost: "sys.UnraisableHookArgs") -> None:
    """Have a signal sent again that came where Python drops exceptions: in a callback of its own.

    Its import system has one. Seen once in 150 senders that were ended at random moments.
    """
    if not isinstance(lost.exc_value, Interrupted):
        sys.__unraisablehook__(lost)
        return
    _heard.clear()
    _thread.start_new_thread(os.kill, (os.getpid(), lost.exc_value.number))


def end(number: int) -> NoReturn:
    """End the process now, with the exit status that a shell gives to the signal."""
    os._exit(SIGNALLED + number)
