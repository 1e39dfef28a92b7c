"""The transcripts of Gemini CLI: ``~/.gemini/tmp/PROJECT/chats/session-….jsonl`` (0.61.0)."""

import glob
import os
from collections.abc import Callable
from typing import Any

from torch_cli.programs.transcript import Origin, Turn
from torch_cli.programs.transcript.lines import TranscriptFiles, text_of


def open_transcript(origin: Origin) -> TranscriptFiles:
    """Return the transcripts of every Gemini CLI of that home."""
    home = os.path.join(origin.environ.get("GEMINI_CLI_HOME") or origin.home, ".gemini")
    pattern = os.path.join(glob.escape(home), "tmp", "*", "chats", "session-*.jsonl")
    return TranscriptFiles(origin, lambda: glob.iglob(pattern), Chat)


class Chat:
    """A turn begins with a user's message, and ends with a part that calls no tool.

    A part is written again, under the same id, with the results of its tools. Lines after the next
    message do not belong to it.
    """

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._begun = False
        self._open = False
        self._parts: dict[str, dict[str, Any]] = {}

    def read(self, line: dict[str, Any], at: float) -> None:
        """Read one line."""
        kind = line.get("type")
        if kind == "user":
            text = text_of(line.get("content"))  # a tool's result has none
            self._open = self._is_ours(text) if text else self._open
            if text and self._open:
                self._begun, self._parts = True, {}
        elif kind == "gemini" and self._open:
            self._parts[str(line.get("id", ""))] = line

    def turn(self) -> Turn | None:
        """Return our newest turn."""
        if not self._begun:
            return None
        last = next(reversed(self._parts.values()), None)
        if last is None or last.get("toolCalls"):
            return Turn()
        return Turn(text_of(last.get("content")))
