"""What the doctor says of one thing it looked at, as a value."""

import enum
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How much a finding matters: only a failure makes the exit status 1."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``advice`` says what to do, '' if nothing.

    What follows its first line are commands.
    """

    subject: str
    level: Level
    message: str
    advice: str = ""
