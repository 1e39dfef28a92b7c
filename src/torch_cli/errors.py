"""The errors that Torch shows to people, and the exit code of each.

Every error says what happened, to which target, what was not done, and what to do next.
Code below the command line raises these; only the command line prints them.
"""

from collections.abc import Mapping
from typing import Any

DONE = 0
FAILURE = 1
USAGE = 2
NOT_FOUND = 3
HELD = 4
UNKNOWN = 5
TIMED_OUT = 6
INTERRUPTED = 130


class TorchError(Exception):
    """A failure that a person can act on.

    ``message`` is one or two sentences without a trailing newline; ``hint`` is the next step,
    or an empty string; ``code`` is a stable word for programs (``--json``); ``exit_code`` is the
    process's exit status. ``details`` are what a program would have to pick out of the words: JSON
    values, by name.
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
    """The request itself cannot be honoured; nothing was touched."""

    exit_code = USAGE
    code = "refused"


class NotFoundError(TorchError):
    """No such target, agent or server."""

    exit_code = NOT_FOUND
    code = "not-found"


class HeldError(TorchError):
    """Something stands in the way now; it may be gone later."""

    exit_code = HELD
    code = "held"


class TimedOutError(TorchError):
    """The time given ran out before the condition held."""

    exit_code = TIMED_OUT
    code = "timed-out"
