"""The proof that a message was submitted: the program's report, its transcript, its screen.

Each function returns the end of the delivery, ``None`` if it proves nothing.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from torch_cli.delivery import evidence
from torch_cli.delivery.ending import Ended, held, unknown
from torch_cli.delivery.job import Job
from torch_cli.delivery.reading import not_here, out_of_sight
from torch_cli.delivery.receipt import Outcome
from torch_cli.delivery.text import carries, same
from torch_cli.programs.observe import Sight
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import ENDED, Box, State
from torch_cli.tmux.screen import Screen

if TYPE_CHECKING:
    from torch_cli.programs.transcript import Turn

QUEUED = "queued by the program"
"""The reason of a message that its program had when it was busy."""

PROOF_SECONDS = 5.0
"""Seconds after a submit key in which evidence may still come."""

HIDDEN_PROOF_SECONDS = 15.0
"""The same while the box is out of sight and no dialog shows. On a machine with seven times more
work than cores opencode's screen was blank for more than 5 s after its first message, and Gemini
CLI printed its history again for 6 s (2026-11-25)."""

HOOK_GRACE_SECONDS = 3.0
"""Seconds to wait for a program's own report once the screen shows that the message was submitted.
Measured with Claude Code: 0.03 to 0.18 s in the median (2026-11-22)."""

ECHO_STANDS_SECONDS = 0.05
"""Seconds that the evidence of a screen must stay if an echo looks like the box, because half a
redraw shows one without the other."""

UNSEEN_SECONDS = 0.25
"""Seconds without evidence after which the program's transcript is read, and read again."""


def prove(job: Job, pressed: Sight, seconds: float) -> Ended | None:
    """Look for evidence; return ``None`` if after ``seconds`` our text is still there unchanged.

    ``pressed`` is the sight of it at the press of the submit key.
    """
    began = time.monotonic()
    box = pressed.state.box
    assert box is not None
    unique = job.profile.box.prompt_unique and not job.is_command
    stands = 0.0 if unique else ECHO_STANDS_SECONDS
    cleared_at = 0.0
    transcript = _NowAndThen(job)
    while True:
        heard = job.reader.heard()
        if ended := by_report(job):
            return ended
        sight = job.reader.look()
        now, standing = time.monotonic(), sight.state.box
        if sight.state.state in ENDED and not job.is_command:
            # An echo is not a proof then: the program may have died before it acted on the text.
            return by_report(job) or out_of_sight(sight)
        gone = _seen_gone(job, sight, pressed.screen, box)
        cleared_at = (cleared_at or now) if gone else 0.0
        if standing is not None and standing.rows == box.rows:
            if now >= began + seconds:
                return not_here(sight)
        elif gone:
            if now >= cleared_at + (HOOK_GRACE_SECONDS if job.reports else stands):
                job.note(gone)
                return _other_report(job) or by_fate(job) or Ended(Outcome.SUBMITTED)
        elif ended := transcript.read():
            return ended
        elif now >= began + max(seconds, _patience(sight)):
            return None if job.is_ours(standing) else _lost(job, sight)
        job.reader.tell("proof that the text went out", typed=True)
        # A report comes through the store, which does not wake us.
        job.reader.wait(heard, 0.01)


class _NowAndThen:
    """Reads the program's transcript now and then, while the screen shows nothing."""

    def __init__(self, job: Job) -> None:
        self._job, self._at = job, time.monotonic() + UNSEEN_SECONDS

    def read(self) -> Ended | None:
        """Read it if it is time to."""
        if time.monotonic() < self._at:
            return None
        ended = by_transcript(self._job)
        self._at = time.monotonic() + UNSEEN_SECONDS
        return ended


def _patience(sight: Sight) -> float:
    """Return the seconds after which a screen without a trace of our text ends the wait."""
    hidden = sight.state.box is None and sight.state.state is not State.WAITING
    return HIDDEN_PROOF_SECONDS if hidden else PROOF_SECONDS


def _seen_gone(job: Job, sight: Sight, pressed: Screen, box: Box) -> str:
    """Return how the screen shows that our text left ``box`` by being submitted, '' if not."""
    screen, state = sight.screen, sight.state
    if job.is_command:
        return evidence.took_effect(screen, state, pressed, box)
    typed = job.message.typed
    return evidence.departed(screen, state, pressed, box, typed, job.before, job.profile)


def _lost(job: Job, sight: Sight) -> Ended:
    """Return the end for a text that left the box after a key, with no trace of it."""
    box = sight.state.box
    if box is not None and job.holds(box):
        return held("draft: the text in the box was changed", left=True)
    if box is not None:
        return unknown("the box was cleared, and nothing shows where the text went")
    if sight.state.state is State.WAITING and not job.recipient.hooks:
        return unknown("a dialog hides the box, and nothing shows whether the text went out")
    return out_of_sight(sight)


def afterwards(job: Job, sight: Sight, box: Box) -> Ended | None:
    """Look for our text on the screen above ``box``, and in the program's transcript."""
    if not job.reports and evidence.echoed_whole(
        sight.screen, box, job.message.typed, job.before, job.profile
    ):
        return Ended(Outcome.SUBMITTED, "found on the screen afterwards")
    return by_transcript(job)


# -- the program's own word ------------------------------------------------------------------------


def by_report(job: Job) -> Ended | None:
    """Look for a report of the program's own hook that carries our text."""
    pane = job.reader.pane
    for report in job.store.hooks.after(pane.server, pane.id, job.before.report):
        if report.prompt and same(report.prompt, job.message.typed, job.profile):
            job.note(f"hook {report.name} carried the text")
            queued = job.before.state == State.WORKING
            confirmed = Ended(Outcome.CONFIRMED, QUEUED if queued else "")
            return by_fate(job) or confirmed
        if report.prompt and carries(report.prompt, job.message.typed, job.profile):
            return _among_others(job, f"hook {report.name} carried it")
    return None


AMONG_OTHERS = "it was submitted together with other text"
"""The reason of a message that arrived as part of a person's."""


def _among_others(job: Job, evidence: str) -> Ended | None:
    """Return the end for a text that a report contains, unless it may have been refused."""
    kind = job.profile.answer.transcript
    if kind:
        turn = _turn_of(job, carries)
        if turn is None or turn.refused is not None:
            return None
    job.note(evidence)
    return Ended(Outcome.CONFIRMED, AMONG_OTHERS)


def await_report(job: Job) -> Ended | None:
    """Wait for the program's own report as long as it may take."""
    deadline = time.monotonic() + HOOK_GRACE_SECONDS
    while time.monotonic() < deadline:
        heard = job.reader.heard()
        if ended := by_report(job):
            return ended
        job.reader.wait(heard, 0.02)
    return None


def _other_report(job: Job) -> Ended | None:
    """Look for a report of another text in place of ours.

    While the program works, it can report an earlier message from its queue meanwhile.
    """
    if job.before.state != State.IDLE:
        return None
    pane = job.reader.pane
    for report in job.store.hooks.after(pane.server, pane.id, job.before.report):
        if report.prompt:
            shown = " ".join(report.prompt.split())[:60]
            return unknown(f"hook {report.name} carried another text: '{shown}'")
    return None


def by_fate(job: Job) -> Ended | None:
    """Read the outcome of our text in the transcript. A user's hook may have refused it."""
    known = job.before.state in (State.IDLE, State.WORKING)
    if job.is_command or not known or not job.profile.answer.transcript:
        return None
    from torch_cli.delivery import refused

    if not refused.tells(job.reader):
        return None
    turn = refused.fate(job.reader, job.message, job.before)
    if turn is None:
        job.note("the program's transcript did not have it")
        sight = job.reader.look()
        if sight.state.state in ENDED:
            return out_of_sight(sight)  # it may have died between the report and the request
        if refused.is_named(job.reader):
            return unknown("the program's own transcript does not have the text")
        return Ended(Outcome.SUBMITTED)
    if turn.refused is not None:
        return _refused(job, turn.refused)
    if turn.stopped is not None:
        job.note(f"a hook of the program's stopped the turn: {turn.stopped}")
    return None


def _refused(job: Job, words: str) -> Ended:
    """Return the end for a text that a hook refused. Torch removes it from the box."""
    from torch_cli.delivery import refused

    cleared = refused.clear(job.reader, job.message, job.before)
    left = "" if cleared else "; the text was left in the box"
    return Ended(Outcome.FAILED, f"the program's own hook refused it: {words}{left}")


def by_transcript(job: Job) -> Ended | None:
    """Look for our text in the program's transcript."""
    if not job.profile.answer.transcript or job.is_command:
        return None
    turn = _turn_of(job, same)
    if turn is None:
        return None
    if turn.refused is not None:
        return _refused(job, turn.refused)
    job.note("the program's transcript has the text")
    return Ended(Outcome.CONFIRMED)


def _turn_of(job: Job, told: Callable[[str, str, Profile], bool]) -> "Turn | None":
    """Return the turn in the program's transcript that our text began, as ``told`` compares it."""
    from torch_cli.programs.transcript import open_transcript, turn_of

    kind = job.profile.answer.transcript
    transcript = open_transcript(kind, job.recipient.pid, job.message.created)
    return turn_of(transcript, lambda text: told(text, job.message.typed, job.profile))
