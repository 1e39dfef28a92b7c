"""The delivery of one message: gate, read, paste, see, submit, prove.

Three promises are kept here. Torch presses no key unless tmux finds, in the same step, Torch's own
text in the box. Torch never types again what may have been typed. The receipt says no more than was
seen or reported.
"""

import contextlib
import itertools
import time
from collections.abc import Callable

from torch_cli.delivery import evidence, ours
from torch_cli.delivery.ending import (
    CANCELLED,
    EXPIRED,
    NOTHING_TYPED,
    Ended,
    held,
    unknown,
    waits,
)
from torch_cli.delivery.evidence import Baseline
from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.reading import Policy, Reader, out_of_sight
from torch_cli.delivery.receipt import Outcome, Receipt, receipt_of
from torch_cli.delivery.recipient import Recipient
from torch_cli.delivery.text import same
from torch_cli.errors import HeldError, TorchError
from torch_cli.interrupts import PutOff
from torch_cli.programs.observe import Sight
from torch_cli.programs.standing import box_stands
from torch_cli.programs.state import ENDED, Box, State
from torch_cli.roster.safety import SubmitKey
from torch_cli.store import Store, StoreError
from torch_cli.store.messages import COMMAND, Message
from torch_cli.tmux import gate
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.screen import Screen

SEE = 10.0
"""Seconds for a paste to show. Gemini CLI froze for longer than this on typed text, on none that
was pasted (2026-11-22). After it the receipt is ``unknown`` or ``held``; nothing is repeated."""

PROOF = 5.0
"""Seconds after a submit key in which evidence may still come."""

HIDDEN_PROOF = 15.0
"""The same while the box is out of sight and no dialog shows. On a machine with seven times more
work than cores opencode's screen was blank for more than 5 s after its first message, and Gemini
CLI printed its history again for 6 s (2026-11-25).
"""

HOOK_GRACE = 3.0
"""Seconds that a program's own report is waited for once the screen shows that the message went
out. Measured with Claude Code: 0.03 to 0.18 s in the median (2026-11-22)."""

NOTED = 2.0
"""Seconds that a signal is put off at most until a text that was pasted shows. A placeholder that
nobody has seen come could be a person's, and would be left to one."""

STANDS = 0.05
"""Seconds that the evidence of a screen must stay where an echo looks like the box: a redraw that
is half done shows one without the other.
"""

UNSEEN = 0.25
"""Seconds without evidence after which the program's transcript is read, and read again."""

PRESSES = 4
"""The most presses of the submit key: one, and three repetitions while the text is still there."""

REDRAWN = 0.05
"""Seconds between two looks at a box that is redrawn all the time."""


def deliver(
    client: ControlClient,
    store: Store,
    recipient: Recipient,
    message: Message,
    policy: Policy,
    on_step: Callable[[str], None] = lambda step: None,
    *,
    again: bool = False,
) -> Receipt:
    """Deliver an accepted message and return its receipt, which is also in the store.

    What waits in the outbox for the same recipient and goes before it is delivered first; if that
    is held, so is this one. ``on_step`` is told each step as it begins, and what is waited for.
    Raises ``NotFoundError`` if the pane is gone and ``TimedOutError`` if tmux does not answer, with
    nothing typed. ``again`` says that it waited in the outbox, where it stays in such a case; else
    whoever accepted it (``hand``) sees to it that nothing will be typed.
    """
    pane = recipient.pane
    reader = Reader(client, store, recipient, policy, on_step)
    patience = 0.0 if policy.when == "now" else policy.timeout
    try:
        with pane_lock(
            *(pane.server, pane.id, message.id, patience),
            on_wait=lambda by: on_step(waits(recipient.name, f"{by} is typing into its pane")),
        ):
            said = (message.state, message.reason)
            # Another sender with the same key may have had the lock before us.
            message = store.messages.reopen(
                message.id, server=pane.server, pane=pane.id, pane_pid=pane.pid
            )
            if message.step == "done":
                return receipt_of(message)
            delivery = _Delivery(reader, message, on_step, again=again, said=said)
            for earlier in store.messages.unfinished(pane.server, pane.id, pane.pid):
                left = _Delivery(reader, earlier, on_step).finish()
                if earlier.id == message.id:
                    return left
                if left.state is Outcome.HELD:
                    return delivery.hold(_behind(left))
            for ahead in store.messages.ahead_of(message):
                left = _deliver_ahead(reader, ahead)
                if left.state in (Outcome.HELD, Outcome.QUEUED):
                    return delivery.hold(_behind(left))
            return delivery.run()
    except HeldError as locked:
        ended = held(locked.message.removesuffix(NOTHING_TYPED))
        # The holder of the lock may be delivering this very message, under the same key.
        store.messages.settle(_with(message, ended), only_at=("accepted",))
        return receipt_of(store.messages.get(message.id))


def _deliver_ahead(reader: Reader, message: Message) -> Receipt:
    """Deliver a message that waited before the one that ``reader`` is for; its lock is held."""
    store, pane = reader.store, reader.pane
    if message.deadline is not None and message.deadline <= time.time():
        store.messages.withdraw(message.id, EXPIRED, told=False)
        return receipt_of(store.messages.get(message.id))
    said = (message.state, message.reason)
    message = store.messages.reopen(message.id, server=pane.server, pane=pane.id, pane_pid=pane.pid)
    policy = Policy(message.type_when, max(0.0, reader.deadline - time.monotonic()))
    own = Reader(reader.client, store, reader.recipient, policy, reader.on_step)
    return _Delivery(own, message, again=True, said=said).run()


def _behind(left: Receipt) -> str:
    return f"behind {left.id}, which is {left.state}: {left.reason.removesuffix(NOTHING_TYPED)}"


class _Changed(Exception):  # noqa: N818 - an outcome, not an error
    """The message was cancelled, edited or replaced before it was typed."""


class _Delivery:
    """One message on its way to one pane; the pane's lock is held throughout.

    ``said`` are the state and reason that were recorded of it last.
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
        self.reader, self.client, self.store = reader, reader.client, reader.store
        self.recipient, self.pane = reader.recipient, reader.pane
        self.profile = reader.recipient.profile
        self.message, self.on_step, self.again = message, on_step, again
        self.said = said or (message.state, message.reason)
        self.before = Baseline.from_json(message.baseline)
        if self.before.program != self._program:
            self.before = self.before._replace(chip=0)  # another program numbers its own pastes
        self.notes = [*message.evidence]
        self.attempts = message.attempts
        self.may_be_pressed = message.attempts > 0 or message.step == "submitting"
        self.claimed = self.typed = self.shown = self.stood = False
        self.signals = PutOff(NOTED)
        self.began = time.monotonic()

    def run(self) -> Receipt:
        """Deliver the message from the beginning."""
        try:
            self._check_box_is_told()
            while not self._paste(self.reader.await_open(self.message.typed)):
                if time.monotonic() >= self.reader.deadline:
                    raise held("the input box keeps changing")
            self._submit(self._see())
        except Ended as ended:
            return self._settle(ended)
        except _Changed:
            return receipt_of(self.store.messages.get(self.message.id))
        except TorchError as error:
            if self.typed:
                stands = self.stood and not self.may_be_pressed
                where = "; the text is in the box" if stands else ""
                return self._settle(unknown(error.message + where))
            if self.again:
                return self._settle(held(error.message.removesuffix(NOTHING_TYPED)))
            self._settle(Ended(Outcome.FAILED, f"{error.message}{NOTHING_TYPED}"))
            raise
        except BaseException as error:
            self._break_off(error)
            raise
        finally:
            self.signals.end()
        raise AssertionError("a delivery ends by saying how")

    def hold(self, reason: str) -> Receipt:
        """Settle a message that cannot be begun now."""
        return self._settle(held(reason))

    def finish(self) -> Receipt:
        """Settle a message whose sender died on the way, without ever pasting it again."""
        gate.unload(self.client, self._buffer)  # a sender that was killed left it behind
        try:
            self._prove_by_report()
            sight = self.reader.look()
            box = sight.state.box
            if box is None or sight.state.elsewhere:
                # What hides the box holds the next message, too; this one is settled after it.
                return receipt_of(self.message)
            if self._is_ours(box):
                if self.may_be_pressed:
                    self._prove_afterwards(sight, box)  # it may have gone out and come back
                self._submit(self._see())
            self._check_left(box)
            self._prove_afterwards(sight, box)
            if self._reports and self.may_be_pressed:
                self._await_report()
            earlier = self.message.reason or "its sender ended before the receipt"
            raise Ended(Outcome.UNKNOWN, f"{earlier}; later, neither box nor program had the text")
        except Ended as ended:
            known = (self.message.state, self.message.reason, self.message.step)
            if self.attempts == self.message.attempts and known == ended.noted:
                return receipt_of(self.message)
            return self._settle(ended)

    def _break_off(self, error: BaseException) -> None:
        """Settle the message as what it is when a signal or a fault ends the delivery."""
        interrupted = isinstance(error, KeyboardInterrupt)
        words = "its sender was interrupted" if interrupted else f"its sender failed: {error!r}"
        if not self.typed and self.again:
            ended = held(words)
        elif not self.typed:
            reason = CANCELLED if interrupted else f"{words}{NOTHING_TYPED}"
            ended = Ended(Outcome.FAILED, reason)
        elif self.may_be_pressed:
            words = f"{words} after a submit key, before there was proof"
            ended = Ended(Outcome.UNKNOWN, words, step="submitting")
        elif self.shown:
            ended = held(words, left=True)
        else:
            ended = unknown(f"{words} at the paste: the text may be in the box")
        with contextlib.suppress(StoreError):  # whoever accepted it sees that it is not settled
            self._settle(ended)

    def _prove_afterwards(self, sight: Sight, box: Box) -> None:
        """End if the screen above ``box``, or the program's transcript, has our text."""
        if not self._reports and evidence.echoed_whole(
            sight.screen, box, self.message.typed, self.before, self.profile
        ):
            raise Ended(Outcome.SUBMITTED, "found on the screen afterwards")
        self._prove_by_transcript()

    # -- paste and see -------------------------------------------------------------------------

    def _paste(self, sight: Sight) -> bool:
        """Paste through the gate; ``False`` if the pane was no longer as ``sight`` showed it."""
        box = sight.state.box
        assert box is not None
        self.before = evidence.baseline(
            sight.screen, sight.state, self.profile, self.store.hooks.last_id(), self._program
        )
        self.claimed = True  # from here on, as far as a signal can tell
        if not self.store.messages.claim(self.message, self.before.as_json()):
            self.claimed = False
            raise _Changed
        self.on_step("attempting")
        self.signals.begin()  # until it is noted how the text shows
        if not gate.load(self.client, self._buffer, self.message.typed.encode()):
            raise held(_GATE_REASONS["gone"])
        if self.signals.heard:
            gate.unload(self.client, self._buffer)
            self.signals.end()
        self.typed = True  # and so it stays if tmux does not answer
        outcome = gate.paste(
            self.client,
            self.pane,
            framed=True,
            conditions=box_stands(sight, self.profile),
            buffer=self._buffer,
        )
        self.typed = outcome.done
        if not outcome.done:
            self.store.messages.step(self.message.id, "accepted")
            self.claimed = False
            self.signals.end()
            if outcome.reason in ("input-off", "synchronized", "dead", "gone", "replaced"):
                raise held(_GATE_REASONS[outcome.reason])
        return outcome.done

    def _see(self) -> Sight:
        """Return the sight of our text in the box, whole, once it stood for the settle time."""
        first: tuple[Box, float] | None = None
        deadline = time.monotonic() + SEE
        while True:
            heard = self.reader.heard()
            sight = self.reader.look()
            now = time.monotonic()
            box, wait = sight.state.box, deadline - now
            if sight.state.state in (State.WAITING, *ENDED):
                raise out_of_sight(sight, pressed=self.may_be_pressed, seen=False)
            if box is not None and self._is_ours(box) and not sight.state.elsewhere:
                if first is None or first[0].rows != box.rows:
                    first = (box, now)
                    self._note_chip(box)
                    self.signals.end()
                wait = first[1] + self.profile.paste.settle - now
                if wait <= 0:
                    self.stood = True
                    self._step("seen")
                    return sight
            elif now >= deadline:
                self._check_here(sight)
                if box is not None and not box.empty:
                    raise held("draft: the box holds other text than ours alone", left=True)
                raise unknown("the text was pasted, and never seen in the box")
            self.signals.check()
            self.reader.tell("its box to show the text", typed=True)
            self.reader.wait(heard, wait)

    def _check_here(self, sight: Sight) -> None:
        """Hold a message whose text is in a box that may not be the agent's any more."""
        if sight.state.elsewhere:
            raise held(f"unknown screen: {sight.state.evidence}", left=True)

    def _note_chip(self, box: Box) -> None:
        """Record at once as which placeholder our text shows: whoever has to go on from here
        knows it by nothing else.
        """
        self.before = self.before._replace(chip=ours.chip_in(box, self.profile))
        if self.before.chip:
            self.store.messages.note_baseline(self.message.id, self.before.as_json())
        self.shown = True

    def _is_ours(self, box: Box | None) -> bool:
        return box is not None and ours.is_ours(
            box, self.message.typed, self.before, self.profile, pasted=self.typed
        )

    def _holds(self, box: Box) -> bool:
        return ours.holds(box, self.message.typed, self.before, self.profile)

    def _check_left(self, box: Box) -> None:
        """Hold a message that is not alone in ``box``, or of which nobody knows if it is there."""
        if ours.may_be_anybodys(box, self.message.typed, self.before, self.profile):
            reason = (
                "draft: pasted text is in the box, and nothing shows whether it is this message "
                "or a person's: press Enter there or clear the box"
            )
            raise Ended(Outcome.HELD, reason, step=self.message.step)
        if self._holds(box):
            raise held("draft: the box holds more than our text", left=True)

    # -- submit and prove ----------------------------------------------------------------------

    def _submit(self, sight: Sight) -> None:
        """Press the submit key and prove it, again while our text still stands; never returns."""
        self._check_box_is_told(left=True)
        key = self.recipient.submit
        for pause in (*key.retries[: PRESSES - 1], PROOF):
            if not key.while_working:
                self.reader.await_idle(pressed=self.may_be_pressed)
            self._step("submitting")
            sight = self._press(key, sight)
            self._prove(sight, pause)
        raise held(
            f"not submitted: after {self.attempts} presses the text is still in the box", left=True
        )

    def _check_box_is_told(self, *, left: bool = False) -> None:
        """Hold the message if a key that dialogs heed could not be kept from one by the gate."""
        spec = self.profile.box
        if not (self.recipient.submit.safe or spec.prompt_unique or spec.cursor_real):
            raise held("the profile cannot tell the box from a dialog", left=left)

    def _press(self, key: SubmitKey, sight: Sight) -> Sight:
        """Press through the positive gate; return the sight that it was built from.

        While the box is redrawn the gate refuses, and nothing is pressed: it is tried until the
        message's time is over, and each time only in a state that the key is for.
        """
        for refused in itertools.count(1):
            pressed, self.may_be_pressed = self.may_be_pressed, True
            outcome = gate.press(self.client, self.pane, key.keys, box_stands(sight, self.profile))
            if outcome.done:
                self.attempts += 1
                return sight
            self.may_be_pressed = pressed
            self._check_blocked(outcome.reason)
            if refused >= PRESSES:
                if time.monotonic() >= self.reader.deadline:
                    break
                self.reader.wait(self.reader.heard(), REDRAWN)
            sight = self._look_again(sight)
            if not key.while_working and sight.state.state is not State.IDLE:
                self.reader.await_idle(pressed=self.may_be_pressed)
                sight = self._look_again(sight)
        raise held("not visible: the box keeps changing", left=True)

    def _check_blocked(self, reason: str) -> None:
        """End, unless what the gate found instead may be other at the next look."""
        if reason == "mode":
            person = self.reader.leave_mode()
            if person:
                raise held(f"copy mode, and {person} is looking at it", left=True)
        elif reason in ("dead", "gone", "replaced"):
            ended = Outcome.UNKNOWN if self.may_be_pressed else Outcome.FAILED
            raise Ended(ended, _GATE_REASONS[reason])
        elif reason != "changed":
            raise held(_GATE_REASONS[reason], left=True)

    def _look_again(self, sight: Sight) -> Sight:
        """Return the box as it is now, or ``sight`` if it is out of sight for a moment."""
        heard = self.reader.heard()
        now = self.reader.look()
        box = now.state.box
        if now.state.state in (State.WAITING, *ENDED):
            raise out_of_sight(now, pressed=self.may_be_pressed)
        if box is None:
            self.reader.wait(heard, 1.0)
            return sight
        self._check_here(now)
        if self._is_ours(box):
            return now
        # Somebody typed, or submitted it for us: only evidence can tell.
        if not self._holds(box):
            self._prove(sight, PROOF)
        raise held("draft: the text in the box was changed", left=True)

    def _prove(self, pressed: Sight, seconds: float) -> None:
        """Look for evidence; return if after ``seconds`` our text still stands as it did."""
        began = time.monotonic()
        box = pressed.state.box
        assert box is not None
        unique = self.profile.box.prompt_unique and not self._is_command
        stands = 0.0 if unique else STANDS
        cleared_at = 0.0
        written_at = began + UNSEEN
        while True:
            heard = self.reader.heard()
            self._prove_by_report()
            sight = self.reader.look()
            now, standing = time.monotonic(), sight.state.box
            if sight.state.state in ENDED and not self._is_command:
                # An echo is no proof then: the program may have died before it acted on it.
                self._prove_by_report()
                raise out_of_sight(sight)
            gone = self._seen_gone(sight, pressed.screen, box)
            cleared_at = (cleared_at or now) if gone else 0.0
            if standing is not None and standing.rows == box.rows:
                if now >= began + seconds:
                    self._check_here(sight)
                    return
            elif gone:
                if now >= cleared_at + (HOOK_GRACE if self._reports else stands):
                    self._note(gone)
                    self._check_other_report()
                    self._prove_by_fate()
                    raise Ended(Outcome.SUBMITTED)
            else:
                if now >= written_at:
                    self._prove_by_transcript()
                    written_at = now + UNSEEN
                hidden = standing is None and sight.state.state is not State.WAITING
                if now >= began + max(seconds, HIDDEN_PROOF if hidden else PROOF):
                    if self._is_ours(standing):
                        return
                    raise self._lost(sight)
            self.reader.tell("proof that the text went out", typed=True)
            # A report comes through the store, which wakes nobody.
            self.reader.wait(heard, 0.01)

    def _seen_gone(self, sight: Sight, pressed: Screen, box: Box) -> str:
        """Return how the screen shows that our text left ``box`` by being submitted, '' if not."""
        screen, state = sight.screen, sight.state
        if self._is_command:
            return evidence.took_effect(screen, state, pressed, box)
        typed = self.message.typed
        return evidence.departed(screen, state, pressed, box, typed, self.before, self.profile)

    @property
    def _is_command(self) -> bool:
        """Whether it is a command of the program's own, which no hook reports."""
        return self.message.kind == COMMAND

    @property
    def _reports(self) -> bool:
        return self.recipient.hooks and not self._is_command

    def _lost(self, sight: Sight) -> Ended:
        """Return the end for a text that left the box after a key, with no trace of it."""
        box = sight.state.box
        if box is not None and self._holds(box):
            return held("draft: the text in the box was changed", left=True)
        if box is not None:
            return unknown("the box was cleared, and nothing shows where the text went")
        if sight.state.state is State.WAITING and not self.recipient.hooks:
            return unknown("a dialog hides the box, and nothing shows whether the text went out")
        return out_of_sight(sight)

    def _prove_by_report(self) -> None:
        """End as confirmed if the program's own hook has reported our text."""
        socket, pane = self.pane.socket_path, self.pane.id
        for report in self.store.hooks.after(socket, pane, self.before.report):
            if report.prompt and same(report.prompt, self.message.typed, self.profile):
                self._note(f"hook {report.name} carried the text")
                self._prove_by_fate()
                queued = self.before.state == State.WORKING
                raise Ended(Outcome.CONFIRMED, "queued by the program" if queued else "")

    def _prove_by_fate(self) -> None:
        """End by what the transcript says if a hook of the user's may have refused our text."""
        from torch_cli.delivery import refused

        known = self.before.state in (State.IDLE, State.WORKING)
        if self._is_command or not known or not refused.tells(self.reader):
            return
        turn = refused.fate(self.reader, self.message, self.before)
        if turn is None:
            self._note(f"the program's transcript did not have it after {refused.WRITTEN:g} s")
            raise Ended(Outcome.SUBMITTED)
        if turn.refused is not None:
            raise self._refused(turn.refused)
        if turn.stopped is not None:
            self._note(f"a hook of the program's stopped the turn: {turn.stopped}")

    def _refused(self, words: str) -> Ended:
        """Return the end for a text that a hook kept from being sent; it is taken back out."""
        from torch_cli.delivery import refused

        cleared = refused.clear(self.reader, self.message, self.before)
        left = "" if cleared else "; the text was left in the box"
        return Ended(Outcome.FAILED, f"the program's own hook refused it: {words}{left}")

    def _await_report(self) -> None:
        """Give the program's own report the time that it may take; end as confirmed if it comes."""
        deadline = time.monotonic() + HOOK_GRACE
        while time.monotonic() < deadline:
            heard = self.reader.heard()
            self._prove_by_report()
            self.reader.wait(heard, 0.02)

    def _prove_by_transcript(self) -> None:
        """End as confirmed if the program has written our text into its transcript."""
        kind, program = self.profile.answer.transcript, self.recipient.program
        if not kind or self._is_command:
            return
        from torch_cli.programs.transcript import open_transcript, turn_of

        pid = program.pid if program is not None else self.pane.pid
        transcript = open_transcript(kind, pid, self.message.created)
        turn = turn_of(transcript, lambda text: same(text, self.message.typed, self.profile))
        if turn is not None and turn.refused is not None:
            raise self._refused(turn.refused)
        if turn is not None:
            self._note("the program's transcript has the text")
            raise Ended(Outcome.CONFIRMED)

    def _check_other_report(self) -> None:
        """End as unknown if the program reported another text in place of ours.

        While it works, an earlier message that it had queued can be reported meanwhile.
        """
        if self.before.state != State.IDLE:
            return
        socket, pane = self.pane.socket_path, self.pane.id
        for report in self.store.hooks.after(socket, pane, self.before.report):
            if report.prompt:
                shown = " ".join(report.prompt.split())[:60]
                raise unknown(f"hook {report.name} carried another text: '{shown}'")

    # -- bookkeeping ---------------------------------------------------------------------------

    @property
    def _program(self) -> str:
        """What tells the program that the text is for from any other that ran in the pane."""
        program = self.recipient.program
        return f"{program.pid} {program.started}" if program is not None else f"{self.pane.pid}"

    @property
    def _buffer(self) -> str:
        return f"torch-{self.message.id}"

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _step(self, step: str) -> None:
        """Write the step down, then tell the caller."""
        self.store.messages.step(self.message.id, step, self.before.as_json())
        self.on_step(step)

    def _settle(self, ended: Ended) -> Receipt:
        """Write the end down and return the receipt, which is true even if that is not possible."""
        message = _with(self.message, ended)._replace(
            attempts=self.attempts,
            evidence=tuple(self.notes),
            elapsed_ms=(time.monotonic() - self.began) * 1000,
            submit=self.recipient.safety.as_json() if self.recipient.safety else {},
        )
        detail = {"message": message.id, "state": message.state, "reason": message.reason}
        only_at = None
        if self.message.step == "accepted" and not self.typed:
            only_at = ("accepted", "attempting") if self.claimed else ("accepted",)
        try:
            # What was cancelled meanwhile stays so.
            if not self.store.messages.settle(message, only_at=only_at):
                return receipt_of(self.store.messages.get(message.id))
            if (message.state, message.reason) != self.said:  # a sender may wait for long
                self.store.events.add("deliver", message.recipient, detail, actor=message.sender)
        except StoreError as error:
            if not (self.typed or self.may_be_pressed):
                raise
            self._note(f"not saved: {error.message}")
            message = message._replace(evidence=tuple(self.notes))
        self.on_step("settled")
        return receipt_of(message)


def _with(message: Message, ended: Ended) -> Message:
    return message._replace(state=str(ended.outcome), reason=ended.reason, step=ended.step)


_GATE_REASONS = {
    "input-off": "the pane's input is off (select-pane -d)",
    "synchronized": "the window's panes are synchronised: each of them would get the text",
    "dead": "dead: the pane's process has ended",
    "gone": "gone: the pane was closed",
    "replaced": "another process runs in the pane now",
}
