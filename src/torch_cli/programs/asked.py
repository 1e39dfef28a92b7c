"""What a dialog asks: its question, what it is about, and the options that answer it."""

import functools
import re
from typing import NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.programs.state import UNKNOWN_KIND, AgentState, Dialog, one_line

ABOUT_ROWS = 3
"""Rows above the options that say what a question is about: a command, a file, a reason."""

TRUST_KIND = "trust"
"""The kind of a dialog that asks whether to trust a directory."""

_PATH = re.compile(r"(?:/|~(?:/|$)|its directory: )")
_OPTION = re.compile(r"\W*([1-9])[.)] +(.+)")
_NUMBER = re.compile(r"^\W*(?:(?:checked|selected)\) +)?[1-9]\d?[.)] +")
_LETTER = re.compile(r"\(([A-Za-z])\)([^/(\[]*)")
_UNANSWERED = re.compile(r"\]: *$")
_SHORT = re.compile(r"\(([A-Za-z])\)$")
_FRAME = re.compile(r"^[\s│┃┆|❯›»>●◦•△╌─━┄═╭╮╰╯]+|[\s│┃┆|╌─━┄═╭╮╰╯]+$")


class Option(NamedTuple):
    """An answer that a dialog offers.

    ``key`` is the number or letter that its row shows, or its place in the list, from 1 on.
    ``letter`` is a letter that its words offer as well. ``row`` is its row of the dialog,
    ``column`` where its words begin in the pane, if it is clicked on. ``text`` says whether it
    takes a text: ``needed``, ``possible``, or '' for no.
    """

    key: str
    words: str
    letter: str = ""
    row: int = 0
    column: int = 0
    text: str = ""


class Asked(NamedTuple):
    """A dialog in words. ``about`` are rows that say what the question is about.

    ``rows`` is all that it shows beside its question and options, for who decides must see it.
    ``digest`` is the same for as long as the same is asked, also while the selection moves or an
    answer is being typed; unlike the dialog's hash, it answers nothing. ``choose`` is how an option
    is chosen, '' if that is not known. ``cut`` says that rows of it are out of sight.
    """

    question: str
    about: tuple[str, ...]
    options: tuple[Option, ...]
    digest: str
    choose: str = ""
    rows: tuple[str, ...] = ()
    cut: bool = False

    def is_still(self, other: "Asked") -> bool:
        """Whether this is the same question as ``other``, its options in any order."""
        said, before = (sorted(each.words for each in one.options) for one in (self, other))
        return self.digest == other.digest and said == before

    @property
    def words(self) -> str:
        """The question and what it is about, in one line."""
        return one_line(" · ".join(filter(None, [self.question, *self.about])), 300)


NOTHING = Asked("", (), (), "")
"""What an agent asks that shows no dialog."""


def asked_by(state: AgentState) -> Asked:
    """Return what the dialog of ``state`` asks."""
    return NOTHING if state.dialog is None else asked(state.dialog)


@functools.lru_cache(256)
def asked(dialog: Dialog) -> Asked:
    """Return what ``dialog`` asks.

    Its options are the last rows that are numbered from 1 on, or else what its profile says. A
    dialog without either has no options here: which keys answer it is not to be seen. Nor has one
    of an unknown kind: its numbers may be no keys.
    """
    import hashlib  # few commands meet a dialog

    question = bare(dialog.question)
    # What is answered by a letter or a click may quote a list, and has no numbers of its own.
    apart = dialog.choose in ("letter", "click") or dialog.kind == UNKNOWN_KIND
    apart = apart or _selects_unnumbered(dialog)
    first, options = (len(dialog.rows), ()) if apart else _numbered(dialog.rows)
    clicked = {spot.row for spot in dialog.spots}
    rows = tuple(row for at, row in enumerate(dialog.rows[:first]) if at not in clicked)
    whole = [row for row in map(bare, rows) if row and row != question]
    if not options:
        at = [number for number, row in enumerate(rows) if question and question in row]
        rows = rows[max(0, at[-1] - ABOUT_ROWS) :] if at else rows[-2 * ABOUT_ROWS :]
    kept = [bare(row) for row in rows]
    kept = [row for row in kept if row and not (question and question in row)]
    if dialog.aside is not None:
        kept = [row for row in kept if not dialog.aside.search(row)]
    # The options may come in another order: that is the same question.
    orderly = kept if options else sorted(_NUMBER.sub("", row) for row in kept)
    said = "\n".join([dialog.kind, question, *orderly])
    digest = hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    if not options:
        options = _unnumbered(dialog)
        listed = {one.words for one in options}
        kept, whole = ([row for row in each if row not in listed] for each in (kept, whole))
        if options and dialog.choose == "arrows":
            # What is below the list says which keys there are.
            above = {bare(row) for row in dialog.rows[: options[0].row]}
            kept, whole = ([row for row in each if row in above] for each in (kept, whole))
    if dialog.text is not None:
        takes = "possible" if dialog.text_keys else "needed"
        options = tuple(
            one._replace(text=takes if dialog.text.search(one.words) else "") for one in options
        )
    most = 2 * ABOUT_ROWS if dialog.kind == UNKNOWN_KIND else ABOUT_ROWS
    # Over options in one row stands what may be long; it begins with what the question is about.
    shown = kept[:ABOUT_ROWS] if clicked else kept[-most:]
    if dialog.kind == TRUST_KIND:  # the directory decides
        named = [row for row in map(bare, dialog.rows[:first]) if _PATH.match(row)][:1]
        shown = [*named, *(row for row in shown if row not in named)][:ABOUT_ROWS]
    about = tuple(one_line(row) for row in shown)
    how = dialog.choose if options else ""
    return Asked(question, about, options, digest, how, tuple(whole), dialog.cut)


def with_directory(one: Asked, dialog: Dialog | None, directory: str) -> Asked:
    """Return ``one`` with the ``directory`` of its agent, if it asks to trust one and names none.

    Gemini CLI names none.
    """
    named = any(_PATH.match(row) for row in one.about)
    if dialog is None or dialog.kind != TRUST_KIND or named or not directory:
        return one
    words = f"its directory: {one_line(directory)}"
    return one._replace(about=(words, *one.about), rows=(words, *one.rows))


def answer_command(name: str, dialog: Dialog) -> str:
    """Return the command that answers ``dialog`` of the agent ``name``, with a word to fill in.

    That is ``torch answer`` if the profile says how an option is chosen, else ``torch press``.
    """
    if asked(dialog).choose:
        return f"torch answer {name} OPTION --hash {dialog.hash}"
    return f"torch press {name} KEY --dialog {dialog.hash}"


def option_of(one: Asked, said: str) -> Option:
    """Return the option that ``said`` names: its key, its letter, its words, or how they begin.

    Raises ``RefusedError`` if it names none, or more than one.
    """
    wanted = " ".join(said.split()).casefold()
    tries = (
        [option for option in one.options if option.key.casefold() == wanted],
        [option for option in one.options if option.letter.casefold() == wanted],
        [option for option in one.options if option.words.casefold() == wanted],
        [option for option in one.options if option.words.casefold().startswith(wanted)],
    )
    found = next((some for some in tries if some), []) if wanted else []
    if len(found) == 1:
        return found[0]
    which = "more than one option" if found else "no option"
    raise RefusedError(
        f"'{said}' is {which} of '{one.question}'; nothing was pressed",
        hint="Its options: " + ", ".join(f"{each.key} {each.words}" for each in one.options) + ".",
        code="no-option",
    )


def _numbered(rows: tuple[str, ...]) -> tuple[int, tuple[Option, ...]]:
    """Return the row of the first option, or the number of rows, and the options."""
    first, found = len(rows), list[Option]()
    for number, row in enumerate(rows):
        matched = _OPTION.match(row)
        if matched is None:
            continue
        if matched[1] == "1":
            first, found = number, []
        if int(matched[1]) == len(found) + 1:
            found.append(_option(matched[1], bare(matched[2]), number))
    return (first, tuple(found)) if found else (len(rows), ())


def _unnumbered(dialog: Dialog) -> tuple[Option, ...]:
    if dialog.choose == "arrows" and dialog.marked is not None:
        return _listed(dialog.rows, dialog.marked)
    if dialog.choose == "letter":
        return _lettered(dialog.rows)
    return tuple(
        Option(str(number), spot.words, row=spot.row, column=spot.column)
        for number, spot in enumerate(dialog.spots, 1)
    )


def _selects_unnumbered(dialog: Dialog) -> bool:
    """Say whether the selected row is of a list without numbers: what has some is quoted above."""
    if dialog.choose != "arrows" or dialog.marked is None:
        return False
    rows, marked = dialog.rows, dialog.marked
    return _OPTION.match(rows[marked]) is None and len(_listed(rows, marked)) > 1


def _listed(rows: tuple[str, ...], marked: int) -> tuple[Option, ...]:
    """Return the rows around the selected one whose words begin in the same column."""
    column = _column(rows[marked])
    first = last = marked
    while first and _column(rows[first - 1], plain=True) == column:
        first -= 1
    while last + 1 < len(rows) and _column(rows[last + 1], plain=True) == column:
        last += 1
    places = range(first, last + 1)
    return tuple(_option(str(n), bare(rows[at]), at) for n, at in enumerate(places, 1))


def _column(row: str, *, plain: bool = False) -> int:
    """Return where the words of ``row`` begin; with ``plain`` only blanks may come before them."""
    matched = re.match(r" *" if plain else r"\W*", row)
    assert matched is not None
    return matched.end()


def _lettered(rows: tuple[str, ...]) -> tuple[Option, ...]:
    """Return the letters that the last rows offer, if no answer is being typed behind them."""
    if not rows or not _UNANSWERED.search(rows[-1]):
        return ()
    first = len(rows) - 1
    while first and len(rows) - first < ABOUT_ROWS and "?" not in rows[first]:
        first -= 1
    found = _LETTER.findall(" ".join(rows[first:]))
    keys = [letter.lower() for letter, _ in found]
    if len(set(keys)) < len(keys):
        return ()
    return tuple(
        Option(letter.lower(), one_line(f"{letter}{rest}").strip(), row=len(rows) - 1)
        for letter, rest in found
    )


def _option(key: str, words: str, row: int) -> Option:
    letter = _SHORT.search(words)
    return Option(key, one_line(words), letter[1].lower() if letter else "", row)


def bare(row: str) -> str:
    """Return the words of a row without the frame and the marks around them."""
    return " ".join(_FRAME.sub("", row).split())
