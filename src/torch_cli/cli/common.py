"""The values of the options that all commands have."""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from torch_cli.cli.present import note, print_json, printable, say
from torch_cli.tmux.socket import Socket

if TYPE_CHECKING:
    from torch_cli.cli.table import Column, TableForm

LONGEST_SECONDS = 1e8
"""The most seconds that can be asked for, some three years. select() takes no endless time."""


def as_utf8(word: str) -> str:
    """Return a word of the command line, with its bytes read as UTF-8.

    Raises ``UnicodeDecodeError`` if they are not UTF-8. The locale's encoding may hide that.
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

    def show(self, facts: Mapping[str, Any], line: str, *notes: str) -> None:
        """Print a result: with ``--json`` its ``facts``, else a line, and notes below it."""
        if self.json:
            print_json(facts)
            return
        say(printable(line))
        for words in notes:
            note(f"  {printable(words)}", quiet=self.quiet)

    def show_all(
        self,
        objects: Iterable[Mapping[str, Any]],
        columns: "Sequence[Column]",
        rows: Iterable[Sequence[str]],
        look: "TableForm",
        nothing: str = "",
    ) -> None:
        """Print a list: with ``--json`` the ``objects``, else a table, or what to say without rows.

        Only what is printed is iterated over.
        """
        if self.json:
            for one in objects:
                print_json(one)
        elif table := list(rows):
            from torch_cli.cli.table import print_table

            print_table(columns, table, look)
        elif nothing:
            note(nothing, quiet=self.quiet)

    def inform(self, words: str) -> None:
        """Print it on stderr. If nobody reads that, the command continues."""
        with contextlib.suppress(OSError):
            note(f"torch: {printable(words)}")
