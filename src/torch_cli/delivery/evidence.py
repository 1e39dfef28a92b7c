"""What a screen proves about a message: pure comparisons, no looking and no acting."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch_cli.agents.profile import Profile
from torch_cli.agents.state import AgentState, Box
from torch_cli.tmux.screen import Screen


class Baseline(NamedTuple):
    """What was there before the paste, against which later evidence is counted.

    ``echoes`` are (line, text) of each submitted message that the screen shows, the line counted
    from the start of the pane's history; ``chips`` the numbers of pasted-text placeholders on the
    screen; ``report`` the number of the newest hook report; ``queued`` that messages were waiting.
    """

    echoes: tuple[tuple[int, str], ...] = ()
    chips: tuple[int, ...] = ()
    report: int = 0
    state: str = ""
    queued: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as the store keeps it."""
        return {
            "echoes": [list(echo) for echo in self.echoes],
            "chips": list(self.chips),
            "report": self.report,
            "state": self.state,
            "queued": self.queued,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Baseline":
        """Return what ``as_json`` gave."""
        echoes = tuple((int(line), str(text)) for line, text in value.get("echoes", ()))
        chips = tuple(int(number) for number in value.get("chips", ()))
        return cls(
            echoes,
            chips,
            int(value.get("report", 0)),
            str(value.get("state", "")),
            bool(value.get("queued", False)),
        )


def baseline(screen: Screen, state: AgentState, profile: Profile, report: int) -> Baseline:
    """Return what ``screen`` shows before a paste."""
    return Baseline(
        echoes=tuple(_echoes(screen, profile)),
        chips=_chips(screen, profile),
        report=report,
        state=str(state.state),
        queued=state.queued,
    )


def _echoes(screen: Screen, profile: Profile) -> list[tuple[int, str]]:
    mark = profile.box.echo
    if not mark:
        return []
    return [
        (screen.history + number, line[len(mark) :].strip())
        for number, line in enumerate(screen.lines)
        if line.startswith(mark)
    ]


def _chips(screen: Screen, profile: Profile) -> tuple[int, ...]:
    pattern = profile.box.placeholder
    if pattern is None:
        return ()
    return tuple(int(m[1]) for line in screen.lines for m in pattern.finditer(line))


def is_ours(box: Box, typed: str, before: Baseline, profile: Profile) -> bool:
    """Say whether the box holds our text, whole and alone.

    A long paste shows as a placeholder: then its number must be new, nothing else may stand
    beside it, and the text must be one that the program shows so. A box that is lower than the
    text shows only part of it, which then must be the end of ours.
    """
    if box.empty:
        return False
    if box.placeholders:
        pattern = profile.box.placeholder
        alone = pattern is not None and pattern.fullmatch(box.text.strip()) is not None
        return alone and box.placeholders[0] not in before.chips and _shows_as_chip(typed, profile)
    shown, wanted = _skeletons(box.text, typed)
    if shown == wanted:
        return True
    scrolled = len(box.rows) > 1 and not box.rows[0].startswith(profile.box.mark)
    return scrolled and bool(shown) and wanted.endswith(shown)


def holds(box: Box, typed: str, before: Baseline) -> bool:
    """Say whether our text, or a placeholder that was not there before, is part of the box's."""
    if any(number not in before.chips for number in box.placeholders):
        return True
    shown, wanted = _skeletons(box.text, typed)
    return bool(wanted) and wanted in shown


def _shows_as_chip(typed: str, profile: Profile) -> bool:
    paste = profile.paste
    many = paste.placeholder_lines and typed.count("\n") + 1 >= paste.placeholder_lines
    return bool(many or (paste.placeholder_chars and len(typed) >= paste.placeholder_chars))


def _skeletons(shown: str, typed: str) -> tuple[str, str]:
    """Return what is left of two texts wherever they are wrapped and however they are drawn.

    Blanks go, for wrapping eats them. Terminals may join symbols beyond ASCII or draw others in
    their place: if we typed any, such symbols go too, in both.
    """
    bare = [_unwrapped(shown), _unwrapped(typed)]
    if any(_is_symbol(char) for char in bare[1]):
        letters = ["".join(char for char in text if not _is_symbol(char)) for text in bare]
        if letters[1]:
            return letters[0], letters[1]
    return bare[0], bare[1]


def _unwrapped(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text).split())


def _is_symbol(char: str) -> bool:
    return not (char.isascii() or char.isalnum())


def echoed(screen: Screen, shown: str, before: Baseline, profile: Profile) -> bool:
    """Say whether the screen shows an echo of our text that was not there before.

    ``shown`` is the first row of the text as it stood in the box. An echo counts if there are
    more of them than before, or if one stands further down the pane's history than any did.
    """

    def matching(found: tuple[tuple[int, str], ...]) -> list[int]:
        return [line for line, text in found if _begins(text, shown)]

    now = matching(tuple(_echoes(screen, profile)))
    then = matching(before.echoes)
    return _is_one_more(now, then)


def _begins(text: str, shown: str) -> bool:
    found, wanted = _skeletons(text, shown)
    return bool(wanted) and found.startswith(wanted)


def echoed_whole(screen: Screen, typed: str, before: Baseline, profile: Profile) -> bool:
    """Say whether the screen shows an echo of all of ``typed``, and of nothing more, that was not
    there before.

    For a message whose rows in the box nobody remembers: an echo can be wrapped elsewhere.
    """
    mark, wanted = profile.box.echo, _unwrapped(typed)
    then = [line for line, text in before.echoes if wanted.startswith(_unwrapped(text))]
    now = [
        screen.history + number
        for number, line in enumerate(screen.lines)
        if mark and line.startswith(mark) and _reads(screen.lines[number:], mark, typed)
    ]
    return _is_one_more(now, then)


def echo_at(lines: Sequence[str], typed: str, profile: Profile) -> int | None:
    """Return the index of the last row of ``lines`` at which ``typed`` is echoed.

    A text that is echoed in short form stands at the last echo of all.
    """
    mark = profile.box.echo
    echoes = [number for number, line in enumerate(lines) if mark and line.startswith(mark)]
    whole = [number for number in echoes if _reads(lines[number:], mark, typed)]
    return max(whole or echoes, default=None)


def _reads(lines: Sequence[str], mark: str, typed: str) -> bool:
    """Say whether the first of ``lines``, or it and some that follow, read ``typed``."""
    text = lines[0][len(mark) :]
    for following in ("", *lines[1:]):
        text += following
        found, wanted = _skeletons(text, typed)
        if found == wanted:
            return True
        if not wanted.startswith(found):
            return False
    return False


def _is_one_more(now: Sequence[int], then: Sequence[int]) -> bool:
    """Say whether there are more echoes than before, or one further down than any was."""
    return len(now) > len(then) or max(now, default=-1) > max(then, default=-1) >= 0


def first_row(box: Box, profile: Profile) -> str:
    """Return the first row of a box without its prompt."""
    return box.rows[0].removeprefix(profile.box.mark)
