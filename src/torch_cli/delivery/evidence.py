"""What a screen proves about a message. Pure comparisons."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch_cli.delivery.text import skeletons, unwrapped
from torch_cli.programs.box import echo_in
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import ENDED, AgentState, Box, State
from torch_cli.tmux.screen import Screen


class Baseline(NamedTuple):
    """What was there before the paste, against which later evidence is counted.

    ``echoes`` are (line, text) of each submitted message on the screen, with the line counted from
    the start of the pane's history. ``report`` is the number of the newest hook report. ``queued``
    says that messages were waiting. ``program`` names the process that the text is for. ``chip`` is
    the number of the placeholder that showed the text, 0 if none did. ``paste`` distinguishes this
    paste from others of the same message, '' if that is not known. ``at`` is the time of the paste
    (epoch seconds, 0 if it is not known). ``seen`` says that the text was in the box afterwards,
    alone or with other text.
    """

    echoes: tuple[tuple[int, str], ...] = ()
    report: int = 0
    state: str = ""
    queued: bool = False
    program: str = ""
    chip: int = 0
    paste: str = ""
    at: float = 0.0
    seen: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as the store keeps it."""
        return {
            "echoes": [list(echo) for echo in self.echoes],
            "report": self.report,
            "state": self.state,
            "queued": self.queued,
            "program": self.program,
            "chip": self.chip,
            "paste": self.paste,
            "at": self.at,
            "seen": self.seen,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Baseline":
        """Return what ``as_json`` gave."""
        echoes = tuple((int(line), str(text)) for line, text in value.get("echoes", ()))
        return cls(
            echoes,
            int(value.get("report", 0)),
            str(value.get("state", "")),
            bool(value.get("queued", False)),
            str(value.get("program", "")),
            int(value.get("chip", 0)),
            str(value.get("paste", "")),
            float(value.get("at", 0.0)),
            bool(value.get("seen", False)),
        )


def baseline(
    screen: Screen, state: AgentState, profile: Profile, report: int, program: str = ""
) -> Baseline:
    """Return what ``screen`` shows before a paste into ``program``."""
    return Baseline(
        echoes=tuple(_echoes(screen, state.box, profile)),
        report=report,
        state=str(state.state),
        queued=state.queued,
        program=program,
    )


def _echoes(screen: Screen, box: Box | None, profile: Profile) -> list[tuple[int, str]]:
    """Return the rows that show a message as submitted or queued.

    If echoes look like the box or like a menu, rows of the box and of a menu do not count.
    """
    spec = profile.box
    end = box.first if box is not None else len(screen.lines)
    menu = spec.dialog_cursor if box is None else None
    return [
        (screen.history + number, text.strip())
        for number, line in enumerate(screen.lines[:end])
        if (text := echo_in(line, spec)) is not None and not (menu and menu.search(line))
    ]


_ROW = 12
"""If an echo's row is shorter than the box's, this many characters without spaces are enough."""


def _words(skeleton: str) -> str:
    return "".join(char for char in skeleton if char.isalnum())


_TAIL = 60
"""An echo is recognised by this many characters, without spaces, at the end of its text."""


def echoed(screen: Screen, box: Box | None, shown: str, before: Baseline, profile: Profile) -> bool:
    """Return whether the screen shows an echo of our text that was not there before.

    ``shown`` is the first row of the text as it was in the box. An echo counts if there are more of
    them than before, or if one is further down the pane's history than any was.
    """

    def matching(found: tuple[tuple[int, str], ...]) -> list[int]:
        return [line for line, text in found if _begins(text, shown)]

    now = matching(tuple(_echoes(screen, box, profile)))
    then = matching(before.echoes)
    return _is_one_more(now, then)


def _begins(text: str, shown: str) -> bool:
    """Return whether an echo's row begins like the box's first row, or is the beginning of it."""
    found, wanted = skeletons(text, shown)
    if wanted and (found.startswith(wanted) or (len(found) >= _ROW and wanted.startswith(found))):
        return True
    # Some programs render Markdown in an echo, so its marks are missing.
    words = _words(wanted)
    return bool(words) and _words(found).startswith(words)


def echoed_whole(screen: Screen, box: Box, typed: str, before: Baseline, profile: Profile) -> bool:
    """Return whether the screen shows a new echo of all of ``typed`` and of nothing more.

    This is for a message whose rows in the box are not known, because an echo can be wrapped
    differently.
    """
    wanted = unwrapped(typed)
    then = [line for line, text in before.echoes if wanted.startswith(unwrapped(text))]
    above = screen.lines[: box.first]
    now = [
        line
        for line, text in _echoes(screen, box, profile)
        if _reads(text, above[line - screen.history + 1 :], typed)
    ]
    return _is_one_more(now, then)


def echo_at(lines: Sequence[str], typed: str, profile: Profile) -> int | None:
    """Return the index of the last row of ``lines`` with an echo of ``typed``.

    For a text that is echoed in short form it is the last echo of all.
    """
    echoes = {
        number: text
        for number, line in enumerate(lines)
        if (text := echo_in(line, profile.box)) is not None
    }
    whole = [n for n, text in echoes.items() if _reads(text, lines[n + 1 :], typed)]
    return max(whole or echoes, default=None)


def _reads(text: str, lines: Sequence[str], typed: str) -> bool:
    """Say whether ``text``, or it and some of the ``lines`` that follow it, read ``typed``."""
    for following in ("", *lines):
        text += following
        found, wanted = skeletons(text, typed)
        if found == wanted:
            return True
        if not wanted.startswith(found):
            return False
    return False


def _is_one_more(now: Sequence[int], then: Sequence[int]) -> bool:
    """Say whether there are more echoes than before, or one further down than any was."""
    return len(now) > len(then) or max(now, default=-1) > max(then, default=-1) >= 0


def departed(
    screen: Screen,
    state: AgentState,
    pressed: Screen,
    box: Box,
    typed: str,
    before: Baseline,
    profile: Profile,
) -> str:
    """Return how ``screen`` shows that our text left the box by being submitted, '' if not.

    ``pressed`` is the screen on which the submit key was pressed, ``box`` the box on it.
    """
    now, spec = state.box, profile.box
    if now is not None and not now.empty:
        return ""
    if now is None and not spec.prompt_unique:
        # A half-drawn box may look like an echo.
        telling = (State.WAITING, State.WORKING) if spec.hidden_working else (State.WAITING,)
        if state.state not in telling:
            return ""
    if echoed(screen, now, first_row(box, profile), before, profile):
        return "the message left the box and is echoed above it"
    in_part = box.scrolled or bool(box.placeholders)  # then its first row may be out of sight
    then = _endings(pressed, box, typed, profile)
    if in_part and _endings(screen, now, typed, profile) > then:
        return "the message left the box and its end is echoed above it"
    if now is None and not spec.hidden_working:
        return ""
    if state.queued and not before.queued:
        return "the box is empty and the program shows a queued message"
    if state.state is State.WORKING and before.state == State.IDLE:
        return "our text left the box and the program began to work"
    return ""


def took_effect(screen: Screen, state: AgentState, pressed: Screen, box: Box) -> str:
    """Return what a program's own command, which left ``box``, did to the screen, '' if nothing.

    ``pressed`` is the screen on which the submit key was pressed.
    """
    if state.state in ENDED:
        return f"the program ended: {state.evidence}"
    if state.dialog is not None:
        return f"the program asks '{state.dialog.question}'"
    now = state.box
    if now is None:
        return "" if screen.lines == pressed.lines else "the program shows another screen"
    if not now.empty:
        return ""
    above = [line for line in screen.lines[: now.first] if line]
    before = [line for line in pressed.lines[: box.first] if line]
    return "" if above == before else "the box is empty and the screen above it has changed"


def _endings(screen: Screen, box: Box | None, typed: str, profile: Profile) -> int:
    """Return how often the end of our text is above the box.

    This finds the echo of a text that the box showed only in part, or as a placeholder.
    """
    above = screen.lines[: box.first] if box is not None else screen.lines
    rows = [text if (text := echo_in(line, profile.box)) is not None else line for line in above]
    found, wanted = skeletons("\n".join(rows), typed)
    return found.count(wanted[-_TAIL:])


def first_row(box: Box, profile: Profile) -> str:
    """Return the first row of a box without its prompt."""
    if profile.box.echoes is not None:
        return echo_in(box.rows[0], profile.box) or box.rows[0]
    return box.rows[0].removeprefix(profile.box.mark)
