"""The transcripts of Qwen Code: ``~/.qwen/projects/PROJECT/chats/SESSION.jsonl`` (0.24.4)."""

import glob
import os
from collections.abc import Callable
from typing import Any

from torch_cli.programs.transcript import Origin, Turn
from torch_cli.programs.transcript.lines import TranscriptFiles


def open_transcript(origin: Origin) -> TranscriptFiles:
    """Return the transcripts of every Qwen Code of that home."""
    home = origin.environ.get("QWEN_HOME") or os.path.join(origin.home, ".qwen")
    pattern = os.path.join(glob.escape(home), "projects", "*", "chats", "*.jsonl")
    return TranscriptFiles(origin, lambda: glob.iglob(pattern), Recording)


class Recording:
    """A turn begins with a user's message, and ends with an answer that calls no tool."""

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._turn: Turn | None = None
        self._open = False

    def read(self, line: dict[str, Any], at: float) -> None:
        """Read one line."""
        parts = _parts(line.get("message"))
        text = "".join(str(part["text"]) for part in parts if "text" in part)
        if line.get("type") == "user" and text:
            self._open = self._is_ours(text)
            self._turn = Turn() if self._open else self._turn
        elif line.get("type") == "assistant" and self._open and parts:
            calls = any("functionCall" in part for part in parts)
            self._turn = Turn() if calls else Turn(text)

    def turn(self) -> Turn | None:
        """Return our newest turn."""
        return self._turn


def _parts(message: object) -> list[dict[str, Any]]:
    """Return the parts of a message, without the program's thoughts."""
    parts = message.get("parts") if isinstance(message, dict) else None
    known = parts if isinstance(parts, list) else []
    return [part for part in known if isinstance(part, dict) and not part.get("thought")]
