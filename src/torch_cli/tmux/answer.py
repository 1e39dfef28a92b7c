"""What tmux answered to one command, in the rows that libtmux reads.

libtmux splits an answer at its line ends, and reads the values of options as a shell would. tmux
escapes them in its own way, and a directory, a name or a variable may contain a newline.
"""

import re
import shlex

from libtmux.common import tmux_cmd
from libtmux.formats import FORMAT_SEPARATOR

_OPTIONS = ("show-options", "show", "show-window-options", "showw")
_VARIABLES = ("show-environment", "showenv")

_ONE_WORD = re.compile(r"""(\S+) ("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'\\]*\\[^\s"']*)""")
"""An option and its value where ``args_escape()`` (arguments.c) has made one word of it."""

_ESCAPED = re.compile(rb"\\([0-7]{3}|.)")
_CONTROLS = dict(zip(b"nrtabvfs", b"\n\r\t\a\b\v\f ", strict=True))
"""What a letter behind a backslash stands for: ``vis()`` in compat/vis.c, with ``VIS_CSTYLE``."""


class TmuxAnswer(tmux_cmd):
    """What tmux answered to one command, in the form that libtmux reads."""

    def __init__(self, words: list[str], status: int, printed: str, error: str) -> None:
        # libtmux's own constructor would run a process.
        self.cmd = words
        self.returncode = status
        self.stdout = _rows(words, printed)
        self.stderr = [line for line in error.split("\n") if line]
        if "has-session" in words and self.stderr and not self.stdout:
            self.stdout = self.stderr[:1]  # libtmux looks for it there


def _rows(words: list[str], printed: str) -> list[str]:
    """Return the lines of ``printed``, or its rows if it is known how they end.

    A directory or a name may contain a newline. A row of a format of libtmux then has two lines.
    So may the only row, if the command asks for one variable.
    """
    shown = [word.removeprefix("-F") for word in words if FORMAT_SEPARATOR in word]
    if shown:
        return _formatted(shown[-1].count(FORMAT_SEPARATOR), printed)
    if words[0] in _VARIABLES and _is_one(words[1:]):
        return [printed.removesuffix("\n")] if printed else []
    lines = printed.split("\n")
    while lines and not lines[-1]:
        lines.pop()
    if words[0] in _OPTIONS and not any(word.startswith("-") and "v" in word for word in words):
        return [_option(line) for line in lines]
    return lines


def _is_one(words: list[str]) -> bool:
    """Say whether the words behind ``show-environment`` name a variable."""
    return bool(words) and not words[-1].startswith("-") and words[-2:-1] != ["-t"]


def _formatted(count: int, printed: str) -> list[str]:
    """Return the rows of ``count`` fields each."""
    fields = printed.split(FORMAT_SEPARATOR)
    rows = [fields[start : start + count] for start in range(0, len(fields) - 1, count)]
    whole = (FORMAT_SEPARATOR.join(row) + FORMAT_SEPARATOR for row in rows)
    return [row.removeprefix("\n") for row in whole]


def _option(line: str) -> str:
    r"""Return ``NAME VALUE`` with the value quoted as ``shlex``, and so libtmux, reads it.

    tmux writes ``"exec \$SHELL"``, and ``shlex`` would keep the backslash. libtmux cannot read a
    newline in a value: such a value stays as tmux wrote it.
    """
    found = _ONE_WORD.fullmatch(line)
    if not found:
        return line
    name, value = found.groups()
    plain = value[1:-1] if value[0] in "\"'" else value
    meant = _ESCAPED.sub(_meant, plain.encode("utf-8", "surrogateescape"))
    text = meant.decode("utf-8", "surrogateescape")
    return line if "\n" in text else f"{name} {shlex.quote(text)}"


def _meant(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([int(code, 8) & 0xFF if len(code) == 3 else _CONTROLS.get(code[0], code[0])])
