"""What the screens of an unknown program show: questions, its input box, an echo. Pure.

``draft`` makes a profile of these values.
"""

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.programs.box import find_box, is_rule
from torch_cli.programs.profile import Profile
from torch_cli.tmux.screen import Screen

_OPTION = re.compile(r"^\W*(?P<number>\d{1,2})[.)] ?\S")
_MARKED = re.compile(r"^[\s│┃|]*[❯›»>▶▸→●◉*] ?\d{1,2}[.)] ?\S")
_CHOSEN = re.compile(
    r"^[\s│┃|]*[❯›»>▶▸→●◉] ?(?:yes|no|ok|okay|continue|accept|decline|allow|deny|trust|exit|quit"
    r"|cancel|skip|log ?in|sign ?in|dark|light)\b",
    re.IGNORECASE,
)
_YES_OR_NO = re.compile(
    r"[\[(] ?(?:y(?:es)?|o(?:k)?) ?[/|,] ?n(?:o)?(?: ?[/|,][^\])]{0,40})?[\])]"
    r"|\bpress (?:any key|enter|return|space)\b|^(?=.*: *$).*\bpass(?:word|phrase)\b",
    re.IGNORECASE,
)
_QUESTION_ROWS = 3
"""A question without a menu is searched for in this many rows with text at the bottom."""

_FLEETING_ROWS = 8
"""How many of the rows that came and went are kept. More do not help a reader. The rows that
stayed longest are kept."""

_CORNERS = "╭┌┏╔╰└┗╚"


class BoxSeen(NamedTuple):
    """The input box, as it showed when a word was pasted into it.

    ``kind`` is as in a profile: ``ruled``, ``prompt``, or ``none`` if neither fits; ``why`` then
    gives the reason. ``prompt`` is the exact text before the word. ``rule`` is the character of the
    rows around it. ``cursor_real``: tmux's cursor was right behind the word. ``ghost`` is the text
    that was there before the word, and ``dim`` says that tmux shows that text dim.
    ``continuation`` is how the second row of the box begins, ``None`` if no second row was seen.
    """

    kind: str = "none"
    prompt: str = ""
    rule: str = ""
    cursor_real: bool = False
    ghost: str = ""
    dim: bool = False
    continuation: str | None = None
    wraps: bool = False
    why: str = ""


class Passing(NamedTuple):
    """A row that came after Enter and went: from when to when (seconds after Enter), and where.

    ``pattern`` matches this row and similar ones: its numbers, and a single sign at its start, may
    differ. ``where`` is a region of a rule: ``above`` the box, its ``footer``, or ``bottom`` if
    there is no box.
    """

    pattern: str
    where: str
    first: float
    last: float


class EnterSeen(NamedTuple):
    """What Enter did to ``text`` in the box. Times are in seconds after Enter.

    ``cleared`` is when the box was empty again, ``None`` if it never was. ``echo`` is what is
    before the text in the row that shows it again, ``None`` if no row does. ``asked`` is the row of
    a question that followed, '' for none. ``ended`` says that the program ended.
    """

    text: str
    cleared: float | None = None
    echo: str | None = None
    passing: tuple[Passing, ...] = ()
    asked: str = ""
    ended: bool = False


class Frame(NamedTuple):
    """One look at the screen, ``at`` seconds after Enter."""

    at: float
    screen: Screen


def asks(screen: Screen) -> str:
    """Return the row of ``screen`` that shows a question: a menu's choice, or its last row.

    Returns '' if there is no question. A numbered list without a marked row counts only if the
    screen ends with it, or with one row below it, because programs print numbered advice when they
    start.
    """
    filled = [row for row in screen.lines if row.strip()]
    for row in filled:
        if _MARKED.match(row) or _CHOSEN.match(row):
            return row.strip()
    for row in reversed(filled[-_QUESTION_ROWS:]):
        if _YES_OR_NO.search(row):
            return row.strip()
    rows = screen.text.split("\n")
    for ending in (rows, rows[:-1]):
        numbers = [int(match["number"]) for row in ending[-2:] if (match := _OPTION.match(row))]
        if len(numbers) == 2 and numbers[1] == numbers[0] + 1:
            return rows[-1].strip()
    return ""


def row_of(screen: Screen, text: str) -> int | None:
    """Return the row that shows ``text``: the cursor's row if it does, else the last such row.

    ``None`` if no row does.
    """
    rows = [index for index, row in enumerate(screen.lines) if text in row]
    if screen.cursor[1] in rows:
        return screen.cursor[1]
    return rows[-1] if rows else None


def infer_box(empty: Screen, filled: Screen, text: str) -> BoxSeen:
    """Return the box that was empty on ``empty`` and held the word ``text`` on ``filled``."""
    at = row_of(filled, text)
    if at is None:
        return BoxSeen(why="the pasted text never showed on the screen")
    prompt, _, behind = filled.lines[at].rpartition(text)
    # A program may move the cursor even while it hides it. Then the cursor shows the place too.
    real = filled.cursor[1] == at and filled.cursor[0] - empty.cursor[0] == len(text)
    rule = _rule_around(filled, at)
    below = [row for row in filled.lines[at + 1 :] if row.strip()]
    kind, why = "none", ""
    if not prompt.strip():
        why = "no text before the input tells which row is the box"
    elif behind.strip():
        why = f"there is text behind the input: '{behind.strip()}'"
    elif rule:
        kind = "ruled"
    elif not below:
        kind = "prompt"
    else:
        why = _unknown_frame(filled, at, below)
    before = empty.rows[at]
    ghost = before.text[len(prompt) :] if before.text.startswith(prompt.rstrip(" ")) else ""
    return BoxSeen(
        kind,
        prompt,
        rule,
        cursor_real=real,
        ghost=ghost.strip(),
        dim=any(before.dim[len(prompt) :]),
        why=why,
    )


def _rule_around(screen: Screen, at: int) -> str:
    """Return the character that fills the rows above and below row ``at``, '' if none does."""
    if not 0 < at < screen.height - 1:
        return ""
    above, below = screen.lines[at - 1], screen.lines[at + 1]
    character = above[:1]
    if not character or character.isalnum() or character.isspace():
        return ""
    same = is_rule(above, screen.width, character) and is_rule(below, screen.width, character)
    return character if same else ""


def _unknown_frame(screen: Screen, at: int, below: Sequence[str]) -> str:
    near = screen.lines[max(0, at - 1)].strip()[:1] + below[0].strip()[:1]
    if any(corner in near for corner in _CORNERS):
        return "it has a frame with corners, which no kind of box fits as it is"
    return (
        f"there are rows below it ('{below[0].strip()[:40]}') and no full rules around it; see "
        "whether 'footed' (codex.toml), 'barred' (opencode.toml) or 'lines' (aider.toml) fits"
    )


def infer_continuation(screen: Screen, first: str, second: str) -> str | None:
    """Return what begins the second row of a box with the lines ``first`` and ``second``.

    ``None`` if one line is not below the other, for example if a paste shows as a placeholder.
    """
    at = row_of(screen, second)
    if not at or first not in screen.lines[at - 1]:
        return None
    return screen.lines[at].rpartition(second)[0]


def pattern_of(text: str) -> str:
    """Return a pattern for ``text`` that also matches other numbers."""
    pieces = re.split(r"(\d+)", text)
    return "".join(r"\d+" if piece.isdecimal() else _escape(piece) for piece in pieces)


def _escape(text: str) -> str:
    """Escape what is special in a pattern, and nothing else, so that a person can read it."""
    return re.sub(r"[.^$*+?{}\[\]\\|()]", r"\\\g<0>", text)


def infer_enter(before: Screen, frames: Sequence[Frame], profile: Profile, text: str) -> EnterSeen:
    """Return what Enter did: ``before`` is the screen with ``text`` in the box, ``frames`` follow.

    ``profile`` is what is known so far. It says where the box is.
    """
    cleared: float | None = None
    echo: str | None = None
    for frame in frames:
        box = find_box(frame.screen, profile)
        if box is None or not box.empty:
            continue
        cleared = frame.at if cleared is None else cleared
        echo = _echo(before, frame.screen.lines[: box.first], text) if echo is None else echo
    last = frames[-1].screen
    return EnterSeen(
        text,
        cleared=cleared,
        echo=echo,
        passing=_passing(before, frames, profile, text),
        asked="" if last.dead else asks(last),
        ended=last.dead,
    )


def _echo(before: Screen, above: Sequence[str], text: str) -> str | None:
    """Return the mark before ``text`` in the first row that shows it again above the box.

    The row in which it was typed counts too: if the prompt is in the last row, that row becomes
    the echo.
    """
    typed = row_of(before, text)
    past = [row for index, row in enumerate(before.lines) if index != typed]
    for row in above:
        mark = row.removesuffix(text)
        if mark != row and mark.strip() and above.count(row) > past.count(row):
            return mark
    return None


def _passing(
    before: Screen, frames: Sequence[Frame], profile: Profile, text: str
) -> tuple[Passing, ...]:
    """Return the rows that neither the first screen nor the last one shows."""
    stays = {*before.lines, *frames[-1].screen.lines}
    seen: dict[tuple[str, str], Passing] = {}
    for frame in frames:
        for index, row in enumerate(frame.screen.lines):
            if not row.strip() or row in stays or text in row:
                continue
            where = _region(frame.screen, index, profile)
            if where == "box":
                continue
            pattern = _row_pattern(row)
            known = seen.get((pattern, where), Passing(pattern, where, frame.at, frame.at))
            seen[pattern, where] = known._replace(last=frame.at)
    longest = sorted(seen.values(), key=lambda one: one.first - one.last)
    return tuple(longest[:_FLEETING_ROWS])


def _region(screen: Screen, index: int, profile: Profile) -> str:
    """Return the region of a rule that row ``index`` is in, ``box`` for the box itself."""
    box = find_box(screen, profile)
    if box is None:
        return "bottom"
    frame = profile.box.frame
    if index > box.last + frame:
        return "footer"
    return "above" if index < box.first - frame else "box"


def _row_pattern(row: str) -> str:
    """Return a pattern for a row. The sign in front may be any, because a spinner changes it."""
    spinner = re.match(r"^(\s*)([^\w\s]) (?=\S)", row)
    if spinner:
        return "^" + spinner[1] + r"\S " + pattern_of(row[spinner.end() :])
    return "^" + pattern_of(row)


def longest_pause(frames: Sequence[Frame]) -> float:
    """Return the longest time for which a screen with text stayed before another came."""
    times = [frame.at for frame in frames if frame.screen.text.strip()]
    pauses = [after - at for at, after in itertools.pairwise(times)]
    return max(pauses, default=0.0)


def moving(frames: Sequence[Frame]) -> str:
    """Return a row that changed last, for people."""
    if len(frames) < 2:
        return "it kept printing"
    then, now = frames[-2].screen.lines, frames[-1].screen.lines
    rows = [row.strip() for row in now if row.strip() and row not in then]
    return f"'{rows[0][:60]}' changed last" if rows else "rows came and went"
