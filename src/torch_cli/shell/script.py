"""What is typed into a shell, and how its output is separated from the rest. Pure.

The command is in a file of its own, so that nothing of it is quoted, typed or wrapped. Torch types
one short line that sources a second file. That file prints an OSC sequence with a secret word
before the command, and another with the exit status after it. Terminals show neither. The output is
between them.
"""

import re
import shlex

POSIX = """\
printf '\\033]7717;{word};start\\033\\\\'
{run}
set -- "$?" "$@"; printf '\\033]7717;{word};end;%s\\033\\\\' "$1"; shift
"""
# The status is the first positional parameter for a moment, so that it needs no variable.

FISH = """\
printf '\\033]7717;{word};start\\033\\\\'
{run}
begin; set -l s $status; printf '\\033]7717;{word};end;%s\\033\\\\' $s; end
"""

# In these shells a syntax error in a sourced file ends the sourcing file too, without "command".
_STRICT = ("dash", "ash", "sh", "ksh")


def wrapper(shell: str, word: str, command_file: str, *, apart: bool) -> str:
    """Return the text of the sourced file. ``apart`` runs the command in a subshell."""
    command_file = shlex.quote(command_file)
    if shell == "fish":
        run = f"fish {command_file}" if apart else f"source {command_file}"
        return FISH.format(word=word, run=run)
    if apart:
        run = f"( . {command_file} )"
    else:
        run = f"command . {command_file}" if shell in _STRICT else f". {command_file}"
    return POSIX.format(word=word, run=run)


def typed_line(shell: str, file: str) -> str:
    """Return the line that is typed. Its leading space keeps it out of most histories."""
    return f" {'source' if shell == 'fish' else '.'} {shlex.quote(file)}"


class Between:
    """Takes the bytes for a terminal, and gives those between the two marks.

    ``started`` says that the first mark was seen. ``status`` is set once the second was seen.
    """

    def __init__(self, word: str) -> None:
        self._start = b"\x1b]7717;%b;start\x1b\\" % word.encode()
        self._opening = b"\x1b]7717;%b;end;" % word.encode()
        self._end = re.compile(rb"\x1b\]7717;%b;end;(\d+)\x1b\\" % word.encode())
        self._rest = b""
        self.started = False
        self.status: int | None = None

    def feed(self, data: bytes) -> bytes:
        """Return the output that is certain by now, with the terminal's CR LF as LF."""
        self._rest += data
        if not self.started:
            before, mark, behind = self._rest.partition(self._start)
            if not mark:
                self._rest = before[-len(self._start) :]
                return b""
            self.started, self._rest = True, behind
        if self.status is not None:
            return b""
        end = self._end.search(self._rest)
        if end:
            self.status = int(end[1])
            return self._rest[: end.start()].replace(b"\r\n", b"\n")
        kept = self._certain()
        out, self._rest = self._rest[:kept], self._rest[kept:]
        return out.replace(b"\r\n", b"\n")

    def _certain(self) -> int:
        """Return how much of the rest is neither part of the second mark nor half a line end."""
        rest, opening = self._rest, self._opening
        at = rest.find(opening)
        if at >= 0:
            return at
        for size in range(min(len(opening) - 1, len(rest)), 0, -1):
            if rest.endswith(opening[:size]):
                return len(rest) - size
        return len(rest) - rest.endswith(b"\r")
