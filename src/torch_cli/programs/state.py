"""The values that describe an agent at one moment: its state, its input box, its dialog.

``classify`` returns them. This module decides nothing.
"""

import enum
import re
from typing import NamedTuple


class State(enum.StrEnum):
    """What an agent program is doing, by its screen.

    ``error`` is ``idle`` after a turn that ended with an error; ``retrying`` and ``stalled`` are
    ``working``. They are the state of a ``Trouble``, never that of an ``AgentState`` itself: what
    types into a program need not know them. The program of an agent that is ``hibernated`` has
    ended because Torch asked it to, and is started again when it is needed.
    """

    STARTING = "starting"
    IDLE = "idle"
    WORKING = "working"
    RETRYING = "retrying"
    STALLED = "stalled"
    WAITING = "waiting"
    LIMITED = "limited"
    EXITED = "exited"
    DEAD = "dead"
    HIBERNATED = "hibernated"
    ERROR = "error"
    UNKNOWN = "unknown"


TROUBLES = {State.ERROR: State.IDLE, State.RETRYING: State.WORKING, State.STALLED: State.WORKING}
"""The states of a ``Trouble``, each with the state of an agent that can have it."""

AT_WORK = (State.WORKING, State.RETRYING, State.STALLED)
"""The states of an agent in the middle of a turn."""

ENDED = (State.EXITED, State.DEAD)
"""The states of a program that has ended. Its window shows what was written before."""

AT_REST = (State.IDLE, State.HIBERNATED)
"""The states of an agent that has nothing to do: a message begins its next turn."""


class Box(NamedTuple):
    """The program's input box as it is on the screen.

    ``first`` and ``last`` are the screen rows (from 0, inclusive) for text. ``rows`` are their
    exact texts without trailing spaces. ``text`` is what a person or Torch put there, without
    prompt and indent, with rows joined by newlines (a wrapped line and a line break look the same);
    it is empty if only ghost text shows. ``ghost`` is the dim text of an empty box.
    ``placeholders`` are the numbers of the placeholders for pasted text, in screen order.
    ``scrolled`` says that the box is lower than its text: the rows above ``rows`` are hidden.
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


class Spot(NamedTuple):
    """A place in a dialog to click on: its words, the row of the dialog, the column of the pane."""

    words: str
    row: int
    column: int


class Dialog(NamedTuple):
    """A question in place of the input box.

    ``kind`` is the profile's word for it, ``question`` its question or title in one line, ``rows``
    its visible rows. ``hash`` is 12 hex digits over those rows, with spaces normalised and with the
    cursor's mark. It stays the same over redraws, and changes when the selection moves. ``choose``
    is the profile's word for how an option is chosen, ``marked`` the number of the selected row
    (from 0), ``None`` if the screen shows none. ``spots`` are its options if they are clicked on.
    ``text`` and ``text_keys`` are the profile's words for which options take a text, and how.
    ``aside`` finds rows that do not say what is asked, the program's own advice.
    ``cut`` says that not all of it is in ``rows``, certainly: the rest is out of sight.
    """

    kind: str
    question: str
    rows: tuple[str, ...]
    hash: str
    choose: str = ""
    marked: int | None = None
    spots: tuple[Spot, ...] = ()
    text: re.Pattern[str] | None = None
    text_keys: tuple[str, ...] = ()
    cut: bool = False
    aside: re.Pattern[str] | None = None


UNKNOWN_KIND = "unknown"
"""The kind of a dialog that no profile knows: nobody can tell which keys answer it."""

UNKNOWN_DIALOG = "unknown dialog"
"""The name of the rule for a screen with the shape of a menu or a question that no rule knows."""

UNREAD = "unread"
"""The rule of a screen whose profile reads none."""

LOW_PANE = "low pane"
"""The name of the rule for a pane that shows only the input box."""


class Attempt(NamedTuple):
    """Another attempt after an error, as a program has reported it.

    ``words`` are those of the error, ``number`` is the program's count of attempts, and ``at`` is
    when this one begins (epoch seconds), 0 if it did not say.
    """

    words: str
    number: int | None
    at: float


class HookEvent(NamedTuple):
    """The latest event that a pane's agent program reported through its own hooks.

    ``name`` is the program's word for it, ``at`` the time in seconds since the epoch. ``open`` says
    that the beginning of a turn was reported, and no end since. ``ended`` is when the last end was
    reported if no turn has begun since, else 0. ``failed`` are the program's words for the error
    with which that turn ended, '' if it did not, and ``kind`` is its word for what kind that is.
    ``attempt`` is the one that the program waits for, if the latest report says so.
    """

    name: str
    at: float
    detail: str = ""
    open: bool = False
    ended: float = 0.0
    failed: str = ""
    kind: str = ""
    attempt: Attempt | None = None


class Trouble(NamedTuple):
    """What troubles an idle or a working program; ``state`` is one of ``TROUBLES``.

    ``words`` are the program's own, in one line, ``kind`` one of ``trouble.TROUBLE_KINDS`` or '',
    ``code`` the HTTP status, ``source`` where it was found: ``hook``, ``record``, ``screen`` or
    ``history``. A program that tries again says which ``attempt`` of how many (``attempts``) comes,
    and after which ``wait``, as the program writes it. One that makes no progress has been
    ``silent`` for so many seconds.
    """

    state: State
    words: str
    kind: str = ""
    code: int | None = None
    attempt: int | None = None
    attempts: int | None = None
    wait: str = ""
    source: str = ""
    silent: float = 0.0


class OwnReport(NamedTuple):
    """What the program says of itself, ``at`` epoch seconds, with ``words``.

    ``stale`` says that it is too old to count.
    """

    state: State
    at: float
    words: str = ""
    stale: bool = False


class AgentState(NamedTuple):
    """A state together with its evidence.

    ``evidence`` is one line for people, ``rule`` the name of the profile's rule, or of the built-in
    reason. ``reset`` is the text that a usage limit shows for its end. ``queued`` says that the
    program shows messages that wait for their turn. ``mode`` is the program's own word for how much
    it asks before it acts, '' if the screen does not show it. ``trouble`` changes nothing about how
    a message is delivered. ``report`` is what the program says of itself, whether that counts or
    not. ``advice`` is the profile's word on what to do about an unknown state, see ``unclear``.
    """

    state: State
    evidence: str
    rule: str
    box: Box | None = None
    dialog: Dialog | None = None
    reset: str | None = None
    queued: bool = False
    mode: str = ""
    trouble: Trouble | None = None
    report: OwnReport | None = None
    advice: str = ""

    @property
    def shown(self) -> State:
        """The state for people, and for whoever looks for a free agent."""
        return self.state if self.trouble is None else self.trouble.state

    @property
    def elsewhere(self) -> bool:
        """Whether the box may belong to something else than the agent, or cannot be identified.

        A box that fills a low pane is the agent's: no other box was ever seen to do that.
        """
        return self.state is State.UNKNOWN and self.rule != LOW_PANE


def one_line(text: str, limit: int = 100) -> str:
    """Return ``text`` with every run of spaces as one space, cut to ``limit`` characters."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"
