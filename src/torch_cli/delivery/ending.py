"""How a delivery ends: the outcome, the reason, and the step where the next delivery continues."""

from torch_cli.delivery.receipt import Outcome

NOTHING_TYPED = "; nothing was typed"
"""How the reason ends of a message of which that is known."""

CANCELLED = f"cancelled{NOTHING_TYPED}"

EXPIRED = f"expired: it was not delivered in its time{NOTHING_TYPED}"


WAITS = "waiting for "
"""How a step begins that is told repeatedly until what is waited for has come."""


class Ended(Exception):  # noqa: N818 - an outcome, not an error
    """The end of a delivery, with its outcome; ``step`` is recorded."""

    def __init__(self, outcome: Outcome, reason: str = "", *, step: str = "done") -> None:
        super().__init__(reason)
        self.outcome, self.reason, self.step = outcome, reason, step

    @property
    def noted(self) -> tuple[str, str, str]:
        """State, reason and step as a message has them that ended so."""
        return str(self.outcome), self.reason, self.step


def held(reason: str, *, left: bool = False, seen: bool = True) -> Ended:
    """Return the end of a delivery that an obstacle stops.

    ``left`` says that our text is in the box: the next delivery to this pane finishes it. Unless it
    was ``seen`` there, it was pasted, and the obstacle that hides the box may have taken it.
    """
    where = "was left in the box" if seen else "was pasted, and may be in the box"
    reason = f"{reason}; the text {where}" if left else f"{reason}{NOTHING_TYPED}"
    return Ended(Outcome.HELD, reason, step="seen" if left else "accepted")


def waits(recipient: str, reason: str) -> str:
    """Return what ``on_step`` is told while something is in the way of a message."""
    return f"{WAITS}{recipient}: {reason.removesuffix(NOTHING_TYPED)}"


def unknown(reason: str) -> Ended:
    """Return the end of a message that was typed and lost from sight.

    It stays open: the next delivery to this pane looks for it again, and never types it.
    """
    return Ended(Outcome.UNKNOWN, reason, step="seen")
