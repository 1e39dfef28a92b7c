"""What is known about a message, in the form for its sender."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch_cli.delivery.lock import typist_of
from torch_cli.errors import DONE, FAILURE, HELD, UNKNOWN
from torch_cli.store import Store
from torch_cli.store.messages import Message

SCHEMA = "torch.receipt/1"


class Outcome(enum.StrEnum):
    """The states of a receipt. ``confirmed`` means that the program itself reported the text."""

    QUEUED = "queued"
    HELD = "held"
    SUBMITTED = "submitted"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    UNKNOWN = "unknown"


EXIT_CODES = {
    Outcome.QUEUED: HELD,
    Outcome.HELD: HELD,
    Outcome.SUBMITTED: DONE,
    Outcome.CONFIRMED: DONE,
    Outcome.FAILED: FAILURE,
    Outcome.UNKNOWN: UNKNOWN,
}


class Receipt(NamedTuple):
    """What is known about one message. ``elapsed_ms`` is milliseconds from acceptance.

    ``kept`` says that the outbox delivers it later, if it was not delivered yet. ``submit`` is what
    protected it from answering a dialog (``safety``), empty if no delivery has ended.
    """

    id: str
    target: str
    pane: str
    state: Outcome
    reason: str
    evidence: tuple[str, ...]
    attempts: int
    elapsed_ms: float
    kept: bool = False
    submit: Mapping[str, Any] = MappingProxyType({})

    @property
    def exit_code(self) -> int:
        """The exit status that says the same."""
        return EXIT_CODES[self.state]

    def as_json(self) -> dict[str, Any]:
        """Return the receipt under its published schema."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "target": self.target,
            "pane": self.pane,
            "state": str(self.state),
            "reason": self.reason,
            "evidence": list(self.evidence),
            "attempts": self.attempts,
            "elapsed_ms": round(self.elapsed_ms, 1),
            "kept": self.kept,
            "submit": dict(self.submit) or None,
        }


def receipt_of(message: Message) -> Receipt:
    """Return the receipt that the store holds.

    A message in the middle of a delivery is ``unknown``: the next look at its pane settles it.
    (While its sender lives, no more can be said either.)
    """
    state, reason = Outcome(message.state), message.reason
    if state is Outcome.QUEUED and message.step != "accepted":
        state, reason = Outcome.UNKNOWN, f"the sender has not reported since '{message.step}'"
    elif state is Outcome.QUEUED:
        reason = reason or "accepted, and nothing typed yet"
    return Receipt(
        message.id,
        message.recipient,
        message.pane,
        state,
        reason,
        message.evidence,
        message.attempts,
        message.elapsed_ms,
        message.kept and message.step != "done",
        message.submit,
    )


def is_on_its_way(message: Message) -> bool:
    """Return whether a delivery of ``message`` has begun, and its end is not recorded."""
    return message.state == Outcome.QUEUED and message.step not in ("accepted", "done")


def receipt_for_others(store: Store, identity: str) -> Receipt:
    """Return the receipt of a message for who does not type into its pane.

    While a living process does that, a message of the outbox that is on its way is ``held``: that
    process settles it, or the next delivery does. Only without one, or if it is not kept in the
    outbox, it is ``unknown``.
    """
    message = store.messages.get(identity)
    while is_on_its_way(message):
        if typist := typist_of(message.server, message.pane):
            begun = f"its delivery has begun ('{message.step}')"  # 'torch mode' types there, too
            who = f"process {typist}" if typist > 0 else "another process"
            reason = f"{begun}, and {who} is typing into its pane"
            state = Outcome.HELD if message.kept else Outcome.UNKNOWN
            return receipt_of(message)._replace(state=state, reason=reason)
        before, message = message, store.messages.get(identity)  # it may have ended just now
        if message == before:
            break
    return receipt_of(message)
