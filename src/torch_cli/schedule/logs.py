"""Reading the daemon's log."""

import contextlib
import os
import select
from collections.abc import Iterator
from typing import IO

from torch_cli.paths import state_dir

FOLLOW_POLL_SECONDS = 0.2
"""Seconds between two looks at a log that is followed."""


def log_file() -> str:
    """Return the path of the log."""
    return os.path.join(state_dir(), "daemon.log")


class Tail:
    """Reads the log: its last lines, and then every line after them."""

    def __init__(self) -> None:
        self._file: IO[str] | None = None
        self._rest = ""

    def last(self, number: int) -> list[str]:
        """Return the last ``number`` lines, if needed also from the file before the present one."""
        lines = self._read()
        if len(lines) < number:
            with contextlib.suppress(FileNotFoundError), _opened(f"{log_file()}.1") as file:
                lines = file.read().splitlines() + lines
        return lines[len(lines) - min(number, len(lines)) :]

    def follow(self) -> Iterator[str]:
        """Yield new lines as they are written, also after the file is rotated."""
        while True:
            lines = self._read()
            yield from lines
            if not lines:
                select.select([], [], [], FOLLOW_POLL_SECONDS)

    def _read(self) -> list[str]:
        """Return the whole lines that were written since the last time."""
        # Check for rotation before reading to the end, because no line comes after a rotation.
        moved = self._file is not None and self._has_moved(self._file)
        if self._file is None:
            with contextlib.suppress(FileNotFoundError):
                self._file = _opened(log_file())
        if self._file is None:
            return []
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        if moved:
            self._file.close()
            self._file = None
            lines += [self._rest] if self._rest else []
            self._rest = ""
            lines += self._read()
        return lines

    @staticmethod
    def _has_moved(file: IO[str]) -> bool:
        ours = os.fstat(file.fileno())
        try:
            there = os.stat(log_file())
        except FileNotFoundError:
            return False  # between two files: the next look finds the new one
        same = (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
        return not same or there.st_size < file.tell()


def _opened(path: str) -> IO[str]:
    return open(path, encoding="utf-8", errors="replace")
