"""Reading the daemon's log."""

import os
import select
from collections.abc import Iterator

from torch_cli.paths import state_dir

FOLLOW = 0.2
"""Seconds between two looks at a log that is followed."""


def log_file() -> str:
    """Return the path of the log."""
    return os.path.join(state_dir(), "daemon.log")


def last_lines(number: int) -> list[str]:
    """Return the last ``number`` lines, of the file before the present one too if need be."""
    lines: list[str] = []
    for path in (log_file(), f"{log_file()}.1"):
        if len(lines) < number and os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines() + lines
    return lines[len(lines) - min(number, len(lines)) :]


def follow_lines() -> Iterator[str]:
    """Yield what is written from now on, line by line, also when the file is rotated."""
    path, position, rest = log_file(), -1, ""
    identity = None
    while True:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                known = os.fstat(file.fileno())
                if position < 0:
                    position = known.st_size
                elif (known.st_dev, known.st_ino) != identity or known.st_size < position:
                    position = 0
                identity = (known.st_dev, known.st_ino)
                file.seek(position)
                text = rest + file.read()
                position = file.tell()
        except FileNotFoundError:
            text, position = rest, max(position, 0)
        *lines, rest = text.split("\n")
        yield from lines
        if not lines:
            select.select([], [], [], FOLLOW)
