"""The transcripts of Claude Code: ``projects/PROJECT/SESSION.jsonl`` in its directory (2.1.330)."""

import glob
import os
from collections.abc import Callable, Iterator
from typing import Any

from torch_cli import procs
from torch_cli.programs.record import claude_session
from torch_cli.programs.setup import config_dir
from torch_cli.programs.transcript import Origin, Turn
from torch_cli.programs.transcript.lines import (
    RESCAN_SECONDS,
    Conversation,
    TranscriptFiles,
    text_of,
)

KNOWN_FILE_SECONDS = 0.05
"""Seconds between looks for the file of a known session. Such a look costs little."""

_REFUSED = "UserPromptSubmit operation blocked by hook:"
_PROMPT = "\n\nOriginal prompt: "
"""How it records that a hook refused a message: the hook's text between these, then the message."""

_STOPPED = "Operation stopped by hook: "
"""How it records that a hook ended a turn before it began: this, and the hook's text."""


def open_transcript(
    origin: Origin, read_by: Callable[[Callable[[str], bool]], Conversation] | None = None
) -> TranscriptFiles:
    """Return the program's transcript, or those of every Claude Code of that home.

    ``read_by`` makes what reads one, a ``Session`` unless it is given.
    """
    home = glob.escape(config_dir(origin.environ))
    session = glob.escape(_session(origin.pid))
    pattern = os.path.join(home, "projects", "*", f"{session or '*'}.jsonl")
    rescan = KNOWN_FILE_SECONDS if session else RESCAN_SECONDS
    return TranscriptFiles(
        origin, lambda: glob.iglob(pattern), read_by or Session, rescan, expected=bool(session)
    )


def _session(pid: int) -> str:
    """Return the name of the session that a process runs, '' if it does not say."""
    process = procs.identify(pid) if pid else None
    try:
        name = claude_session(process).get("sessionId") if process is not None else None
    except (OSError, ValueError):
        name = None
    return name if isinstance(name, str) and name == os.path.basename(name) else ""


class Session:
    """A turn begins with a user's message, and ends with an answer that stopped by itself.

    Each block of an answer is a line of its own, with the answer's id. Lines after the next message
    do not belong to it. A message that waits for its turn is recorded when it is queued. If a hook
    then refuses it, it is not.
    """

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._begun = False
        self._open = False
        self._id = ""
        self._texts: list[str] = []
        self._ended = self._failed = False
        self._refused: str | None = None
        self._stopped: str | None = None
        self._queued = False

    def read(self, line: dict[str, Any], at: float) -> None:
        """Read one line. Lines of sub-agents (side chains) are ignored."""
        message = line.get("message")
        if line.get("type") == "system" and line.get("subtype") == "informational":
            self._read_notice(str(line.get("content")))
        if line.get("type") == "queue-operation" and line.get("operation") == "enqueue":
            self._queued |= self._is_ours(str(line.get("content")))
        if not isinstance(message, dict) or line.get("isSidechain") or line.get("isMeta"):
            return
        if line.get("type") == "user":
            text = text_of(message.get("content"))  # a tool's result has none
            self._open = self._is_ours(text) if text else self._open
            if text and self._open:
                self._begun, self._id, self._texts, self._ended = True, "", [], False
                self._refused = self._stopped = None
                self._failed = False
        elif line.get("type") == "assistant" and self._open:
            if message.get("id") != self._id:
                self._id, self._texts = str(message.get("id")), []
            text = text_of(message.get("content"))
            self._texts += [text] if text else []
            self._ended = message.get("stop_reason") in ("end_turn", "stop_sequence", "max_tokens")
            self._failed = line.get("isApiErrorMessage") is True  # in place of an answer

    def _read_notice(self, notice: str) -> None:
        """Read that a hook refused one of our messages. Each text may contain the other's mark.

        A hook that only stopped the turn names no message. Its text is kept for the next message.
        """
        if notice.startswith(_STOPPED) and self._open:
            self._stopped = " ".join(notice.removeprefix(_STOPPED).split())
        if not notice.startswith(_REFUSED):
            return
        parts = notice.removeprefix(_REFUSED).split(_PROMPT)
        for at in range(1, len(parts)):
            if self._is_ours(_PROMPT.join(parts[at:])):
                self._begun = True
                self._refused = " ".join(_PROMPT.join(parts[:at]).split())

    def turn(self) -> Turn | None:
        """Return our newest turn."""
        if self._refused is not None:
            return Turn(refused=self._refused)
        if not self._begun:
            return Turn() if self._queued else None
        said = "\n\n".join(self._texts)
        if self._failed:
            return Turn(failed=said)
        return Turn(said if self._ended else None, stopped=self._stopped)


class Anything:
    """Any message of anybody's, sent or waiting or refused, and ``text`` in what a tool was told.

    A person's answer to a question is a tool's result.
    """

    def __init__(self, text: str) -> None:
        self._text = "".join(text.split())
        self._session = Session(lambda _: True)
        self._told = False

    def read(self, line: dict[str, Any], at: float) -> None:
        """Read one line."""
        self._session.read(line, at)
        if line.get("type") == "user":
            self._told |= any(self._text in "".join(one.split()) for one in _strings(line))

    def turn(self) -> Turn | None:
        """Return an empty turn if there was anything."""
        return Turn() if self._told else self._session.turn()


def _strings(value: object) -> Iterator[str]:
    """Give all texts in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)
