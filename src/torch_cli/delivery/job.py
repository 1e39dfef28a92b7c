"""One message on its way to one pane: what is known of it so far, and what is recorded."""

import contextlib
import time
from collections.abc import Callable

from torch_cli.delivery import ours
from torch_cli.delivery.ending import CANCELLED, NOTHING_TYPED, Ended, held, unknown
from torch_cli.delivery.evidence import Baseline
from torch_cli.delivery.reading import Reader
from torch_cli.delivery.receipt import Outcome, Receipt, receipt_of
from torch_cli.delivery.typist import Typist
from torch_cli.errors import TorchError
from torch_cli.interrupts import PutOff
from torch_cli.programs.state import Box
from torch_cli.store import StoreError
from torch_cli.store.messages import COMMAND, Message
from torch_cli.store.steps import Step

SIGNALS_DELAYED_SECONDS = 2.0
"""The most seconds that a signal is delayed until a pasted text shows. A placeholder that Torch has
not seen come could be a person's paste, and would be left to a person."""


class Job:
    """A message that is being delivered. The pane's lock is held all the time.

    ``again`` says that it waited in the outbox, and stays there if nothing can be typed. ``said``
    are the state and reason that were recorded last. ``before`` is the baseline with which the
    screen is compared. ``typed`` says that this process may have pasted it, ``shown`` that it was
    seen in the box, ``stood`` that it stayed there, ``may_be_pressed`` that a submit key may have
    reached the program, also from an earlier sender.
    """

    def __init__(
        self,
        reader: Reader,
        message: Message,
        on_step: Callable[[str], None] = lambda step: None,
        *,
        again: bool = False,
        said: tuple[str, str] | None = None,
    ) -> None:
        self.reader, self.store = reader, reader.store
        self.recipient, self.profile = reader.recipient, reader.recipient.profile
        self.typist = Typist(reader.client, reader.pane)
        self.message, self.on_step, self.again = message, on_step, again
        self.said = said or (message.state, message.reason)
        self.before = Baseline.from_json(message.baseline)
        if self.before.program != self.program:
            self.before = self.before._replace(chip=0)  # another program numbers its own pastes
        self.notes = [*message.evidence]
        self.attempts = message.attempts
        self.may_be_pressed = message.attempts > 0 or message.step == Step.SUBMITTING
        self.claimed = self.typed = self.shown = self.stood = False
        self.signals = PutOff(SIGNALS_DELAYED_SECONDS)
        self.began = time.monotonic()

    @property
    def is_command(self) -> bool:
        """Whether it is a command of the program's own, which no hook reports."""
        return self.message.kind == COMMAND

    @property
    def reports(self) -> bool:
        """Whether the program reports its arrival to Torch."""
        return self.recipient.hooks and not self.is_command

    @property
    def program(self) -> str:
        """What distinguishes the text's program from others that ran in the pane."""
        program = self.recipient.program
        pane = self.reader.pane
        return f"{program.pid} {program.started}" if program is not None else f"{pane.pid}"

    @property
    def buffer(self) -> str:
        """The name of tmux's buffer for its text. No other paste has this name."""
        return "-".join(filter(None, ("torch", self.message.id, self.before.paste)))

    def is_ours(self, box: Box | None) -> bool:
        """Say whether ``box`` holds our text, whole and alone."""
        return box is not None and ours.is_ours(
            box, self.message.typed, self.before, self.profile, pasted=self.typed
        )

    def holds(self, box: Box) -> bool:
        """Say whether our text is part of what ``box`` holds."""
        return ours.holds(box, self.message.typed, self.before, self.profile)

    # -- what is written down ------------------------------------------------------------------

    def claim(self) -> bool:
        """Record that it is about to be pasted; return ``False`` if it was changed meanwhile."""
        self.claimed = True  # from here on, for a signal
        self.claimed = self.store.messages.claim(self.message, self.before.as_json())
        return self.claimed

    def unclaim(self) -> None:
        """Record that it was not pasted."""
        self.store.messages.step(self.message.id, Step.ACCEPTED)
        self.claimed = False

    def saw(self, box: Box) -> None:
        """Record at once which placeholder shows our text. A later process recognises the text only
        by that.
        """
        self.before = self.before._replace(chip=ours.chip_in(box, self.profile), seen=True)
        if self.before.chip:
            self.store.messages.note_baseline(self.message.id, self.before.as_json())
        self.shown = True

    def saw_part(self) -> None:
        """Record that our text is in the box, with other text."""
        if not self.before.seen:
            self.before = self.before._replace(seen=True)
            self.store.messages.note_baseline(self.message.id, self.before.as_json())

    def step(self, step: Step) -> None:
        """Record the step, then tell the caller."""
        self.store.messages.step(self.message.id, step, self.before.as_json())
        self.on_step(step)

    def note(self, text: str) -> None:
        """Add a line of evidence."""
        if text not in self.notes:
            self.notes.append(text)

    def settle(self, ended: Ended) -> Receipt:
        """Record the end and return the receipt, which is true even if recording fails."""
        message = ended.of(self.message)._replace(
            attempts=self.attempts,
            evidence=tuple(self.notes),
            elapsed_ms=(time.monotonic() - self.began) * 1000,
            submit=self.recipient.safety.as_json() if self.recipient.safety else {},
        )
        detail = {"message": message.id, "state": message.state, "reason": message.reason}
        only_at = None
        if self.message.step == Step.ACCEPTED and not self.typed:
            # A message that was cancelled meanwhile stays cancelled.
            only_at = (Step.ACCEPTED, Step.ATTEMPTING) if self.claimed else (Step.ACCEPTED,)
        try:
            if not self.store.messages.settle(message, only_at=only_at):
                return receipt_of(self.store.messages.get(message.id))
            if (message.state, message.reason) != self.said:  # a sender may wait for long
                self.store.events.add("deliver", message.recipient, detail, actor=message.sender)
        except StoreError as error:
            if not (self.typed or self.may_be_pressed):
                raise
            self.note(f"not saved: {error.message}")
            message = message._replace(evidence=tuple(self.notes))
        self.on_step("settled")
        return receipt_of(message)

    # -- what ends it from outside -------------------------------------------------------------

    def failed(self, error: TorchError) -> Ended:
        """Return the end for an error on the way. If nothing was typed, record and raise it."""
        if self.typed:
            stands = self.stood and not self.may_be_pressed
            return unknown(error.message + ("; the text is in the box" if stands else ""))
        if self.again:
            return held(error.message.removesuffix(NOTHING_TYPED))
        self.settle(Ended(Outcome.FAILED, f"{error.message}{NOTHING_TYPED}"))
        raise error

    def break_off(self, error: BaseException) -> None:
        """Settle it with what is known when a signal or a fault ends the delivery."""
        interrupted = isinstance(error, KeyboardInterrupt)
        words = "its sender was interrupted" if interrupted else f"its sender failed: {error!r}"
        if not self.typed and self.again:
            ended = held(words)
        elif not self.typed:
            reason = CANCELLED if interrupted else f"{words}{NOTHING_TYPED}"
            ended = Ended(Outcome.FAILED, reason)
        elif self.may_be_pressed:
            words = f"{words} after a submit key, before there was proof"
            ended = Ended(Outcome.UNKNOWN, words, Step.SUBMITTING)
        elif self.shown:
            ended = held(words, left=True)
        else:
            ended = unknown(f"{words} at the paste: the text may be in the box")
        with contextlib.suppress(StoreError):  # its owner sees that it is not settled
            self.settle(ended)
