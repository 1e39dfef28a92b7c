"""Asking a person at a terminal: for a yes, or for a line."""

import select
import sys
from typing import TextIO

_HEEDED_SECONDS = 0.2
"""Seconds within which a signal is heeded while a person has typed nothing."""

ANSWER_COLUMNS = 4
"""Columns that are free behind a question, for the answer."""


def confirmed(sure: str, *, err: bool = False) -> bool:
    """Ask whether a person is ``sure``, with ``err`` on stderr; only a yes counts.

    After anything that is neither a yes nor a no it says so, and asks again. On stderr the end of
    the input is an interrupt, as Ctrl-C is.
    """
    from torch_cli.cli.present import say

    while True:
        line = typed(f"{sure} [y/N]: ", sys.stderr if err else None)
        if line is None and err:
            raise KeyboardInterrupt
        said = (line or "").casefold()
        if said in ("", "n", "no", "y", "yes"):
            return said in ("y", "yes")
        say("  the answer is y or n", err=err)


def typed(prompt: str, stream: TextIO | None = None) -> str | None:
    """Return the line that a person types behind ``prompt``, ``None`` at the end of the input.

    A prompt that does not fit the terminal is folded between words.
    """
    stream = stream or sys.stdout
    stream.write(_fitted(prompt, stream))
    stream.flush()
    # A Ctrl-C that comes just before a read is heeded after it: so only what is there is read.
    while not select.select([sys.stdin], [], [], _HEEDED_SECONDS)[0]:
        pass
    line = sys.stdin.buffer.readline()
    if not line:
        stream.write("\n")
        stream.flush()
    return line.decode("utf-8", "replace").strip() if line else None


def _fitted(prompt: str, stream: TextIO) -> str:
    from torch_cli.cli.cells import cells, folded
    from torch_cli.cli.present import printable, terminal_size

    shown = printable(prompt)
    columns = terminal_size(stream).columns - ANSWER_COLUMNS
    if not stream.isatty() or cells(shown) <= columns:
        return shown
    return "\n".join(folded(shown.rstrip(), columns, 2)) + " "
