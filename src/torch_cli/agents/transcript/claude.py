"""The transcripts of Claude Code: ``projects/PROJECT/SESSION.jsonl`` in its directory (2.1.330)."""

import glob
import os
from collections.abc import Callable
from typing import Any

from torch_cli.agents.setup import config_dir
from torch_cli.agents.transcript import Origin, Turn
from torch_cli.agents.transcript.lines import Lines, text_of


def open_transcript(origin: Origin) -> Lines:
    """Return the transcripts of every Claude Code of that home."""
    home = glob.escape(config_dir(origin.environ))
    pattern = os.path.join(home, "projects", "*", "*.jsonl")
    return Lines(origin, lambda: glob.iglob(pattern), Session)


class Session:
    """A turn begins with a user's message, and ends with an answer that stopped by itself.

    Each block of an answer is a line of its own, with the answer's id. What follows the next
    message is no part of it.
    """

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._begun = False
        self._open = False
        self._id = ""
        self._texts: list[str] = []
        self._ended = False

    def read(self, line: dict[str, Any], at: float) -> None:
        """Take in one line; those of its helpers (side chains) are not part of it."""
        message = line.get("message")
        if not isinstance(message, dict) or line.get("isSidechain") or line.get("isMeta"):
            return
        if line.get("type") == "user":
            text = text_of(message.get("content"))  # what a tool said has none
            self._open = self._is_ours(text) if text else self._open
            if text and self._open:
                self._begun, self._id, self._texts, self._ended = True, "", [], False
        elif line.get("type") == "assistant" and self._open:
            if message.get("id") != self._id:
                self._id, self._texts = str(message.get("id")), []
            text = text_of(message.get("content"))
            self._texts += [text] if text else []
            self._ended = message.get("stop_reason") in ("end_turn", "stop_sequence", "max_tokens")

    def turn(self) -> Turn | None:
        """Return the newest turn of ours."""
        if not self._begun:
            return None
        return Turn("\n\n".join(self._texts) if self._ended else None)
