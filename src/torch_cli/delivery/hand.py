"""The owner of a message from its acceptance until it is settled or waits in the outbox.

Everything that ends the sender meanwhile comes through here: a signal, a state file that cannot be
written, a tmux that does not answer, a fault in Torch. If nothing was typed, the message is
settled. Otherwise the sender is told what is known. No message is reported as failed and then
delivered later.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from torch_cli.delivery.ending import CANCELLED, NOTHING_TYPED
from torch_cli.delivery.receipt import Outcome, Receipt, receipt_of
from torch_cli.errors import UNKNOWN, Interrupted, TorchError, of_system
from torch_cli.store import Store, StoreError
from torch_cli.store.messages import Message


class Hand:
    """Holds the one message that a sender is about to accept, or has accepted."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._message: Message | None = None
        self._own = True
        self._waits = False

    def prepare(self, message: Message) -> Message:
        """Take a message that will be accepted. From now on it may be in the store."""
        self._message = message
        return message

    def take(self, message: Message, *, own: bool) -> None:
        """Take a stored message. It is not ``own`` if an earlier sender accepted it."""
        self._message, self._own = message, own

    @property
    def owns(self) -> bool:
        """Whether this sender has accepted it, or sends it again after it had failed."""
        return self._own

    def wait(self) -> None:
        """Record that its receipt says that it waits. From now on an error does not end it."""
        self._waits = True

    @contextlib.contextmanager
    def while_interrupted(self) -> Iterator[None]:
        """Handle a signal inside the block with ``interrupted``."""
        try:
            yield
        except KeyboardInterrupt as interrupt:
            raise self.interrupted(interrupt) from interrupt

    def broken(self, error: Exception) -> Receipt:
        """Return what is known of the message after ``error``; raise the error if nothing was
        typed.
        """
        try:
            row = self._row()
            if row is not None and row.step == "accepted" and not self._waits:
                reason = _words(error).removesuffix(NOTHING_TYPED) + NOTHING_TYPED
                self.store.messages.withdraw(row.id, reason, told=True)
                row = self.store.messages.get(row.id)
        except StoreError as unwritten:
            message = self._message
            assert message is not None
            if message.kept or not self._own:
                raise _may_be_delivered(message, error) from unwritten
            raise _told(error, message) from unwritten
        if row is None:
            raise of_system(error)
        receipt = receipt_of(row)
        if receipt.state is Outcome.FAILED:
            self._tell(row)
            raise _told(error, row)
        note = f"interrupted: {_words(error)}"
        return receipt._replace(evidence=(*receipt.evidence, note))

    def interrupted(self, interrupt: KeyboardInterrupt) -> Interrupted:
        """Cancel the message if nothing of it was typed; return what to tell the sender."""
        message, number = self._message, Interrupted.number_of(interrupt)
        try:
            row = self._row()
            if row is None:
                return Interrupted(number, "interrupted, nothing was sent")
            if row.step == "accepted" and self._own:
                self._cancel(row)
                row = self.store.messages.get(row.id)
        except StoreError as error:
            assert message is not None
            return Interrupted(
                number,
                f"interrupted, and the outcome of {message.id} could not be saved or "
                f"read: {error.message}" + ("; it may be delivered later" if message.kept else ""),
                hint=_cancel_it(message),
                details={"id": message.id, "state": str(Outcome.UNKNOWN)},
            )
        self._tell(row)
        return _interrupted(number, receipt_of(row), typed=row.step != "accepted")

    def _row(self) -> Message | None:
        """Return the message as the store has it, ``None`` if it is not there."""
        if self._message is None:
            return None
        try:
            row = self.store.messages.get(self._message.id)
        except KeyError:
            return None
        return row if row.created == self._message.created else None  # else the id is another's

    def _tell(self, row: Message) -> None:
        """Record that the sender knows the outcome, because the next message says it."""
        if row.step == "done":
            with contextlib.suppress(StoreError):
                self.store.messages.told(row.id)
                if row.state == Outcome.FAILED:
                    self.store.briefings.remove(row.id)

    def _cancel(self, row: Message) -> None:
        if self.store.messages.withdraw(row.id, CANCELLED, told=True):
            with contextlib.suppress(StoreError):
                self.store.events.add("cancel", row.recipient, {"message": row.id})


def _words(error: Exception) -> str:
    said = of_system(error)
    return said.message if isinstance(said, TorchError) else repr(error)


def _told(error: Exception, message: Message) -> Exception:
    """Return ``error`` with the message's id, and that nothing was typed."""
    said = of_system(error)
    if not isinstance(said, TorchError):
        return error
    if NOTHING_TYPED.removeprefix("; ") not in said.message:
        said.message += NOTHING_TYPED
    said.details.setdefault("id", message.id)
    return said


def _may_be_delivered(message: Message, error: Exception) -> TorchError:
    """Return the error for a message that waits although its sender wanted to cancel it."""
    unsure = TorchError(
        f"{message.id} to {message.recipient} was accepted, and then: {_words(error)}. Torch "
        "could not save that the message is not to be sent: the scheduler may deliver it later",
        hint=_cancel_it(message),
        code="store",
        details={"id": message.id, "state": str(Outcome.UNKNOWN)},
    )
    unsure.exit_code = UNKNOWN
    return unsure


def _cancel_it(message: Message) -> str:
    return f"Do not send it again before: torch outbox cancel {message.id}"


def _interrupted(number: int, receipt: Receipt, *, typed: bool) -> Interrupted:
    """Return what an interrupted sender says of a message with that receipt."""
    details: dict[str, Any] = {"id": receipt.id, "state": str(receipt.state)}
    details |= {"reason": receipt.reason, "kept": receipt.kept}
    if receipt.state is Outcome.FAILED and receipt.reason == CANCELLED:
        return Interrupted(number, f"cancelled {receipt.id}, nothing was typed", details=details)
    state = f"{receipt.state}, {receipt.reason}" if receipt.reason else str(receipt.state)
    hint = f"torch receipt {receipt.id}"
    if receipt.state in (Outcome.UNKNOWN, Outcome.HELD, Outcome.QUEUED):
        hint = f"Look before you send it again: torch capture {receipt.target}, {hint}"
        if typed:
            hint += ". A text that is left in the box goes out with the next delivery"
        elif receipt.kept:
            hint = f"It stays in the outbox. To cancel it: torch outbox cancel {receipt.id}"
    return Interrupted(number, f"interrupted; {receipt.id} is {state}", hint=hint, details=details)


def told_late(interrupt: KeyboardInterrupt, receipt: Receipt, *, what: str = "") -> Interrupted:
    """Return the interrupt of a sender whose message has this receipt already."""
    if isinstance(interrupt, Interrupted) and interrupt.message:
        return interrupt
    said = _interrupted(Interrupted.number_of(interrupt), receipt, typed=not receipt.kept)
    said.message += what
    return said
