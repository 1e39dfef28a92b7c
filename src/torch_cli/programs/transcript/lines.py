"""Transcripts of one JSON object a line, which the program appends to."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Protocol

from torch_cli.programs.transcript import Origin, Turn
from torch_cli.regular import open_regular

TAIL_BYTES = 4 * 1024 * 1024
"""The bytes at the end of a file that are read first. One turn with results of tools fits."""

RESCAN_SECONDS = 0.5
"""Seconds between looks for further files."""


class Conversation(Protocol):
    """Understands the lines of one file, in their order."""

    def read(self, line: dict[str, Any], at: float) -> None:
        """Read one line that was written at ``at`` (epoch seconds, 0 if it does not say)."""

    def turn(self) -> Turn | None:
        """Return the newest turn that began with one of our messages."""


class TranscriptFiles:
    """All the files that may be the program's transcript."""

    def __init__(
        self,
        origin: Origin,
        paths: Callable[[], Iterable[str]],
        conversation: Callable[[Callable[[str], bool]], Conversation],
        rescan: float = RESCAN_SECONDS,
        *,
        expected: bool = False,
    ) -> None:
        self._rescan, self._expected = rescan, expected
        self._origin, self._paths, self._conversation = origin, paths, conversation
        self._files: dict[str, _File] = {}
        self._scanned = -rescan

    @property
    def named(self) -> bool:
        """Whether the program has said which file its transcript is."""
        return self._expected

    @property
    def whole(self) -> bool:
        """Whether all that was written since the beginning of the search has been read."""
        return all(file.whole for file in self._files.values())

    @property
    def exists(self) -> bool:
        """Whether there is such a file, or the program has announced one."""
        return self._expected or any(True for _ in self._paths())

    def turns(self, is_ours: Callable[[str], bool]) -> list[Turn]:
        """Return the newest turn of each file that began with one of our messages."""
        import time

        now = time.monotonic()
        if now - self._scanned >= self._rescan:
            self._scanned = now
            for path in self._paths():
                if path not in self._files and _written_since(path, self._origin.since):
                    conversation = self._conversation(is_ours)
                    self._files[path] = _File(path, conversation, self._origin.since)
        found = (file.turn() for file in self._files.values())
        return [turn for turn in found if turn is not None]


class _File:
    def __init__(self, path: str, conversation: Conversation, since: float) -> None:
        self.path, self.conversation, self.since = path, conversation, since
        self.offset = max(0, os.path.getsize(path) - TAIL_BYTES)
        self.whole = self.offset == 0
        """Whether no line since then is in front of what is read."""

    def turn(self) -> Turn | None:
        for line in self._lines():
            try:
                value = json.loads(line)
            except ValueError:
                continue  # the first one may have been cut
            if isinstance(value, dict):
                at = _epoch(value.get("timestamp"))
                self.whole |= 0 < at < self.since
                if not at or at >= self.since:
                    self.conversation.read(value, at)
        return self.conversation.turn()

    def _lines(self) -> Iterator[bytes]:
        """Yield the whole lines that were written since the last time."""
        with open_regular(self.path) as file:
            file.seek(self.offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self.offset += len(line)
                yield line


def _written_since(path: str, since: float) -> bool:
    try:
        return os.stat(path).st_mtime >= since - 1.0  # a file system may count whole seconds
    except OSError:
        return False


def _epoch(stamp: object) -> float:
    """Return the epoch seconds of an ISO 8601 time, 0 for anything else."""
    try:
        return datetime.fromisoformat(str(stamp)).timestamp() if stamp else 0.0
    except ValueError:
        return 0.0


def written_at(path: str) -> float:
    """Return when a file was last written, in epoch seconds, 0 if it is gone."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def text_of(content: object, kinds: tuple[str, ...] = ("text", "")) -> str:
    """Return the text of a message's content, which is a text, or parts with some text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part for part in content if isinstance(part, dict))
    return "".join(str(part.get("text", "")) for part in parts if part.get("type", "") in kinds)
