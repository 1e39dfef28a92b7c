"""What a dialog asks: its question, what it is about, and the numbered options that answer it."""

import hashlib
import re
from typing import NamedTuple

from torch_cli.programs.state import AgentState, Dialog, one_line

ABOUT = 3
"""Rows above the options that say what a question is about: a command, a file, a reason."""

_OPTION = re.compile(r"\W*([1-9])[.)] +(.+)")
_FRAME = re.compile(r"^[\s│┃┆|❯›»>●◦•△╌─━┄═]+|[\s│┃┆|╌─━┄═]+$")


class Option(NamedTuple):
    """An answer that a dialog offers: the ``key`` that its row is numbered by, and its words."""

    key: str
    words: str


class Asked(NamedTuple):
    """A dialog in words. ``about`` are rows that say what the question is about.

    ``digest`` is the same for as long as the same is asked, also while the selection moves or an
    answer is being typed; unlike the dialog's hash, it answers nothing.
    """

    question: str
    about: tuple[str, ...]
    options: tuple[Option, ...]
    digest: str

    @property
    def words(self) -> str:
        """The question and what it is about, in one line."""
        return one_line(" · ".join(filter(None, [self.question, *self.about])), 300)


NOTHING = Asked("", (), (), "")
"""What an agent asks that shows no dialog."""


def asked_by(state: AgentState) -> Asked:
    """Return what the dialog of ``state`` asks."""
    return NOTHING if state.dialog is None else asked(state.dialog)


def asked(dialog: Dialog) -> Asked:
    """Return what ``dialog`` asks.

    Its options are the last rows that are numbered from 1 on. A dialog that numbers none has no
    options here: which keys answer it is not to be seen.
    """
    question = _bare(dialog.question)
    first, options = _options(dialog.rows)
    rows = dialog.rows[:first]
    if not options:
        at = [number for number, row in enumerate(rows) if question and question in row]
        rows = rows[max(0, at[-1] - ABOUT) :] if at else rows[-2 * ABOUT :]
    bare = [_bare(row) for row in rows]
    kept = [row for row in bare if row and not (question and question in row)]
    said = "\n".join([dialog.kind, question, *kept])
    digest = hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return Asked(question, tuple(one_line(row) for row in kept[-ABOUT:]), options, digest)


def _options(rows: tuple[str, ...]) -> tuple[int, tuple[Option, ...]]:
    """Return the row of the first option, or the number of rows, and the options."""
    first, found = len(rows), list[Option]()
    for number, row in enumerate(rows):
        matched = _OPTION.match(row)
        if matched is None:
            continue
        if matched[1] == "1":
            first, found = number, []
        if int(matched[1]) == len(found) + 1:
            found.append(Option(matched[1], one_line(_bare(matched[2]))))
    return (first, tuple(found)) if found else (len(rows), ())


def _bare(row: str) -> str:
    return " ".join(_FRAME.sub("", row).split())
