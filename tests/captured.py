"""Screens of real programs that were captured with their facts: cursor, title, size in the name."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch_cli.tmux.screen import Screen


def captured(folder: Path, name: str, fact: Mapping[str, Any]) -> Screen:
    """Return the screen ``NAME@WIDTHxHEIGHT.ansi.txt`` of a folder; ``fact`` is what tmux knew."""
    size = re.search(r"@(\d+)x(\d+)$", name)
    assert size is not None
    return Screen.parse(
        (folder / f"{name}.ansi.txt").read_text("utf-8"),
        width=int(size[1]),
        height=int(size[2]),
        cursor=tuple(fact["cursor"]),
        cursor_visible="hidden" not in fact,
        title=fact["title"],
    )
