"""Messages that a user's hook refuses: the program has them and does not send them on.

Torch's own hook runs beside that hook, so its report proves only that the text was submitted. The
program's transcript has the outcome, and a refused text is in the box again. If a text is refused
while the program works, nothing is recorded.
"""

import time

from torch_cli.delivery import ours
from torch_cli.delivery.evidence import Baseline
from torch_cli.delivery.reading import Reader
from torch_cli.delivery.text import same
from torch_cli.delivery.typist import Typist
from torch_cli.programs.observe import Sight
from torch_cli.programs.standing import box_stands
from torch_cli.programs.state import State
from torch_cli.programs.transcript import REFUSALS, Turn, open_transcript, turn_of
from torch_cli.programs.transcript.lines import TranscriptFiles
from torch_cli.store.messages import Message

OUTCOME_WRITTEN_SECONDS = 5.0
"""Seconds to wait until the transcript has the outcome of a message. Claude Code records it 0.1 s
after its last hook has ended (2.1.330, 2026-11-28)."""

USERS_HOOKS_SECONDS = 60.0
"""The same while the program works: a user's hook may be slow. Claude Code ends it after this time,
if nothing else is set."""

AFTER_WORK_SECONDS = 2.0
"""The same once the program no longer works."""

NO_TRANSCRIPT_SECONDS = 1.0
"""The same for a program that has no transcript and does not name one. It may not keep any."""

_TRANSCRIPT_POLL_SECONDS = 0.02
"""Seconds between two looks at the transcript, which does not wake us."""

_RESTORED_SECONDS = 1.0
"""Seconds in which a refused text must be in the box again, and for which a text must be there that
was never seen to leave the box.
"""

_BACK_SECONDS = 0.3
"""Seconds that a text must be in the box again to count as put back."""

UNTOLD = "the program put the text back into its box, and did not write down why"
"""The reason for a refusal without a text."""


def tells(reader: Reader) -> bool:
    """Return whether the program's transcript records refused messages."""
    return reader.recipient.profile.answer.transcript in REFUSALS


def is_named(reader: Reader) -> bool:
    """Return whether the program names its transcript. Only then does a missing text say much."""
    to = reader.recipient
    transcript = open_transcript(to.profile.answer.transcript, to.pid, time.time())
    return isinstance(transcript, TranscriptFiles) and transcript.named


def fate(reader: Reader, message: Message, before: Baseline) -> Turn | None:
    """Return the turn that ``message`` began or was refused in; ``None`` if no transcript has it.

    ``before`` is what was known of the screen and the text. An empty ``Turn`` means that nothing
    more can be known: the message waits in the program's queue, or the program keeps no transcript.
    """
    to = reader.recipient
    transcript = open_transcript(to.profile.answer.transcript, to.pid, message.created)
    began, due = time.monotonic(), OUTCOME_WRITTEN_SECONDS
    back = _Back(reader, message, before) if before.state == State.WORKING else None
    while True:
        heard = reader.heard()
        waited = time.monotonic() - began
        if OUTCOME_WRITTEN_SECONDS <= waited < USERS_HOOKS_SECONDS and _works(reader):
            due = waited + AFTER_WORK_SECONDS
        turn = turn_of(transcript, lambda text: same(text, message.typed, to.profile))
        if turn is not None or waited >= due:
            return turn
        if (
            waited >= NO_TRANSCRIPT_SECONDS
            and isinstance(transcript, TranscriptFiles)
            and not transcript.exists
        ):
            return Turn()
        if back is not None and back.stands():
            return Turn(refused=UNTOLD)
        reader.wait(heard, _TRANSCRIPT_POLL_SECONDS)


def _works(reader: Reader) -> bool:
    reader.tell("the program's hooks to end", typed=True)
    return reader.look().state.state is State.WORKING


class _Back:
    """Whether a text that was submitted is in the box again."""

    def __init__(self, reader: Reader, message: Message, before: Baseline) -> None:
        self._reader, self._message, self._before = reader, message, before
        self._looked = 0.0
        self._stood = 0.0
        self._needed = _RESTORED_SECONDS

    def stands(self) -> bool:
        """Look once. Time in which the program has not drawn all that it has read does not count.

        On a busy machine a text stood for longer than a second in the box that it had left.
        """
        now, before = time.monotonic(), self._looked
        self._looked = now
        sight = self._reader.look()
        if not _is_ours(sight, self._message, self._before, self._reader):
            self._stood = 0.0
            if sight.state.box is not None and sight.state.box.empty:
                self._needed = _BACK_SECONDS
            return False
        if before and self._reader.has_drawn():
            self._stood += now - before
        return self._stood >= self._needed


def clear(reader: Reader, message: Message, before: Baseline) -> bool:
    """Remove a refused text from the box; return whether the box is empty then.

    Each key deletes one line. It goes through the gate, and only while the box holds nothing but
    our text, or its beginning. A placeholder must have the number of our own, which is in
    ``before``.
    """
    keys, profile = reader.recipient.profile.submit.clear, reader.recipient.profile
    until = time.monotonic() + _RESTORED_SECONDS
    seen = False
    for _ in range(2 * message.typed.count("\n") + 4 if keys else 0):
        heard = reader.heard()
        sight = reader.look()
        while not seen and not (seen := _is_ours(sight, message, before, reader)):
            if time.monotonic() >= until:
                return False
            reader.wait(heard, _TRANSCRIPT_POLL_SECONDS)
            heard, sight = reader.heard(), reader.look()
        box = sight.state.box
        if box is not None and box.empty:
            return True
        if box is None or not (
            ours.begins_with(message.typed, box, profile)
            or _is_ours(sight, message, before, reader)
        ):
            return False
        reader.await_drawn()
        Typist(reader.client, reader.pane).press(
            keys, box_stands(sight, profile), unless=reader.keys_wait
        )
        reader.wait(heard, _RESTORED_SECONDS)
    return False


def _is_ours(sight: Sight, message: Message, before: Baseline, reader: Reader) -> bool:
    box = sight.state.box
    return box is not None and ours.is_ours(
        box, message.typed, before, reader.recipient.profile, pasted=False
    )
