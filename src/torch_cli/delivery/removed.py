"""Messages that somebody removed from the box before they were submitted: nothing arrived.

A text that is gone from the box may also have been submitted there by hand, changed or not. So this
is said only of a text that was seen in the box and that no submit key of ours can have reached,
where the program is idle at an empty box, and where the program names its transcript and that has
no message at all since the paste.
"""

import time

from torch_cli.delivery import proof
from torch_cli.delivery.ending import Ended
from torch_cli.delivery.job import Job
from torch_cli.delivery.receipt import Outcome
from torch_cli.programs.state import State

STILL = 1.0
"""Seconds that the program must be idle at an empty box. Claude Code writes a message down 0.1 s
after it was submitted, and is not idle meanwhile (2.1.330, 2026-11-28)."""

REASON = "it was removed from the box before it was submitted"


def from_box(job: Job) -> Ended | None:
    """Return the end of a message that was removed from the box; ``None`` if that is not sure."""
    if not job.before.seen or not job.before.at or job.may_be_pressed or job.is_command:
        return None
    until = time.monotonic() + STILL
    while True:
        heard = job.reader.heard()
        if ended := proof.by_report(job):
            return ended
        state = job.reader.look().state
        if state.state is not State.IDLE or state.box is None or not state.box.empty:
            return None
        if (left := until - time.monotonic()) <= 0:
            break
        job.reader.wait(heard, left)
    return Ended(Outcome.FAILED, REASON) if _got_nothing(job) else None


def _got_nothing(job: Job) -> bool:
    """Say whether the program's transcript is known, and has no message since the paste."""
    kind, program = job.profile.answer.transcript, job.recipient.program
    if not kind:
        return False
    from torch_cli.programs.transcript import is_silent, open_transcript

    pid = program.pid if program is not None else job.reader.pane.pid
    return is_silent(open_transcript(kind, pid, job.before.at))
