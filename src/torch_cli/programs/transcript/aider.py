"""The transcript of aider: ``.aider.chat.history.md`` at the root of the repository (0.86.2).

It has no times. A person's text is behind ``#### ``, aider's own messages are behind ``> ``, and
between them is the answer as it came, without spaces around it.
"""

import os
from collections.abc import Callable

from torch_cli.programs.transcript import Origin, Turn
from torch_cli.regular import open_regular

HISTORY_NAME = ".aider.chat.history.md"

TAIL_BYTES = 4 * 1024 * 1024
"""The bytes at the end of the file that are read. One turn fits."""

_TYPED = "#### "
_COUNTED = "> Tokens: "


def open_transcript(origin: Origin) -> "AiderHistory":
    """Return the transcript in the program's directory, or the nearest directory above with one."""
    return AiderHistory(origin)


class AiderHistory:
    """Reads the file. A turn has ended when its tokens are counted."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def turns(self, is_ours: Callable[[str], bool]) -> list[Turn]:
        """Return the newest turn that began with one of our messages."""
        path = self._path()
        if path is None or os.path.getmtime(path) < self._origin.since - 1.0:
            return []
        lines = _end_of(path).split("\n")
        blocks = _typed(lines)
        for first, last in reversed(blocks):
            if is_ours("\n".join(line[len(_TYPED) :].rstrip(" ") for line in lines[first:last])):
                later = (block[0] for block in blocks if block[0] > first)
                end = next((at for at in later if _is_message(lines, at, last)), len(lines))
                return [_turn(lines[last:end])]
        return []

    def _path(self) -> str | None:
        directory = self._origin.directory
        while not os.path.exists(os.path.join(directory, HISTORY_NAME)):
            above = os.path.dirname(directory)
            if above == directory or os.path.exists(os.path.join(directory, ".git")):
                return None
            directory = above
        return os.path.join(directory, HISTORY_NAME)


def _end_of(path: str) -> str:
    with open_regular(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
        return file.read().decode("utf-8", "replace")


def _typed(lines: list[str]) -> list[tuple[int, int]]:
    """Return where each run of typed lines begins, and the index behind its end."""
    found: list[tuple[int, int]] = []
    for number, line in enumerate(lines):
        if not line.startswith(_TYPED.rstrip()):
            continue
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found


def _is_message(lines: list[str], at: int, begun: int) -> bool:
    """Return whether the line ``at`` begins a message, and is not a heading in the answer.

    The answer begins at ``begun``. A message has a blank line before it, and before that a message
    of aider, or there was no answer.
    """
    before = at - 1
    if lines[before].strip():
        return False
    while before >= begun and not lines[before].strip():
        before -= 1
    return before < begun or lines[before].startswith(">")


def _turn(lines: list[str]) -> Turn:
    """Return the turn whose answer is in ``lines``, up to the last count of tokens."""
    counted = [n for n, line in enumerate(lines) if line.startswith(_COUNTED)]
    return Turn("\n".join(lines[: counted[-1]]).strip() if counted else None)
