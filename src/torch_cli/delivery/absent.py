"""Messages that are neither in the box nor in the program: erased, or swallowed by a dialog.

A text that is gone from the box may also have been submitted by hand, changed or not. So a message
is called failed only if all of this is true: no submit key of Torch's can have reached the program;
the program has read the paste and is idle at an empty box; no hook has reported a message since the
paste; and the program's own transcript, which it names, has none since then, and does not have the
text anywhere else.
"""

import time

from torch_cli.delivery import proof
from torch_cli.delivery.ending import Ended
from torch_cli.delivery.job import Job
from torch_cli.delivery.receipt import Outcome
from torch_cli.programs.state import State

AT_REST_SECONDS = 1.0
"""Seconds that the program must be idle at an empty box. Claude Code records a message 0.1 s after
it was submitted, and is not idle meanwhile (2.1.330, 2026-11-28)."""

TURN_ENDS_SECONDS = 5.0
"""Seconds that a turn may take to end, or a person to erase what they typed."""

REASON = "neither the input box nor the program's transcript has the text: it was not submitted"


def from_program(job: Job) -> Ended | None:
    """Return the end of a message that is nowhere; ``None`` if that is not certain."""
    if not job.before.at or job.may_be_pressed or job.is_command or not _has_read(job):
        return None
    began, since = time.monotonic(), 0.0
    while True:
        heard = job.reader.heard()
        if ended := proof.by_report(job):
            return ended
        state, now = job.reader.look().state, time.monotonic()
        if state.box is None or state.state not in (State.IDLE, State.WORKING):
            return None
        empty = state.state is State.IDLE and state.box.empty
        since = (since or now) if empty else 0.0
        if since and now >= since + AT_REST_SECONDS:
            break
        if not since and now >= began + TURN_ENDS_SECONDS:
            return None
        job.reader.wait(heard, AT_REST_SECONDS)
    return Ended(Outcome.FAILED, REASON) if _got_nothing(job) else None


def _has_read(job: Job) -> bool:
    """Return whether the program has read our paste: it showed the text, or wrote something later.

    A program that hangs may show the text, and submit it, after any time.
    """
    if job.before.seen:
        return True
    from torch_cli.programs.record import record_of

    record = record_of(job.profile.answer.transcript, job.recipient.pid)
    return record is not None and record.current and record.at > job.before.at + AT_REST_SECONDS


def _got_nothing(job: Job) -> bool:
    """Say whether nothing was reported or written down since the paste, in a known transcript."""
    pane = job.reader.pane
    reports = job.store.hooks.after(pane.server, pane.id, job.before.report)
    if any(report.prompt for report in reports):
        return False
    from torch_cli.programs.transcript import is_silent

    kind = job.profile.answer.transcript
    return is_silent(kind, job.recipient.pid, job.before.at, job.message.typed)
