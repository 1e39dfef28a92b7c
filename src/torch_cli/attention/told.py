"""The states of which a person is told, in which words, and how severe each is."""

from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.programs.state import State

SEVERITIES = ("low", "normal", "high")
"""How severe a notice can be, the least first."""


class NoticeKind(NamedTuple):
    """What is said of an agent in a state, and which of ``SEVERITIES`` that has."""

    words: str
    severity: str


TOLD = {
    State.UNKNOWN: NoticeKind("needs a look", "low"),
    State.WAITING: NoticeKind("waits for your answer", "normal"),
    State.STALLED: NoticeKind("makes no progress", "low"),
    State.LIMITED: NoticeKind("has reached its usage limit", "low"),
    State.ERROR: NoticeKind("ended its turn with an error", "normal"),
    State.EXITED: NoticeKind("has ended", "high"),
    State.DEAD: NoticeKind("has ended", "high"),
}
"""What is told. Of an agent in another state nothing is told."""


def severest(states: Sequence[State]) -> str:
    """Return the highest severity that one of ``states`` has; ``normal`` if there is none."""
    ranks = [SEVERITIES.index(TOLD[state].severity) for state in states if state in TOLD]
    return SEVERITIES[max(ranks, default=1)]
