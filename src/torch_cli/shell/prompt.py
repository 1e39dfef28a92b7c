"""Whether a shell reads a command line, or a program in it asks something that looks like a prompt.

``read -p 'name> '`` looks like a prompt on the screen. The terminal's settings tell the difference:
a shell that edits its line takes keys one by one and draws them itself.
"""

import os
import termios
from collections.abc import Sequence

from torch_cli import procs

EDITORS = frozenset({"bash", "zsh", "fish", "ksh"})
"""Shells that edit their command line; dash does not, and ``sh`` may be either."""

_TAKES_WORD = frozenset({"--rcfile", "--init-file", "-o", "+o", "-O", "+O", "-C"})
"""Options that take a word (bash 5.2, zsh 5.9, fish 3.6, dash 0.5.12)."""


def edits_line(tty: str, shell: str) -> bool:
    """Return whether the program that reads ``tty`` edits its line: single keys, without echo.

    Measured with bash 5.2, zsh 5.9 and fish 3.6 (2026-11-25). bash's ``read -s -n 1`` differs in
    one more flag, which zsh does not change. bash's ``read -e`` and fish's ``read`` do not differ.
    """
    try:
        file = os.open(tty, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        flags = termios.tcgetattr(file)
    except termios.error:
        return False
    finally:
        os.close(file)
    if shell == "bash" and flags[0] & termios.ICRNL:
        return False
    return not flags[3] & (termios.ICANON | termios.ECHO)


def runs_script(group: int) -> bool:
    """Return whether the shell that leads ``group`` runs a script, and so has no prompt."""
    arguments = procs.arguments(group)
    return arguments is not None and is_script(arguments)


def is_script(arguments: Sequence[str]) -> bool:
    """Return whether a shell with these arguments gets its commands from something else than a
    person.
    """
    rest = iter(arguments[1:])
    for word in rest:
        if word in _TAKES_WORD:
            next(rest, None)
        elif word.startswith("--") or word == "-":
            continue
        elif word[:1] not in ("-", "+"):
            return True  # a file
        elif "c" in word:
            return True
        elif "s" in word:
            return False  # what follows are its parameters
    return False
