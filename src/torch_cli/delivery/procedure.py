"""The delivery of one message: gate, read, paste, see, submit, prove.

This module keeps three promises. Torch presses no key unless tmux finds, in the same step, Torch's
own text in the box. Torch never types again what may have been typed. The receipt says no more than
was seen or reported.
"""

import itertools
import os
import time

from torch_cli.delivery import absent, evidence, ours, proof
from torch_cli.delivery.ending import NOTHING_TYPED, Ended, held, unknown
from torch_cli.delivery.job import Job
from torch_cli.delivery.reading import SOMEBODY_TYPES, not_here, out_of_sight
from torch_cli.delivery.receipt import Outcome, Receipt, receipt_of
from torch_cli.delivery.typist import REASONS
from torch_cli.errors import TorchError
from torch_cli.programs.observe import Sight
from torch_cli.programs.standing import box_stands
from torch_cli.programs.state import ENDED, Box, State
from torch_cli.roster.safety import SubmitKey
from torch_cli.store.steps import Step

PASTE_SHOWS_SECONDS = 10.0
"""Seconds for a paste to show. Gemini CLI froze for longer on typed text, but never on pasted text
(2026-11-22). After that the receipt is ``unknown`` or ``held``, and nothing is repeated."""

PRESSES = 4
"""The most presses of the submit key: one, and three repetitions while the text is still there."""

REDRAWN_POLL_SECONDS = 0.05
"""Seconds between two looks at a box that is redrawn all the time."""


def _six_steps(job: Job) -> Ended:
    """Gate, read, paste, see, submit and prove; return how it ended."""
    ended = _box_not_told(job) or _paste(job)
    if ended:
        return ended
    sight = _see(job)
    if isinstance(sight, Ended):
        return sight
    return _submit(job, sight)


def deliver_one(job: Job) -> Receipt:
    """Deliver the message from the beginning; return its receipt.

    If nothing was typed and the message must not wait in the outbox, raises the error of tmux.
    """
    try:
        return job.settle(_ended(job))
    except _Changed:
        return receipt_of(job.store.messages.get(job.message.id))
    finally:
        job.signals.end()


def finish(job: Job) -> Receipt:
    """Settle a message whose sender died on the way, without ever pasting it again.

    If tmux still has its text in a buffer, the text was never pasted. Then the message is queued
    again and delivered in its turn, unless its sender was told that the outcome is unknown, or it
    must not wait for later.
    """
    ended = _never_pasted(job) or _finished(job)
    if ended is None:
        # The obstacle that hides the box holds the next message too. This one is settled after it.
        return receipt_of(job.message)
    if job.attempts == job.message.attempts and ended.of(job.message) == job.message:
        return receipt_of(job.message)
    return job.settle(ended)


def _never_pasted(job: Job) -> Ended | None:
    if not job.typist.unload(job.buffer) or job.may_be_pressed:
        return None
    if job.message.kept and job.message.state != Outcome.UNKNOWN:
        return Ended(Outcome.QUEUED, step=Step.ACCEPTED)
    earlier = job.message.reason or "its sender ended on the way"
    return Ended(Outcome.FAILED, f"{earlier}; later, tmux had its text still{NOTHING_TYPED}")


class _Changed(Exception):  # noqa: N818 - an outcome, not an error
    """The message was cancelled, edited or replaced before it was typed."""


def _ended(job: Job) -> Ended:
    try:
        return _six_steps(job)
    except _Changed:
        raise
    except TorchError as error:
        return job.failed(error)
    except BaseException as error:
        job.break_off(error)
        raise


def _finished(job: Job) -> Ended | None:
    """Return how an earlier delivery ended, ``None`` if the box is out of sight."""
    if ended := proof.by_report(job):
        return ended
    sight = _once_shown(job)
    box = sight.state.box
    if box is None or sight.state.elsewhere:
        return None
    if job.is_ours(box):
        # It may have gone out and come back.
        if job.may_be_pressed and (ended := proof.afterwards(job, sight, box)):
            return ended
        seen = _see(job)
        return seen if isinstance(seen, Ended) else _submit(job, seen)
    ended = _left(job, box) or proof.afterwards(job, sight, box)
    if ended is None and job.reports and job.may_be_pressed:
        ended = proof.await_report(job)
    if ended is None:
        ended = absent.from_program(job)
    earlier = job.message.reason or "its sender ended before the receipt"
    lost = Ended(Outcome.UNKNOWN, f"{earlier}; later, neither box nor program had the text")
    return ended or lost


def _once_shown(job: Job) -> Sight:
    """Return what the pane shows once a text that was pasted just now had its time to show."""
    due = job.before.at + PASTE_SHOWS_SECONDS if job.before.at and not job.may_be_pressed else 0.0
    deadline = time.monotonic() + min(PASTE_SHOWS_SECONDS, due - time.time())
    while True:
        heard = job.reader.heard()
        sight, left = job.reader.look(), deadline - time.monotonic()
        box = sight.state.box
        if job.before.seen or box is None or not box.empty or left <= 0:
            return sight
        job.reader.wait(heard, left)


def _left(job: Job, box: Box) -> Ended | None:
    """Hold a message that is not alone in ``box``, or that may not be in it."""
    if ours.may_be_anybodys(box, job.message.typed, job.before, job.profile):
        reason = (
            "draft: pasted text is in the box, and nothing shows whether it is this message "
            "or a person's: press Enter there or clear the box"
        )
        return Ended(Outcome.HELD, reason, Step(job.message.step))
    if job.holds(box):
        return held("draft: the box holds more than our text", left=True)
    return None


# -- gate, read, paste -----------------------------------------------------------------------------


def _box_not_told(job: Job, *, left: bool = False) -> Ended | None:
    """Hold the message if a dialog could take the key and the gate could not prevent it."""
    spec = job.profile.box
    if job.recipient.submit.safe or spec.prompt_unique or spec.cursor_real:
        return None
    return held("the profile cannot tell the box from a dialog", left=left)


def _paste(job: Job) -> Ended | None:
    """Paste through the gate once the pane is free; return the end if an obstacle stays."""
    while True:
        sight = job.reader.await_open(job.message.typed)
        if isinstance(sight, Ended):
            return sight
        reason = _paste_into(job, sight)
        if not reason:
            return None
        if reason in REASONS:
            return held(REASONS[reason])
        if time.monotonic() >= job.reader.deadline:
            return held(SOMEBODY_TYPES if reason == "typing" else "the input box keeps changing")


def _paste_into(job: Job, sight: Sight) -> str:
    """Paste, and return ''. If the pane is no longer as in ``sight``, return why not."""
    job.before = evidence.baseline(
        sight.screen, sight.state, job.profile, job.store.hooks.last_id(), job.program
    )._replace(paste=os.urandom(4).hex(), at=time.time())
    job.signals.begin()  # until it is recorded how the text shows
    # Load before the claim. So a claimed text that tmux still has in a buffer was not pasted.
    if not job.typist.load(job.buffer, job.message.typed.encode()):
        job.signals.end()
        return "gone"
    _claim(job)
    job.on_step(Step.ATTEMPTING)
    if job.signals.heard:
        job.typist.unload(job.buffer)
        job.signals.end()
    job.reader.await_drawn()  # the claim may have taken its time
    stands = box_stands(sight, job.profile)
    job.typed = True  # also if tmux does not answer
    outcome = job.typist.paste(job.buffer, stands, unless=job.reader.keys_wait)
    job.typed = outcome.done
    if not outcome.done:
        job.unclaim()
        job.signals.end()
    return outcome.reason


def _claim(job: Job) -> None:
    """Record that the text is about to be pasted; delete the buffer if that fails."""
    claimed = False
    try:
        claimed = job.claim()
    finally:
        if not claimed:
            job.typist.unload(job.buffer)
            job.signals.end()
    if not claimed:
        raise _Changed


# -- see -------------------------------------------------------------------------------------------


def _see(job: Job) -> Sight | Ended:
    """Return the sight of our whole text in the box, once it stayed for the settle time."""
    first: tuple[Box, float] | None = None
    deadline = time.monotonic() + PASTE_SHOWS_SECONDS
    while True:
        heard = job.reader.heard()
        sight = job.reader.look()
        now = time.monotonic()
        box, wait = sight.state.box, deadline - now
        if sight.state.state in (State.WAITING, *ENDED):
            return out_of_sight(sight, pressed=job.may_be_pressed, seen=False)
        if box is not None and job.is_ours(box) and not sight.state.elsewhere:
            if first is None or first[0].rows != box.rows:
                first = (box, now)
                job.saw(box)
                job.signals.end()
            wait = first[1] + job.profile.paste.settle - now
            if wait <= 0:
                job.stood = True
                job.step(Step.SEEN)
                return sight
        elif now >= deadline:
            return not_here(sight) or _unseen(job, box)
        elif box is not None and job.holds(box) and not sight.state.elsewhere:
            job.saw_part()
        job.signals.check()
        job.reader.tell("its box to show the text", typed=True)
        job.reader.wait(heard, wait)


def _unseen(job: Job, box: Box | None) -> Ended:
    """Return the end for a text that was pasted and was never alone in ``box``."""
    if box is not None and not box.empty:
        return held("draft: the box holds other text than ours alone", left=True)
    if ended := absent.from_program(job):
        return ended
    seen = "is gone from the box" if job.before.seen else "never seen in the box"
    return unknown(f"the text was pasted, and {seen}")


# -- submit, and prove -----------------------------------------------------------------------------


def _submit(job: Job, sight: Sight) -> Ended:
    """Press the submit key and prove it; repeat that while our text is still there."""
    if ended := _box_not_told(job, left=True):
        return ended
    key = job.recipient.submit
    for pause in (*key.retries[: PRESSES - 1], proof.PROOF_SECONDS):
        if not key.while_working and (ended := job.reader.await_idle(pressed=job.may_be_pressed)):
            return ended
        job.step(Step.SUBMITTING)
        pressed = _press(job, key, sight)
        if isinstance(pressed, Ended):
            return pressed
        if ended := proof.prove(job, pressed, pause):
            return ended
        sight = pressed
    return held(
        f"not submitted: after {job.attempts} presses the text is still in the box", left=True
    )


def _press(job: Job, key: SubmitKey, sight: Sight) -> Sight | Ended:
    """Press through the positive gate; return the sight that it was built from.

    While the box is redrawn, the gate refuses and nothing is pressed. Torch tries again until the
    message's time is over, and each time only in a state that the key is for.
    """
    for refused in itertools.count(1):
        quiet = _once_quiet(job, key, sight)
        if isinstance(quiet, Ended):
            return quiet
        sight = quiet
        stands = box_stands(sight, job.profile)
        pressed, job.may_be_pressed = job.may_be_pressed, True
        outcome = job.typist.press(key.keys, stands, unless=job.reader.keys_wait)
        if outcome.done:
            job.attempts += 1
            return sight
        job.may_be_pressed = pressed
        if ended := _blocked(job, outcome.reason):
            return ended
        if refused >= PRESSES:
            if time.monotonic() >= job.reader.deadline:
                break
            job.reader.wait(job.reader.heard(), REDRAWN_POLL_SECONDS)
        again = _look_again(job, key, sight)
        if isinstance(again, Ended):
            return again
        sight = again
    return held("not visible: the box keeps changing", left=True)


def _once_quiet(job: Job, key: SubmitKey, sight: Sight) -> Sight | Ended:
    """Return the sight of our text once nobody's keys are on their way to the program."""
    job.reader.await_drawn()
    # tmux is asked after that: when it answers, it has read what the program has drawn.
    if not job.reader.somebody_types():
        return sight
    while job.reader.somebody_types():
        if time.monotonic() >= job.reader.deadline:
            return held(SOMEBODY_TYPES, left=True)
        job.reader.tell("somebody who types there", typed=True)
        job.reader.wait(job.reader.heard(), REDRAWN_POLL_SECONDS)
        job.reader.await_drawn()
    return _look_again(job, key, sight)


def _blocked(job: Job, reason: str) -> Ended | None:
    """Return the end, unless the next look may find something else than the gate found."""
    if reason == "mode":
        person = job.reader.leave_mode()
        return held(f"copy mode, and {person} is looking at it", left=True) if person else None
    if reason in ("dead", "gone", "replaced"):
        return Ended(Outcome.UNKNOWN if job.may_be_pressed else Outcome.FAILED, REASONS[reason])
    return held(REASONS[reason], left=True) if reason in REASONS else None


def _look_again(job: Job, key: SubmitKey, sight: Sight) -> Sight | Ended:
    """Return the box as it is now, or ``sight`` if it is out of sight for a moment."""
    again = _box_now(job, sight)
    if isinstance(again, Sight) and not (key.while_working or again.state.state is State.IDLE):
        if ended := job.reader.await_idle(pressed=job.may_be_pressed):
            return ended
        again = _box_now(job, again)
    return again


def _box_now(job: Job, sight: Sight) -> Sight | Ended:
    heard = job.reader.heard()
    now = job.reader.look()
    box = now.state.box
    if now.state.state in (State.WAITING, *ENDED):
        return out_of_sight(now, pressed=job.may_be_pressed)
    if box is None:
        job.reader.wait(heard, 1.0)
        return sight
    if ended := not_here(now):
        return ended
    if job.is_ours(box):
        return now
    # A person typed, or submitted it for us. Only evidence can tell.
    ended = None if job.holds(box) else proof.prove(job, sight, proof.PROOF_SECONDS)
    return ended or held("draft: the text in the box was changed", left=True)
