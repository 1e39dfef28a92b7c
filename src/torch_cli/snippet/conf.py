"""Torch's one line in the user's ``tmux.conf``, and the file that it sources.

All else in that file stays byte for byte. It is written whole or not at all (``changes``).
"""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch_cli import paths
from torch_cli.errors import RefusedError
from torch_cli.programs.changes import FileChange, apply, is_ours, recall
from torch_cli.regular import read_regular
from torch_cli.snippet.text import snippet
from torch_cli.tmux import quote

MARK = b"# torch shell tmux"
"""The end of Torch's line. A line with this end is Torch's."""

JOINED = MARK + b", on a line of its own"
"""The same where the file had no newline at its end, so that Torch wrote one before its line."""

LARGEST_CONF_BYTES = 4 << 20
"""Bytes of a ``tmux.conf`` that is read at most."""


class Installed(NamedTuple):
    """Where Torch's line is, or would be: the user's ``file``, and the ``snippet`` it sources.

    ``line`` is that line as it is in the file, '' if it is not there.
    """

    file: str
    snippet: str
    line: str


def snippet_file() -> str:
    """Return the path of the file that the line sources."""
    return os.path.join(paths.state_dir(), "snippet.tmux.conf")


def candidates(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the user's configuration files that tmux 3.2 and later reads, in its order.

    It reads all of them that are there (``TMUX_CONF`` in its Makefile.am; tried with 3.3a), so what
    must follow the user's settings belongs into the last.
    """
    home = os.path.expanduser("~")
    chosen = environ.get("XDG_CONFIG_HOME", "")
    places = [os.path.join(home, ".tmux.conf")]
    places += [os.path.join(chosen, "tmux", "tmux.conf")] if chosen else []
    places.append(os.path.join(home, ".config", "tmux", "tmux.conf"))
    return list(dict.fromkeys(places))


def installed() -> Installed:
    """Say whether Torch's line is in one of the user's files, and in which."""
    there = [path for path in candidates() if os.path.lexists(path)]
    for path in there:
        for line in _read(path).splitlines():
            if _is_ours(line):
                return Installed(path, snippet_file(), line.decode("utf-8", "replace").strip())
    return Installed((there or candidates())[-1 if there else 0], snippet_file(), "")


def plan(torch: Sequence[str]) -> list[FileChange]:
    """Return the changes that install the snippet and the line, the unneeded ones too.

    ``torch`` are the words by which tmux can start this Torch. Without a configuration file,
    ``~/.tmux.conf`` is made. Raises ``RefusedError`` for a file that cannot be read, is not a file,
    or ends inside a line that continues.
    """
    file, source, _ = installed()
    before = _read(file) if os.path.lexists(file) else None
    after, original = _with_line(before or b"", source, file), before
    memory = recall(file)
    if memory is not None and is_ours(before, memory):
        original = memory.original
    elif before is not None:
        original = _without_line(before)
    text = _read(source) if os.path.lexists(source) else None
    return [
        FileChange(source, text, snippet(torch).encode("utf-8", "surrogateescape")),
        FileChange(file, before, after, original),
    ]


def plan_removal() -> list[FileChange]:
    """Return the changes that take back what ``plan`` has installed.

    A file that Torch made is deleted if nothing else is in it.
    """
    file, source, line = installed()
    text = _read(source) if os.path.lexists(source) else None
    changes = [FileChange(source, text, None, forget=True)]
    if line:
        before, memory = _read(file), recall(file)
        made = memory is not None and memory.original is None and is_ours(before, memory)
        after = None if made else _without_line(before)
        changes.insert(0, FileChange(file, before, after, forget=True))
    return changes


def carry_out(changes: list[FileChange]) -> None:
    """Make all ``changes`` or none, as ``changes.apply`` does."""
    paths.make_private(paths.state_dir())
    apply(changes)


def _with_line(before: bytes, source: str, path: str) -> bytes:
    """Return the file's content with our line behind all others, or where it was."""
    call = b"source-file -q " + quote.word(source) + b" "
    lines = before.split(b"\n")
    for number, text in enumerate(lines):
        if _is_ours(text):
            lines[number] = call + (JOINED if text.rstrip().endswith(JOINED) else MARK)
            return b"\n".join(lines)
    end = before.rstrip(b"\n")
    slashes = len(end) - len(end.rstrip(b"\\"))
    if slashes % 2 and len(before) - len(end) <= 1:
        raise RefusedError(
            f"{path} ends with a backslash, so that the next line would be a part of its last "
            "line; nothing was changed",
            hint="Add an empty line at its end, then try again.",
            code="unfinished",
        )
    if before and not before.endswith(b"\n"):
        return before + b"\n" + call + JOINED + b"\n"
    return before + call + MARK + b"\n"


def _without_line(before: bytes) -> bytes:
    """Return the file's content without our line, and without a newline that only it needed."""
    lines = before.split(b"\n")
    at = next((number for number, text in enumerate(lines) if _is_ours(text)), None)
    if at is None:
        return before
    joined = lines[at].rstrip().endswith(JOINED)
    del lines[at]
    if joined and lines[at:] == [b""]:
        lines.pop()
    return b"\n".join(lines)


def _is_ours(line: bytes) -> bool:
    return line.startswith(b"source-file ") and line.rstrip().endswith((MARK, JOINED))


def _read(path: str) -> bytes:
    try:
        return read_regular(path, LARGEST_CONF_BYTES)
    except OSError as error:
        raise RefusedError(
            f"{path} cannot be read ({error.strerror}); nothing was changed",
            hint="It must be a file that you can read, or not be there.",
            code="unreadable",
        ) from error
