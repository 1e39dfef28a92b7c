"""The transcripts of Gemini CLI: ``~/.gemini/tmp/PROJECT/chats/session-….jsonl`` (0.61.0)."""

import contextlib
import glob
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from torch_cli.programs.json_lines import object_of
from torch_cli.programs.transcript import Origin, Turn
from torch_cli.programs.transcript.lines import TranscriptFiles, text_of, written_at

LARGEST_HEAD_BYTES = 1 << 16
"""The most bytes of the first line of a chat; it has some 200."""


def open_transcript(origin: Origin) -> TranscriptFiles:
    """Return the transcripts of every Gemini CLI of that home."""
    pattern = _pattern(origin.environ)
    return TranscriptFiles(origin, lambda: glob.iglob(pattern), Chat)


def _pattern(environ: Mapping[str, str], name: str = "*") -> str:
    home = environ.get("GEMINI_CLI_HOME") or environ.get("HOME") or os.path.expanduser("~")
    folder = os.path.join(glob.escape(home), ".gemini", "tmp", "*", "chats")
    return os.path.join(folder, f"session-{name}.jsonl")


def file_with(session: str, environ: Mapping[str, str]) -> str:
    """Return the chat of ``session``, '' if there is none, or nobody has said anything in it.

    Gemini CLI continues no other.
    """
    for path in glob.iglob(_pattern(environ, f"*-{session[:8]}")):
        if _head(path).get("sessionId") == session and any(said_in(path)):
            return path
    return ""


def has_lost_its_head(session: str, environ: Mapping[str, str]) -> bool:
    """Return whether the chat of ``session`` seems to be there without its first line.

    A Gemini CLI deletes at its start each chat of its directory in which nobody has said anything,
    also one that another has open; that writes on, and continues it never more (0.61.0).
    """
    paths = glob.iglob(_pattern(environ, f"*-{session[:8]}"))
    return any(not _head(path).get("sessionId") and any(said_in(path)) for path in paths)


def newest_session(directory: str, environ: Mapping[str, str]) -> str:
    """Return the session of ``directory`` that was written last, '' if there is none."""
    for path in sorted(glob.iglob(_pattern(environ)), key=written_at, reverse=True):
        session = _session(_head(path), directory)
        if session and any(said_in(path)):
            return session
    return ""


def sessions_since(directory: str, environ: Mapping[str, str], since: float) -> list[str]:
    """Return the sessions of ``directory`` that began after ``since`` (epoch seconds)."""
    heads = (_head(path) for path in glob.iglob(_pattern(environ)) if written_at(path) >= since)
    ours = (head for head in heads if _began(head) >= since)
    return [session for head in ours if (session := _session(head, directory))]


def said_in(path: str, session: str = "") -> Iterator[str]:
    """Yield what its user has said in a chat, which has a file of its own."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        for line in file:
            said = object_of(line)
            if said.get("type") == "user" and (text := text_of(said.get("content"))):
                yield text  # a tool's result has none


def used_at(path: str, session: str = "") -> float:
    """Return when (epoch seconds) a chat was written last, 0 if it is gone."""
    return written_at(path)


def _head(path: str) -> dict[str, Any]:
    """Return the first line of a chat, which says whose it is; nothing, if it does not."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return object_of(file.readline(LARGEST_HEAD_BYTES))
    return {}


def _session(head: Mapping[str, Any], directory: str) -> str:
    """Return the id of a chat, '' if it is a sub-agent's, or another directory's."""
    project = hashlib.sha256(os.fsencode(os.path.realpath(directory))).hexdigest()
    ours = head.get("kind", "main") == "main" and head.get("projectHash") == project
    return str(head.get("sessionId", "")) if ours else ""


def _began(head: Mapping[str, Any]) -> float:
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(str(head.get("startTime"))).timestamp()
    return 0.0


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
