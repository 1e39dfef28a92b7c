"""How much is proven, and what came of it."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

ENOUGH = 20
"""Dialogs that must have stood against a key before it is believed that they ignore it."""


class Plan(NamedTuple):
    """How much of each thing. ``openings`` are dialogs opened around paste and key for each key
    and kind, ``presses`` keys against each dialog that is at a start. ``patience`` is how many
    seconds a program gets for what takes it a fraction of one on a quiet machine.
    """

    texts: tuple[str, ...]
    specials: tuple[str, ...] | None
    sizes: tuple[tuple[int, int], ...]
    renderers: int
    openings: int
    presses: int
    at_start: bool = True
    deliveries: bool = True
    patience: float = 15.0


WHOLE = Plan(
    texts=("40 characters", "2,000 characters", "10,000 characters", "5 lines", "120 lines"),
    specials=None,
    sizes=((80, 24), (120, 40), (200, 50)),
    renderers=2,
    openings=ENOUGH,
    presses=ENOUGH,
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
    """One thing that did not hold: of which check, in a sentence, and the screen then."""

    check: str
    sentence: str
    screen: str = ""


@dataclass
class Tried:
    """What a key did: ``submitted`` messages, and dialogs it met, by kind.

    ``openings`` are dialogs that opened around paste and key, ``presses`` keys pressed while one
    stood, ``answered`` dialogs that the key answered. ``broken`` says that it did so, or that a
    trial could not be brought to its end.
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
        return True if openings >= ENOUGH else None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return {
            "keys": self.keys,
            "ignored": self.ignored,
            "submitted": self.submitted,
            "dialogs": self.dialogs,
        }
