"""The errors that Torch shows to people, and the exit code of each.

Every error says what happened, to which target, what was not done, and what to do next. Code below
the command line raises these errors; only the command line prints them.
"""

import errno
import os
from collections.abc import Mapping
from typing import Any

DONE = 0
FAILURE = 1
USAGE = 2
NOT_FOUND = 3
HELD = 4
UNKNOWN = 5
TIMED_OUT = 6
EXHAUSTED = 7
NEEDED = 8
"""An agent needs a person: an answer, or a look."""

TURN_FAILED = 9
"""An agent's turn ended with an error of its API."""

NOT_BACK = 10
"""An agent that has fallen could not be brought back."""

SIGNALLED = 128
"""A command ended by a signal exits with this plus the signal's number: 130 is Ctrl-C."""

_SIGINT, _SIGPIPE = 2, 13
"""As POSIX has it; importing ``signal`` costs more than everything else here."""


class TorchError(Exception):
    """A failure that a person can act on.

    ``message`` is one or two sentences without a trailing newline. ``hint`` is the next step, or an
    empty string. ``code`` is a stable word for programs (``--json``). ``exit_code`` is the
    process's exit status. ``details`` are JSON values, by name, that a program would otherwise have
    to pick out of the words.
    """

    exit_code = FAILURE
    code = "failure"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = dict(details or {})
        if code is not None:
            self.code = code


class RefusedError(TorchError):
    """The request cannot be carried out; nothing was touched."""

    exit_code = USAGE
    code = "refused"


class NotFoundError(TorchError):
    """No such target, agent or server."""

    exit_code = NOT_FOUND
    code = "not-found"


class HeldError(TorchError):
    """An obstacle stops the request now, and may be gone later."""

    exit_code = HELD
    code = "held"


class Interrupted(KeyboardInterrupt):
    """A signal has ended the command.

    ``message`` says what is known, '' if nothing is. This is not a ``TorchError``, so code that
    continues after an error does not continue after this. The other fields are those of an error.
    """

    code = "interrupted"

    def __init__(
        self,
        number: int = _SIGINT,
        message: str = "",
        *,
        hint: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.number, self.message, self.hint = number, message, hint
        self.details = dict(details or {})

    @property
    def exit_code(self) -> int:
        """The exit status that a shell gives to the signal."""
        return SIGNALLED + self.number

    @staticmethod
    def number_of(interrupt: KeyboardInterrupt) -> int:
        """Return the number of the signal of ``interrupt``. Python raises its own for SIGINT."""
        return interrupt.number if isinstance(interrupt, Interrupted) else _SIGINT


class Abandoned(Interrupted):
    """Nobody reads the command's output any more, and the command still waits for something.

    The command ends like an interrupted one, with the exit status of SIGPIPE.
    """

    def __init__(self) -> None:
        super().__init__(_SIGPIPE)


def of_system(error: Exception) -> Exception:
    """Return an error of the operating system as a ``TorchError`` with a sentence for people.

    Other errors are returned unchanged.
    """
    if isinstance(error, MemoryError):
        exhausted = TorchError("no memory is left for torch", code="memory")
        exhausted.exit_code = EXHAUSTED
        return exhausted
    if not isinstance(error, OSError):
        return error
    if error.strerror is None:
        return TorchError(str(error) or type(error).__name__, code="os")
    place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    said = TorchError(place + error.strerror, code="os")
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        said.exit_code = EXHAUSTED
    return said


class TimedOutError(TorchError):
    """The time given ran out before the condition held."""

    exit_code = TIMED_OUT
    code = "timed-out"


class TurnFailedError(TorchError):
    """The agent got the message, and its program ended the turn with an error."""

    exit_code = TURN_FAILED
    code = "turn-failed"
