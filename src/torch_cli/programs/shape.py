"""The shape of a menu or a question that no profile knows: what any program's dialog has. Pure.

It is looked for at the end of a screen without a known input box, or below a box. An answer may
quote a menu, and lists and tables look like one: so what is below it decides. Below a menu are its
keys, the words of its last option, and its frame, never a prompt.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_MOST_ROWS = 40  # how much of the bottom is looked at
_TAIL_ROWS = 4  # rows below a menu that are about something else: a preview, a link, a footer
_KEY_ROWS = 4  # how far from the end a row about keys may be that is all one can see of a menu
_ABOVE_ROWS = 6  # how far above its options a question is: some words about it are between
_LEAD_ROWS = 2  # how far above its options a row about keys is
_SHORT_CHARACTERS = 60  # an option is short; a draft, or an answer in two lines, is not

_MARKS = "❯›>»▶▸▷►→➜➤☞●◉◆*"
_EMPTY = "○◯◇"  # where others of a list have a mark
_MARKED = re.compile(rf" *(?:[{_MARKS}]|-?->|=>) +(?=\S)")
_NUMBERED = re.compile(rf"( *(?:(?:[{_MARKS}]|-?->|=>) *)?)[\[(]?([1-9]\d?)[.):\]] +(?=\S)")
_SPOKEN = re.compile(r" *\((?:checked|selected)\) +(?=\S)")  # a mark for a screen reader
_BOXED = re.compile(rf" *(?:[{_MARKS}] +)?(?:\[.?\]|\([ xX*•●]?\)|[☐☑☒◻◼✔{_EMPTY}●◉]) +(?=\S)")
_PROMPT = re.compile(r" *(?:[❯›»>$#%λ]|\w{1,12}>)(?:[ \u00a0]|$)")

_FRAME = re.compile(r" *[│┃║|▌▐╎┆]")
_FRAMES = "│┃║|▌▐╎┆"
_EDGES = "─━═╌┄┈▔▁▀▄╭╮╰╯┌┐└┘├┤╔╗╚╝╹╻╸╺"
_EDGE = re.compile(rf" *(?:[╭┌╔├╰└╚]|[{_EDGES}]{{3}})")
_ARROWS = re.compile(r"[▲▼↑↓…\s]+|\W?\d+ ?/ ?\d+\W?|.{0,2}\d+ more\b.{0,20}")

_KEYS = re.compile(
    r"(?i)(?<![\w+-])(?:esc(?:ape)?|enter|return|ctrl|tab|space|press)(?!\w)"
    r"|[⏎↵⇆]|↑ ?/? ?↓|← ?/? ?→"
)
_CHOOSES = (
    "select|choose|confirm|accept|approve|allow|toggle|pick|save|apply|continue|proceed|navigate"
    "|move|browse|resume|open|adjust"
)
_CHOOSING = re.compile(
    r"(?i)(?<![\w+-])(?:(?:enter|return|space|arrows|arrow keys|j/k)\W{1,3}(?:to )?"
    rf"(?:{_CHOOSES})|tab\W{{1,3}}(?:to )?(?:select|choose|toggle)"
    r"|esc(?:ape)?\W{1,3}(?:to )?(?:close|dismiss|go back|back|reject|deny|decline|skip)"
    r"|use (?:the )?arrow keys|press (?:any key|\W?(?:enter|return|space)\W? to (?!send)))\b"
    rf"|(?:[⏎↵⇆]|↑ ?/? ?↓|← ?/? ?→) (?:keys )?(?:to )?(?:{_CHOOSES})\b"
)
_YES_NO = re.compile(
    r"(?i)[\[(] ?y(?:es)? ?[/|,] ?no?\b[^\])]{0,40}[\])]\W{0,3}\w{0,8}$"
    r"|\(y\)es ?/ ?\(n\)o\b[^\]]{0,80}\W{0,3}\w{0,8}$"
)
_SECRET = re.compile(r"(?i)\b(?:password|passphrase|passcode|one-time code)\b[^:]{0,60}: ?$")
_APART = re.compile(r" {2,}|\] *\[")
_ANSWERS = {
    *("yes", "no", "ok", "cancel", "allow", "deny", "reject", "accept", "approve", "decline"),
    *("confirm", "continue", "quit", "exit", "retry", "skip", "abort", "allow once", "dismiss"),
    *("allow always", "always allow", "don't allow", "do not allow", "yes, always"),
}


class Shape(NamedTuple):
    """A shape that was found: its ``first`` row (from 0), the selected one, ``None`` if not known.

    ``words`` is the row with the question, or with the next words above that are not about keys.
    """

    first: int
    marked: int | None
    words: int


class _Options(NamedTuple):
    """Rows that are options: the first, the last, the column of their words, the selected one."""

    first: int
    last: int
    column: int
    marked: int | None
    numbered: bool = False


def shape_of(rows: Sequence[str], cursor: tuple[int, int] | None = None) -> Shape | None:
    """Return the shape at the end of ``rows``, which are a screen's.

    ``cursor`` is the program's: its column and its row. ``None`` says that the program hides it.
    """
    shown = _ShapeRows(rows)
    if not shown.filled:
        return None
    for options in (shown.numbered(), shown.listed()):
        if options is not None and shown.is_menu(options):
            return shown.shape(options.first, options.marked)
    return shown.question(cursor) or shown.keys() or shown.buttons()


def menu_below(rows: Sequence[str]) -> Shape | None:
    """Return the shape of a menu in ``rows``, which are below an input box.

    There are rows of the program's and of its user's, too, so only numbered options of which one
    is selected count.
    """
    shown = _ShapeRows(rows)
    options = shown.numbered()
    if options is None or options.marked is None or not shown.ends(options):
        return None
    return shown.shape(options.first, options.marked)


class _ShapeRows:
    """Rows without their frames, and which of them are only an edge."""

    def __init__(self, rows: Sequence[str]) -> None:
        self.rows = [_inside(row) for row in rows]
        self.edges = [_EDGE.match(row) is not None for row in rows]
        self.filled = [at for at, row in enumerate(self.rows) if row.strip()][-_MOST_ROWS:]

    def shape(self, first: int, marked: int | None = None) -> Shape:
        """Return the shape that begins there."""
        above = [at for at in self.filled if at < first and not self.edges[at]]
        said = [
            at
            for at in above[-_ABOVE_ROWS:]
            if not _KEYS.search(self.rows[at]) and any(map(str.isalnum, self.rows[at]))
        ]
        asked = [at for at in said if "?" in self.rows[at]] or said
        return Shape(first, marked, asked[-1] if asked else first)

    def numbered(self) -> _Options | None:
        """Return the last options that are numbered from 1 on, two at least, in one column."""
        found: list[tuple[int, int, bool]] = []
        for at in self.filled:
            spoken = _SPOKEN.match(self.rows[at])
            matched = _NUMBERED.match(self.rows[at], spoken.end() if spoken else 0)
            if matched is None:
                continue
            column, number = (0 if spoken else matched.end(1)), int(matched[2])
            if number == 1:
                found = []
            if number == len(found) + 1 and (not found or abs(column - found[0][1]) <= 1):
                found.append((at, column, bool(spoken or matched[1].strip())))
        if len(found) < 2:
            return None
        marked = [at for at, _, mark in found if mark]
        one = marked[0] if len(marked) == 1 else None
        return _Options(found[0][0], found[-1][0], found[0][1], one, numbered=True)

    def listed(self) -> _Options | None:
        """Return the rows around the last marked one whose words begin in the same column."""
        marked = [at for at in self.filled if self._mark(at) is not None]
        for at in reversed(marked):
            column = self._mark(at)
            assert column is not None
            first = last = at
            while (before := self._beside(first, -1, column)) is not None:
                first = before
            while (after := self._beside(last, 1, column)) is not None:
                last = after
            if first < last:
                return _Options(first, last, column, at)
        return None

    def _mark(self, at: int) -> int | None:
        """Return the column of the words of a row that a mark begins, ``None`` if none does."""
        matched = None if self.edges[at] else _MARKED.match(self.rows[at])
        return None if matched is None else matched.end()

    def _beside(self, at: int, step: int, column: int) -> int | None:
        """Return the next row that way whose words begin in ``column``, behind blanks or a sign.

        Rows that are indented more belong to an option. A blank row is between others.
        """
        at += step
        while 0 <= at < len(self.rows) and self.rows[at].strip() and not self.edges[at]:
            row = self.rows[at]
            words = len(row) - len(row.lstrip(" "))
            boxed = _BOXED.match(row)
            if words == column or (boxed is not None and boxed.end() == column):
                return at
            if words < column:
                return None
            at += step
        return None

    def is_menu(self, options: _Options) -> bool:
        """Whether ``options`` are a menu's: by what is above and below them."""
        if not self.ends(options):
            return False
        if options.numbered and options.marked is not None:
            return True
        lead = [at for at in self.filled if at < options.first][-_LEAD_ROWS:]
        below = self._below(options.last)
        if any(_CHOOSING.search(self.rows[at]) for at in (*lead, *below)):
            return True
        short = all(
            len(self.rows[at].strip()) <= _SHORT_CHARACTERS
            for at in range(options.first, options.last + 1)
        )
        keyed = options.numbered and any(_KEYS.search(self.rows[at]) for at in below)
        return (short or keyed) and self._is_asked(options.first)

    def ends(self, options: _Options) -> bool:
        """Whether what is below ``options`` may be below a menu: few rows of other words."""
        others, edge = 0, False
        for at in self._below(options.last):
            row = self.rows[at]
            if self.edges[at]:
                edge = True
            elif _KEYS.search(row) or _ARROWS.fullmatch(row.strip()):
                continue
            elif _PROMPT.match(row):
                return False
            elif edge or len(row) - len(row.lstrip(" ")) <= options.column:
                others += 1
        return others <= (_TAIL_ROWS if options.marked is not None else 1)

    def _below(self, last: int) -> list[int]:
        return [at for at in self.filled if at > last]

    def _is_asked(self, first: int) -> bool:
        """Whether a question is above row ``first``, with no edge between, or a colon just above.

        What a person wrote, and what begins as that does, is no question of the program's.
        """
        above = [at for at in self.filled if at < first][-_ABOVE_ROWS:]
        for at in reversed(above):
            row = self.rows[at].strip()
            if self.edges[at] or _PROMPT.match(row):
                return False
            if row.endswith("?") or "? (" in row or (at == above[-1] and row.endswith(":")):
                return True
        return False

    def question(self, cursor: tuple[int, int] | None) -> Shape | None:
        """Return a question that is answered in its own row, the last one."""
        at = self.filled[-1]
        row = self.rows[at].rstrip()
        if self.edges[at] or _PROMPT.match(row):
            return None
        # A narrow pane breaks the question before its letters.
        whole = row if at == 0 or self.edges[at - 1] else f"{self.rows[at - 1].strip()} {row}"
        if _YES_NO.search(row) or ("?" not in row and _YES_NO.search(whole)):
            return Shape(at, None, at)
        behind = cursor is not None and cursor[1] == at and 0 < cursor[0] - len(row) <= 2
        if behind and (row.endswith(("?", "? ›", "? >")) or _SECRET.search(row)):
            return Shape(at, None, at)
        return None

    def keys(self) -> Shape | None:
        """Return a menu of which only the row about its keys is like one."""
        for at in reversed(self.filled[-_KEY_ROWS:]):
            if _PROMPT.match(self.rows[at]):
                return None
            if _CHOOSING.search(self.rows[at]):
                return self.shape(at)
        return None

    def buttons(self) -> Shape | None:
        """Return a row of two answers or more, beside each other, near the end."""
        for at in reversed(self.filled[-_KEY_ROWS:]):
            parts = [part.strip(f"[]<>() {_MARKS}{_EMPTY}") for part in _APART.split(self.rows[at])]
            parts = [part.casefold() for part in parts if part]
            if len(parts) >= 2 and parts[0] in _ANSWERS and parts[1] in _ANSWERS:
                return self.shape(at)
        return None


def _inside(row: str) -> str:
    """Return ``row`` with blanks in place of the frame at its edges."""
    framed = _FRAME.match(row)
    if framed is None:
        return row
    rest = row[framed.end() :].rstrip()
    if rest and rest[-1] in _FRAMES:
        rest = rest[:-1].rstrip()
    return " " * framed.end() + rest
