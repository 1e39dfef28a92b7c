"""How a delivery ends: the outcome, the reason, and the step where the next delivery continues."""

from typing import NamedTuple

from torch_cli.delivery.receipt import Outcome, Receipt
from torch_cli.store.messages import Message
from torch_cli.store.steps import Step

NOTHING_TYPED = "; nothing was typed"
"""The end of the reason of a message that was certainly not typed."""

CANCELLED = f"cancelled{NOTHING_TYPED}"

STOPPED = f"agent '%s' was stopped{NOTHING_TYPED}"
"""The reason of a message that waited for an agent that was stopped; with the agent's name."""

EXPIRED = f"expired: it was not delivered in its time{NOTHING_TYPED}"


WAITS = "waiting for "
"""The beginning of a step that is reported repeatedly while Torch waits."""


def shown_state(receipt: Receipt) -> str:
    """Return the state of a message for people: of its receipt, or ``cancelled``."""
    cancelled = receipt.state is Outcome.FAILED and receipt.reason == CANCELLED
    return "cancelled" if cancelled else str(receipt.state)


class Ended(NamedTuple):
    """The end of a delivery, with its outcome; ``step`` is recorded."""

    outcome: Outcome
    reason: str = ""
    step: Step = Step.DONE

    def of(self, message: Message) -> Message:
        """Return ``message`` with this end."""
        return message._replace(state=str(self.outcome), reason=self.reason, step=self.step)


def held(reason: str, *, left: bool = False, seen: bool = True) -> Ended:
    """Return the end of a delivery that an obstacle stops.

    ``left`` says that our text is in the box, and the next delivery to this pane finishes it.
    Without ``seen`` it was pasted but not seen there: the obstacle that hides the box may have
    taken it.
    """
    where = "was left in the box" if seen else "was pasted, and may be in the box"
    reason = f"{reason}; the text {where}" if left else f"{reason}{NOTHING_TYPED}"
    return Ended(Outcome.HELD, reason, Step.SEEN if left else Step.ACCEPTED)


def waits(recipient: str, reason: str) -> str:
    """Return the step for ``on_step`` while an obstacle stops a message."""
    return f"{WAITS}{recipient}: {reason.removesuffix(NOTHING_TYPED)}"


def unknown(reason: str) -> Ended:
    """Return the end of a message that was typed and is out of sight.

    It stays open. The next delivery to this pane looks for it again, and never types it again.
    """
    return Ended(Outcome.UNKNOWN, reason, Step.SEEN)
