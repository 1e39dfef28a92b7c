"""The transcripts of Qwen Code: ``~/.qwen/projects/PROJECT/chats/SESSION.jsonl`` (0.24.4)."""

import contextlib
import glob
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch_cli.programs.json_lines import object_of
from torch_cli.programs.transcript import Origin, Turn
from torch_cli.programs.transcript.gemini import used_at
from torch_cli.programs.transcript.lines import TranscriptFiles, written_at

__all__ = ["file_with", "newest_session", "open_transcript", "said_in", "used_at"]


def open_transcript(origin: Origin) -> TranscriptFiles:
    """Return the transcripts of every Qwen Code of that home."""
    pattern = _pattern(origin.environ)
    return TranscriptFiles(origin, lambda: glob.iglob(pattern), Recording)


def _pattern(environ: Mapping[str, str], session: str = "*") -> str:
    own = environ.get("HOME") or os.path.expanduser("~")
    home = environ.get("QWEN_HOME") or os.path.join(own, ".qwen")
    return os.path.join(glob.escape(home), "projects", "*", "chats", f"{session}.jsonl")


def file_with(session: str, environ: Mapping[str, str]) -> str:
    """Return the chat of ``session``, '' if there is none, or nobody has said anything in it.

    Qwen Code continues no other.
    """
    found = (path for path in glob.iglob(_pattern(environ, session)) if any(said_in(path)))
    return next(found, "")


def newest_session(directory: str, environ: Mapping[str, str]) -> str:
    """Return the session of ``directory`` that was written last, '' if there is none."""
    where = os.path.realpath(directory)
    for path in sorted(glob.iglob(_pattern(environ)), key=written_at, reverse=True):
        first = next(_users(path), None)
        if first is not None and os.path.realpath(str(first.get("cwd"))) == where:
            return os.path.basename(path).removesuffix(".jsonl")
    return ""


def said_in(path: str, session: str = "") -> Iterator[str]:
    """Yield what its user has said in a chat, which has a file of its own."""
    return (_text(_parts(line.get("message"))) for line in _users(path))


def _users(path: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of a chat that are messages of its user."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        for line in file:
            said = object_of(line)
            if said.get("type") == "user" and _text(_parts(said.get("message"))):
                yield said


class Recording:
    """A turn begins with a user's message, and ends with an answer that calls no tool."""

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._turn: Turn | None = None
        self._open = False

    def read(self, line: dict[str, Any], at: float) -> None:
        """Read one line."""
        parts = _parts(line.get("message"))
        text = _text(parts)
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


def _text(parts: list[dict[str, Any]]) -> str:
    return "".join(str(part["text"]) for part in parts if "text" in part)
