"""The last lines of a file in which a program appends one JSON object a line."""

import json
import os
from collections.abc import Iterator
from typing import Any

TAILS = (1 << 16, 1 << 22)
"""Bytes at the end of a file that are searched: few first, and more only if they say nothing."""


def lines_back(path: str, tails: tuple[int, ...]) -> Iterator[bytes]:
    """Yield the last lines of a file, the last one first; for each of ``tails`` from the end again.

    A larger number of bytes is read only if the file has more, and somebody asks for more lines.
    The first line may be cut, the last one may be being written. Raises ``OSError``.
    """
    size = os.path.getsize(path)
    for tail in tails:
        with open(path, "rb") as file:
            file.seek(max(0, size - tail))
            lines = file.read(tail).split(b"\n")
        yield from reversed(lines)
        if size <= tail:
            return


def object_of(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line, an empty one if the line is not an object or was cut."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
