"""What every command is told by the options that they all have."""

import contextlib
import os
from typing import NamedTuple

from torch_cli.cli.present import note, printable
from torch_cli.tmux.socket import Socket

LONGEST = 1e8
"""The most seconds that can be asked for, some three years; select() takes no endless time."""


def as_utf8(word: str) -> str:
    """Return a word of the command line as the UTF-8 text that its bytes are.

    Raises ``UnicodeDecodeError`` if they are none, which the locale's encoding may have hidden.
    """
    return word if word.isascii() else os.fsencode(word).decode("utf-8")


class Common(NamedTuple):
    """The common options' values: the tmux server, the form of the output, how much to print."""

    socket: Socket
    json: bool
    quiet: bool
    verbose: bool

    def tell(self, step: str) -> None:
        """Print on stderr what is being done, with ``-v``."""
        if self.verbose:
            self.inform(step)

    def inform(self, words: str) -> None:
        """Say it on stderr; if nobody reads that, what is being done goes on all the same."""
        with contextlib.suppress(OSError):
            note(f"torch: {printable(words)}")
