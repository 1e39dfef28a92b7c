"""How much to prove, and the result."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

ENOUGH_DIALOGS = 20
"""This many dialogs must ignore a key before Torch believes that dialogs ignore it."""


PATIENCE_SECONDS = 30.0
"""Seconds of patience with a program on a quiet machine."""


class Plan(NamedTuple):
    """How much of each thing. ``openings`` are the dialogs opened around paste and key, for each
    key and kind. ``presses`` are the keys pressed at each dialog of a start. ``patience`` is the
    seconds that a program gets for something that takes less than one on a quiet machine.
    """

    texts: tuple[str, ...]
    specials: tuple[str, ...] | None
    sizes: tuple[tuple[int, int], ...]
    renderers: int
    openings: int
    presses: int
    at_start: bool = True
    deliveries: bool = True
    patience: float = PATIENCE_SECONDS


WHOLE = Plan(
    texts=("40 characters", "2,000 characters", "10,000 characters", "5 lines", "120 lines"),
    specials=None,
    sizes=((80, 24), (120, 40), (200, 50)),
    renderers=2,
    openings=ENOUGH_DIALOGS,
    presses=ENOUGH_DIALOGS,
)

QUICK = Plan(
    texts=("40 characters", "2,000 characters", "5 lines"),
    specials=("quotes", "emoji", "trailing \\", "! first"),
    sizes=((120, 40),),
    renderers=1,
    openings=3,
    presses=3,
    at_start=False,
)


class Failure(NamedTuple):
    """One thing that failed: the check, a sentence, and the screen at that moment."""

    check: str
    sentence: str
    screen: str = ""


@dataclass
class Tried:
    """What a key did: ``submitted`` messages, and the dialogs it met, by kind.

    ``openings`` counts dialogs that opened around paste and key, ``presses`` keys pressed while one
    was open, ``answered`` dialogs that the key answered. ``broken`` says that the key answered one,
    or that a trial could not be finished.
    """

    keys: str
    submitted: int = 0
    dialogs: dict[str, dict[str, int]] = field(default_factory=dict)
    broken: bool = False

    def met(self, kind: str, **counts: int) -> None:
        """Count."""
        tally = self.dialogs.setdefault(kind, {"openings": 0, "presses": 0, "answered": 0})
        for name, count in counts.items():
            tally[name] += count

    @property
    def ignored(self) -> bool | None:
        """Whether dialogs ignore the key; ``None`` if too few were opened to believe it."""
        if self.broken or not self.submitted:
            return False
        openings = sum(one["openings"] for one in self.dialogs.values())
        return True if openings >= ENOUGH_DIALOGS else None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return {
            "keys": self.keys,
            "ignored": self.ignored,
            "submitted": self.submitted,
            "dialogs": self.dialogs,
        }
