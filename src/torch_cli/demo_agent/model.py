"""The values that the agent is made of: options, effects, entries, dialogs and jobs."""

import math
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from torch_cli.demo_agent.message import Submission

MODES = ("", "plan mode on", "auto mode on")
"""What the footer says of the modes that Shift-Tab goes through; the first says nothing."""

ERRORS = {"401": "authentication_failed", "429": "rate_limit", "529": "server_error"}
"""What its report calls an error that begins with this HTTP status."""

AFTER_LIMIT = ("gone", "shown", "continue")
"""What is left of a usage limit that was lifted: nothing, the words about it until the next
message, as with Claude Code, or nothing, and the turn that it had cut off goes on."""

SPINNER_SECONDS = 0.12  # a new sign so often


@dataclass(frozen=True, slots=True)
class Options:
    """How this agent is to behave; all times in seconds."""

    work: float = 0.3
    lose_submits: int = 0
    trust: bool = False
    dialog_after: float | None = None
    dialog_command: str = "touch approved"
    limit_lifts: float = math.inf
    after_limit: str = AFTER_LIMIT[0]


@dataclass(frozen=True, slots=True)
class LogLine:
    """Effect: write one line to the log."""

    event: str
    fields: dict[str, object]


@dataclass(frozen=True, slots=True)
class Hook:
    """Effect: tell the hook."""

    event: str
    fields: dict[str, object]


@dataclass(frozen=True, slots=True)
class ShellRun:
    """Effect: run a shell command, and call ``command_ended(number)`` when it has ended."""

    number: int
    command: str


Effect = LogLine | Hook | ShellRun


class Kind(Enum):
    """What a line of the transcript is, by the mark that it begins with."""

    PLAIN = ""
    USER = "» "
    AGENT = "● "
    NOTICE = "  ⎿  "


@dataclass(frozen=True, slots=True)
class TranscriptEntry:
    """One entry of the transcript; ``text`` may have several lines."""

    kind: Kind
    text: str


@dataclass(slots=True)
class Question:
    """A question that is in place of the input box; ``chosen`` is 0 for yes, 1 for no."""

    kind: str  # "permission" or "trust"
    command: str = ""
    of_job: bool = False
    chosen: int = 0


@dataclass(slots=True)
class DemoTurn:
    """Messages being worked on; nothing comes of them before ``until``."""

    messages: list[Submission]
    started: float
    until: float
    asks: deque[str] = field(default_factory=deque)
    running: int = 0  # the number of the command that is waited for, or 0
    retries: str = ""  # the error after which it tries again, for all of its time
