"""The transcripts of pi: ``~/.pi/agent/sessions/--DIRECTORY--/TIME_ID.jsonl`` (1.6.0).

The file of a new conversation is written with its first answer.
"""

import glob
import os
from collections.abc import Callable
from typing import Any

from torch_cli.programs.transcript import Origin, Turn
from torch_cli.programs.transcript.lines import TranscriptFiles, text_of


def open_transcript(origin: Origin) -> TranscriptFiles:
    """Return the transcripts of every pi of that home."""
    home = origin.environ.get("PI_CODING_AGENT_DIR") or os.path.join(origin.home, ".pi", "agent")
    place = glob.escape(os.path.join(home, "sessions"))
    own = origin.environ.get("PI_CODING_AGENT_SESSION_DIR")
    patterns = [os.path.join(place, "*", "*.jsonl")]
    patterns += [os.path.join(glob.escape(own), "*.jsonl")] if own else []
    return TranscriptFiles(
        origin, lambda: (path for one in patterns for path in glob.iglob(one)), Entries
    )


class Entries:
    """A turn begins with a user's message, and ends with an answer that calls no tool."""

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._turn: Turn | None = None
        self._open = False

    def read(self, line: dict[str, Any], at: float) -> None:
        """Read one line."""
        message = line.get("message")
        if line.get("type") != "message" or not isinstance(message, dict):
            return
        text = text_of(message.get("content"), ("text",))
        if message.get("role") == "user" and text:
            self._open = self._is_ours(text)
            self._turn = Turn() if self._open else self._turn
        elif message.get("role") == "assistant" and self._open:
            ended = message.get("stopReason")
            if ended in ("stop", "length"):
                self._turn = Turn(text)

    def turn(self) -> Turn | None:
        """Return our newest turn."""
        return self._turn
