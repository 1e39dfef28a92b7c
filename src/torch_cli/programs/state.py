"""The values that describe an agent at one moment: its state, its input box, its dialog.

They are what ``classify`` returns; nothing here decides anything.
"""

import enum
import re
from typing import NamedTuple


class State(enum.StrEnum):
    """What an agent program is doing, as far as its screen tells."""

    STARTING = "starting"
    IDLE = "idle"
    WORKING = "working"
    WAITING = "waiting"
    LIMITED = "limited"
    EXITED = "exited"
    DEAD = "dead"
    UNKNOWN = "unknown"


ENDED = (State.EXITED, State.DEAD)
"""The program has ended. What its window shows was written before that."""


class Box(NamedTuple):
    """The program's input box as it is on the screen.

    ``first`` and ``last`` are screen rows (from 0, inclusive) that hold, or would hold, text;
    ``rows`` their exact texts without trailing spaces. ``text`` is what a person or Torch put
    there: prompt and indent removed, rows joined by newlines (a wrapped line and a line break
    look the same), empty if only ghost text shows. ``ghost`` is the dim placeholder.
    ``placeholders`` are the numbers of the pasted-text chips in the box, in screen order.
    ``scrolled`` says that the box is lower than its text: what is above ``rows`` is hidden.
    """

    first: int
    last: int
    rows: tuple[str, ...]
    text: str
    ghost: str = ""
    placeholders: tuple[int, ...] = ()
    scrolled: bool = False

    @property
    def empty(self) -> bool:
        """Whether nobody has put anything into the box."""
        return not self.text


class Dialog(NamedTuple):
    """A question that stands where the input box would be.

    ``kind`` is the profile's word for it, ``question`` its question or title in one line,
    ``rows`` its visible rows. ``hash`` is 12 hex digits over those rows with spaces normalised,
    cursor marker included: the same over redraws, different once the selection moves.
    """

    kind: str
    question: str
    rows: tuple[str, ...]
    hash: str


LOW_PANE = "low pane"
"""The rule of a pane that shows the input box and nothing else."""


class HookEvent(NamedTuple):
    """The latest event that a pane's agent program reported through its own hooks.

    ``name`` is the program's word for it, ``at`` the time in seconds since the epoch. ``open``
    says that a turn was reported to have begun, and no end of it since; ``ended`` is when the last
    end was reported if no turn has begun since, else 0.
    """

    name: str
    at: float
    detail: str = ""
    open: bool = False
    ended: float = 0.0


class AgentState(NamedTuple):
    """A state together with what it rests on.

    ``evidence`` is one line for people; ``rule`` the name of the profile's rule, or of the
    built-in reason. ``reset`` is the text that a usage limit shows for its end. ``queued`` says
    that the program shows messages waiting for their turn. ``mode`` is the program's own word for
    how much it asks before it acts, '' if that is not to be seen.
    """

    state: State
    evidence: str
    rule: str
    box: Box | None = None
    dialog: Dialog | None = None
    reset: str | None = None
    queued: bool = False
    mode: str = ""

    @property
    def elsewhere(self) -> bool:
        """Whether the box may be another's than the agent's, or what it is cannot be told.

        One that fills a low pane is the agent's: nothing else has been seen to.
        """
        return self.state is State.UNKNOWN and self.rule != LOW_PANE


def one_line(text: str, limit: int = 100) -> str:
    """Return ``text`` with every run of spaces as one space, cut to ``limit`` characters."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"
