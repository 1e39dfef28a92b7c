"""The transcripts of Codex: ``$CODEX_HOME/sessions/YYYY/MM/DD/rollout-….jsonl`` (0.169.0)."""

import glob
import os
from collections.abc import Callable
from typing import Any

from torch_cli.programs.transcript import Origin, Turn
from torch_cli.programs.transcript.lines import TranscriptFiles, text_of


def open_transcript(origin: Origin) -> TranscriptFiles:
    """Return the transcripts of every Codex of that home."""
    home = origin.environ.get("CODEX_HOME") or os.path.join(origin.home, ".codex")
    pattern = os.path.join(glob.escape(home), "sessions", "*", "*", "*", "rollout-*.jsonl")
    return TranscriptFiles(origin, lambda: glob.iglob(pattern), Rollout)


class Rollout:
    """A turn begins with a user's message, and ends when its task is complete."""

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._turn: Turn | None = None
        self._id = ""

    def read(self, line: dict[str, Any], at: float) -> None:
        """Read one line."""
        payload = line.get("payload")
        if line.get("type") != "event_msg" or not isinstance(payload, dict):
            return
        turn, item = str(payload.get("turn_id", "")), payload.get("item")
        if payload.get("type") == "task_complete" and self._turn and turn == self._id:
            said, error = payload.get("last_agent_message"), payload.get("error")
            self._turn = Turn(said if isinstance(said, str) else "")
            if isinstance(error, dict):
                self._turn = Turn(failed=str(error.get("message") or "it does not say which"))
        elif not isinstance(item, dict) or item.get("type") != "UserMessage":
            return
        elif self._is_ours(text_of(item.get("content"))):
            self._turn, self._id = Turn(), turn

    def turn(self) -> Turn | None:
        """Return our newest turn."""
        return self._turn
