"""Whose answer the program took: what its own record says of what it had asked about.

A key that was pressed while a dialog stood may come just after somebody else's. The screen does not
tell the two apart: the dialog goes either way.
"""

import os
import re
import time
from collections.abc import Sequence
from enum import StrEnum

from torch_cli import procs
from torch_cli.procs import Process
from torch_cli.programs.asked import Asked, Option
from torch_cli.programs.conversation import conversation_of, transcript_of
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import Dialog
from torch_cli.programs.transcript.calls import CALL_KINDS, Call, calls_in

DECIDED_KINDS = ("permission", "plan")
"""Kinds of dialogs that allow or decline what the model wants."""

TOLD_BY_WORDS_KIND = "question"
"""The kind of dialogs whose answer is told to the model in the words of the option."""

_LEAST_LETTERS = 3
"""So many letters and digits of an argument must stand in a dialog for it to be about that call."""


HEARD_SECONDS = 1.0
"""Seconds after the end of a dialog in which the program must have recorded what was chosen. Claude
Code and Codex take some 50 ms to decline; what is allowed is recorded when it has ended."""

DECLINED_HEARD_SECONDS = 5.0
"""The same for a choice that allows nothing. That is recorded at once: if it is not, somebody
else's yes was taken, and what that allowed took 0.3 to 3 s on an overloaded machine."""

_HEARD_POLL_SECONDS = 0.05

_TOLD = re.compile(r'"([^"]*)"="([^"]*)"')


class AnswerOutcome(StrEnum):
    """What is known of an answer that was pressed.

    ``ANSWERED``: the program's record has this choice, and fits no other option. ``PRESSED``: the
    key was pressed while the dialog stood, and the dialog has gone; nothing says whose key it took.
    ``OVERTAKEN``: the record has another choice, so somebody else's came first. ``UNKNOWN``: the
    dialog still shows, or the program does not say whether it took a reply without a key.
    """

    ANSWERED = "answered"
    PRESSED = "pressed"
    OVERTAKEN = "overtaken"
    UNKNOWN = "unknown"


class Witness:
    """Looks for the call that a dialog is about, before the key, and for its result after it."""

    def __init__(self, profile: Profile, program: Process | None, dialog: Dialog) -> None:
        self._kind, self._declines = profile.answer.transcript, profile.answer.declines
        self._dialog, self._path, self._call = dialog.kind, "", ""
        self._version: tuple[int, int] = (-1, -1)
        self._known: dict[str, Call] = {}
        by_words = dialog.kind == TOLD_BY_WORDS_KIND
        decided = dialog.kind in DECIDED_KINDS and self._declines is not None
        if program is None or self._kind not in CALL_KINDS or not (by_words or decided):
            return
        environ = procs.environment(program.pid) or {}
        conversation = conversation_of(self._kind, program)
        self._path = transcript_of(self._kind, conversation, environ) if conversation else ""
        open_calls = {name: one for name, one in self._calls().items() if one.result is None}
        meant = [name for name, one in open_calls.items() if is_shown(one.given, dialog)]
        self._call = meant[0] if len(meant) == 1 else ""

    def wait(self, asked: Asked, option: Option, text: str | None) -> AnswerOutcome:
        """As ``look``, for as long as the record may take; ``PRESSED`` if it says nothing then."""
        seconds = DECLINED_HEARD_SECONDS if self._is_no(option) else HEARD_SECONDS
        deadline = time.monotonic() + seconds
        while self.knows and self._result() is None and time.monotonic() < deadline:
            time.sleep(_HEARD_POLL_SECONDS)
        return self.look(asked, option, text)

    @property
    def knows(self) -> bool:
        """Whether there is a record that may say what was chosen."""
        return bool(self._call)

    def look(self, asked: Asked, option: Option, text: str | None) -> AnswerOutcome:
        """Return what the record says of the choice of ``option``, with a ``text`` of one's own."""
        call = self._result()
        if call is None:
            return AnswerOutcome.PRESSED
        if self._dialog == TOLD_BY_WORDS_KIND:
            return _by_words(call, asked, option, text)
        if call.declined is None:
            return AnswerOutcome.PRESSED
        if call.declined is not self._is_no(option):
            return AnswerOutcome.OVERTAKEN
        alike = [one for one in asked.options if self._is_no(one) is call.declined]
        # Which of two that allow it was chosen, for now or for good, is not recorded.
        return AnswerOutcome.ANSWERED if len(alike) == 1 else AnswerOutcome.PRESSED

    def _is_no(self, option: Option) -> bool:
        """Return whether the option declines; no option does where the profile names none."""
        return self._declines is not None and self._declines.search(option.words) is not None

    def _result(self) -> Call | None:
        """Return the call with its result, ``None`` as long as it has none."""
        call = self._calls().get(self._call)
        return None if call is None or call.result is None else call

    def _calls(self) -> dict[str, Call]:
        if not self._path:
            return {}
        try:
            status = os.stat(self._path)
            version = (status.st_mtime_ns, status.st_size)
            if version != self._version:
                self._known, self._version = calls_in(self._kind, self._path), version
        except OSError:
            return {}
        return self._known


def _by_words(call: Call, asked: Asked, option: Option, text: str | None) -> AnswerOutcome:
    """Return what the answer that the model was told, in words, says of this choice."""
    if call.declined:
        return AnswerOutcome.OVERTAKEN
    others = [_unspaced(one.words) for one in asked.options if one.key != option.key]
    said = _unspaced(option.words if text is None else text)
    told = _told(call.result or "", asked.question)
    sure = bool(said) and said == told and said not in others
    return AnswerOutcome.ANSWERED if sure else AnswerOutcome.PRESSED


def _told(result: str, question: str) -> str:
    """Return the answer to ``question`` in what the model was told, '' if that is not certain.

    Claude Code writes ``"QUESTION"="ANSWER"`` for each question (2.1.330). White space is left out.
    """
    meant = _letters(question)
    pairs = _TOLD.findall(result) if meant else ()
    answers = [answer for asks, answer in pairs if meant in _letters(asks)]
    return _unspaced(answers[0]) if len(answers) == 1 else ""


def _unspaced(text: str) -> str:
    return re.sub(r"\s+", "", text)


def is_shown(given: Sequence[str], dialog: Dialog) -> bool:
    """Return whether ``dialog`` shows one of the texts that a tool is ``given``."""
    shown = _letters("\n".join(dialog.rows))
    letters = (_letters(one) for one in given)
    return any(len(one) >= _LEAST_LETTERS and one in shown for one in letters)


def _letters(text: str) -> str:
    """Return the letters and digits of a text: frames and line breaks differ."""
    return re.sub(r"[\W_]+", "", text)
