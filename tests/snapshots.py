"""Snapshots: what tables looked like when a person last looked at them, in files beside the tests.

``TORCH_SNAPSHOTS=write`` writes them anew. Then look at what has changed, with ``git diff``.
"""

import difflib
import os
import re
import unicodedata
from pathlib import Path

import pytest

PLACE = Path(__file__).parent / "tables"

WIDTHS = (60, 80, 120, 200)
"""The columns of the terminals that tables are printed on."""

_WRITES = os.environ.get("TORCH_SNAPSHOTS") == "write"

_ATTRIBUTE = re.compile("\x1b\\[[0-9;]*m")


def bare(text: str) -> str:
    """Return ``text`` without attributes of a terminal."""
    return _ATTRIBUTE.sub("", text)


def width_of(line: str) -> int:
    """Return how many columns a line takes at most; this is not Torch's own count."""
    size = 0
    for char in bare(line):
        wide = unicodedata.east_asian_width(char) in ("W", "F")
        joins = unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me")
        size += 0 if joins else 2 if wide else 1
    return size


def check(name: str, shown: dict[str, str]) -> None:
    """Compare what was ``shown``, by what it was shown on, with the snapshot ``name``.

    Escape characters are written as ␛.
    """
    parts = [f"=== {title}\n{text}" for title, text in shown.items()]
    text = "\n".join(parts).replace("\x1b", "␛")
    path = PLACE / f"{name}.txt"
    if _WRITES:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    seen = path.read_text(encoding="utf-8")
    if seen != text:
        lines = difflib.unified_diff(seen.split("\n"), text.split("\n"), "seen last", "now", n=1)
        changes = "\n".join(lines)
        pytest.fail(f"{path}: TORCH_SNAPSHOTS=write accepts it\n{changes}", pytrace=False)
