"""Decide what an agent program is doing from one look at its screen. Pure.

The order is: what tmux knows (dead, in a mode), then the profile's rules in their order, then the
latest hook event if the screen cannot tell, then the box alone.

What has the shape of a menu or a question, and no rule knows it, is a dialog of the kind
``unknown``, so that it gets no key without its hash. Its state stays ``unknown``: a delivery takes
``waiting`` for the program's own question, and believes more of what it then sees. A guess must
never be a reason to believe, and ``unknown`` holds every message, too.
"""

import re

from torch_cli.programs.box import echo_in, find_box, is_rule
from torch_cli.programs.foot import below_box
from torch_cli.programs.profile import Profile, Rule
from torch_cli.programs.state import (
    LOW_PANE,
    TROUBLES,
    UNKNOWN_DIALOG,
    UNKNOWN_KIND,
    UNREAD,
    AgentState,
    Box,
    Dialog,
    HookEvent,
    Spot,
    State,
    Trouble,
    one_line,
)
from torch_cli.programs.trouble import said
from torch_cli.tmux.screen import Screen
from torch_cli.width import cells_of

_QUEUE_ROWS = 12  # how far above the box a queue notice counts: a few messages and the spinner
_DIALOG_ROWS = 40  # how much of the bottom a dialog whose top is out of sight may take
_SCROLL_BAR = re.compile(r"(?<! ) *[│█]$")  # Qwen Code shows one for a moment, beside a dialog too
_OPTION = re.compile(r"\W*\d+\. ")  # a row of a numbered menu
_FRAMED = re.compile(r" *│")  # a row of a frame, which has a top
_NEAR_ROWS = 3  # how many rows a question may take
_MARGIN = 2  # columns at the right that programs leave free in a dialog: Claude Code, in a plan's
_NEARLY_BLANK = 1  # rows with text that a program may have left before it draws


def classify(screen: Screen, profile: Profile, hook: HookEvent | None = None) -> AgentState:
    """Return the state that ``screen`` shows, with its evidence.

    ``hook`` is the latest event of the pane's own hooks, if it has any. It counts only if the
    screen says nothing, because the screen is newer than any event that led to it.
    """
    if screen.dead:
        return AgentState(State.DEAD, "the pane's process has ended", "dead")
    if screen.in_mode:
        return AgentState(State.UNKNOWN, "the pane is in a mode", "mode")
    look = _Look(screen, profile)
    for rule in profile.rules:
        row = look.matches(rule)
        if row is not None:
            return look.decided(rule, row)
    return look.undecided(hook)


class _Look:
    """One screen with its box and regions, each worked out once."""

    def __init__(self, screen: Screen, profile: Profile) -> None:
        self.screen = screen
        self.profile = profile
        self.box: Box | None = find_box(screen, profile)
        self.filled = [index for index, row in enumerate(screen.rows) if row.text.strip()]
        self._regions: dict[str, list[str]] = {}

    def region(self, where: str, rows: int) -> list[str]:
        """Return the rows of a region with text, top to bottom, at most ``rows`` of them.

        The region above the box begins at the last echoed message: rows before it are old. Of this
        region, ``nearest`` begins with the last row that is not indented. ``turn`` is what stands
        below that message to the end of the screen.
        """
        if where not in self._regions:
            self._regions[where] = self._region(where)
        lines = self._regions[where]
        return lines[-rows:] if where in ("above", "bottom", "turn") else lines

    def _region(self, where: str) -> list[str]:
        """Return all rows of a region with text."""
        if where == "title":
            return [self.screen.title] if self.screen.title else []
        if where == "nearest":
            lines = self.region("above", len(self.screen.rows))
            heads = [at for at, line in enumerate(lines) if not line.startswith(" ")]
            return lines[heads[-1] if heads else 0 :]
        lines = [self.screen.rows[index].text for index in self._indexes(where)]
        if where == "above":
            hint = self.profile.box.hint
            lines = [line for line in lines if hint is None or not hint.search(line)]
            lines = lines[max(self._echo(lines), 0) :]
        if where == "turn":
            lines = lines[self._echo(lines) + 1 :]
        return lines

    def _echo(self, lines: list[str]) -> int:
        """Return which of ``lines`` echoes the last message; -1 if none does."""
        spec = self.profile.box
        backwards = range(len(lines) - 1, -1, -1)
        return next((n for n in backwards if echo_in(lines[n], spec, queued=False) is not None), -1)

    def _indexes(self, where: str) -> list[int]:
        if where in ("bottom", "turn"):
            return self.filled
        if self.box is None:
            return []
        frame = self.profile.box.frame
        if where == "above":
            return [index for index in self.filled if index < self.box.first - frame]
        if where in ("footer", "panel"):
            footer, panel = below_box(self.screen, self.box, self.profile.box)
            rows = footer if where == "footer" else panel
            return [index for index in self.filled if index in rows]
        return [index for index in self.filled if self.box.first <= index <= self.box.last]

    def matches(self, rule: Rule) -> str | None:
        """Return the row that makes ``rule`` true, or None."""
        if rule.box is not None and rule.box != (self.box is not None):
            return None
        if rule.title is not None and not rule.title.search(self.screen.title):
            return None
        lines = self.region(rule.where, rule.rows)
        found = next((line for line in reversed(lines) if rule.match.search(line)), None)
        if rule.also is not None and not any(rule.also.search(line) for line in lines):
            return None
        if rule.unless is not None and any(rule.unless.search(line) for line in lines):
            return None
        return found

    def decided(self, rule: Rule, row: str) -> AgentState:
        """Return the state of the rule that matched ``row``."""
        dialog = reset = None
        if rule.state is State.WAITING:
            dialog = self.dialog(rule)
        if rule.reset is not None:
            words = " ".join(line.strip() for line in self.region(rule.where, rule.rows))
            match = rule.reset.search(row) or rule.reset.search(words)
            reset = match[1] if match else None
        evidence = f"{rule.name}: {one_line(row)}"
        found = self._state(rule.state, evidence, rule.name, dialog, reset)
        return found._replace(advice=rule.advice)

    def _state(
        self,
        state: State,
        evidence: str,
        rule: str,
        dialog: Dialog | None = None,
        reset: str | None = None,
    ) -> AgentState:
        """Return a state together with the other facts of the screen."""
        queued, mode = self.queued(), self.mode()
        found = AgentState(state, evidence, rule, self.box, dialog, reset, queued, mode)
        return found._replace(trouble=self.trouble(state))

    def trouble(self, state: State) -> Trouble | None:
        """Return the trouble that the screen shows beside ``state``, if it shows any."""
        for rule in self.profile.troubles:
            wanted = State(rule.state)
            if TROUBLES[wanted] is not state:
                continue
            lines = self.region(rule.where, rule.rows)
            for at in range(len(lines) - 1, -1, -1):
                matched = rule.match.match(" ".join(line.strip() for line in lines[at:]))
                if matched is not None:
                    return said(wanted, matched)
        return None

    def undecided(self, hook: HookEvent | None) -> AgentState:
        """Return the state of a screen that no rule knows."""
        said = self.profile.hooks.events.get(hook.name, "") if hook is not None else ""
        dialog = self.unknown_dialog()
        if dialog is not None and self.box is not None:
            return self._state(State.UNKNOWN, _seems(dialog), UNKNOWN_DIALOG, dialog)
        state, evidence, rule = self._by_structure(dialog)
        # An empty box without any sign of work reads as idle, whatever an older event said, because
        # nothing fires on Esc. ``turn`` weighs what the program itself says of its turn. In some
        # programs text in the box hides the signs of work, so then the event decides. Without a box
        # the event decides too.
        if hook is not None and (self.box is None or not self.box.empty):
            heard = _heard(said, self.box)
            if heard is not None:
                state, evidence, rule = heard, f"hook: {one_line(hook.name)}", "hook"
        found = self._state(state, evidence, rule, None if state is State.EXITED else dialog)
        return found._replace(advice=self.profile.unread) if rule == UNREAD else found

    def _by_structure(self, dialog: Dialog | None) -> tuple[State, str, str]:
        if dialog is not None:
            return State.UNKNOWN, _seems(dialog), UNKNOWN_DIALOG
        if self.profile.unread:
            return State.UNKNOWN, f"its profile reads no screen; {self._end()}", UNREAD
        if self.box is not None and self.profile.box.footer_own and not self._around():
            return State.UNKNOWN, "the pane is too low to show the input box and more", LOW_PANE
        if self.box is not None and self.box.empty:
            return State.IDLE, "the input box is empty and no work shows", "box"
        if self.box is not None:
            draft = one_line(self.box.text, 60)
            return State.IDLE, f"the input box holds text and no work shows: {draft}", "box"
        if len(self.filled) <= _NEARLY_BLANK:
            return State.STARTING, "the screen is blank and shows no input box", "blank"
        return State.UNKNOWN, f"no input box and no known dialog; {self._end()}", "no box"

    def _end(self) -> str:
        """Return words about the last row of the screen."""
        if not self.filled:
            return "its screen is blank"
        return f"the last row is: {one_line(self.screen.rows[self.filled[-1]].text)}"

    def _around(self) -> bool:
        """Whether anything is above or below the box."""
        return bool(self._indexes("above") or self._indexes("footer"))

    def queued(self) -> bool:
        """Whether a notice above or below the box says that messages wait for their turn."""
        pattern = self.profile.paste.queued
        if pattern is None:
            return False
        rows = [*self.region("above", _QUEUE_ROWS), *self.region("footer", 0)]
        return any(pattern.search(line) for line in rows)

    def mode(self) -> str:
        """Return the name of the mode that the program shows beside its box, '' if none."""
        if self.box is None or not self.profile.modes.known:
            return ""
        width, padding = self.screen.width, self.profile.box.padding
        above = [self.screen.rows[index].text for index in self._indexes("above")]
        above = [row for row in above if not is_rule(row, width, padding)]
        rows = {"footer": self.region("footer", 0), "above": above[-1:]}
        for mode in self.profile.modes.known:
            if any(mode.match.search(row) for row in rows[mode.where]):
                return mode.name
        return ""

    def dialog(self, rule: Rule) -> Dialog:
        """Return the dialog at the bottom of the screen."""
        rows = [self.screen.rows[index].text for index in self.filled[-_DIALOG_ROWS:]]
        chosen, cursor = len(rows), self.profile.box.dialog_cursor
        if cursor is not None:
            marked = [at for at, row in enumerate(rows) if cursor.search(row)]
            chosen = marked[-1] if marked else chosen
        rows, chosen, cut = self._from_top(rows, chosen)
        bar = self.profile.box.bar
        asked = [row.replace(bar, " ") if bar else row for row in rows[:chosen]]
        named = [row for row in asked if rule.question and rule.question.search(row)]
        question = one_line(named[0]) if named else _question(asked, self.screen.width)
        selected = chosen if chosen < len(rows) else None
        spots = _spots(rule, rows) if rule.choose == "click" else ()
        aside = self.profile.box.dialog_aside
        how = (rule.choose, selected, spots, rule.text, rule.text_keys, cut, aside)
        return Dialog(rule.kind, question, tuple(rows), _hash_of(rows), *how)

    def unknown_dialog(self) -> Dialog | None:
        """Return what has the shape of a dialog: at the end of the screen, or below the box."""
        rows = [row.text for row in self.screen.rows]
        if self.box is None:
            from torch_cli.programs.shape import shape_of

            cursor = self.screen.cursor if self.screen.cursor_visible else None
            places, shape = self.filled, shape_of(rows, cursor)
        else:
            places = self._indexes("footer")
            if sum(_OPTION.match(rows[index]) is not None for index in places) < 2:
                return None
            from torch_cli.programs.shape import menu_below

            rows = [row if index in places else "" for index, row in enumerate(rows)]
            shape = menu_below(rows)
        if shape is None:
            return None
        # All of it counts: nobody knows where its top is, or what it is about.
        begin = min(self.filled[-_DIALOG_ROWS:][0], shape.words)
        places = [index for index in places if index >= begin]
        texts, at = [rows[index] for index in places], places.index(shape.words)
        near = texts[max(0, at - _NEAR_ROWS) : at + 1]
        question = _question(near, self.screen.width) if "?" in near[-1] else one_line(near[-1])
        marked = None if shape.marked is None else places.index(shape.marked)
        words = question.strip("│┃ ")
        return Dialog(UNKNOWN_KIND, words, tuple(texts), _hash_of(texts), marked=marked)

    def _from_top(self, rows: list[str], chosen: int) -> tuple[list[str], int, bool]:
        """Return ``rows`` from the top of the dialog on, and where ``chosen`` is in them.

        Also whether rows of it are out of sight: its top, which is known of a dialog that begins
        with a rule or is in a frame, or the rest of a part that scrolls by itself.
        """
        spec, width = self.profile.box, self.screen.width
        # A rule may also be between the options of a menu. Such a rule does not begin a dialog.
        tops = [
            at
            for at, row in enumerate(rows[:chosen])
            if (
                is_rule(row, width, spec.dialog_top) and not _OPTION.match(" ".join(rows[at + 1 :]))
            )
            or (spec.dialog_above is not None and spec.dialog_above.search(row))
        ]
        if tops:
            rows, chosen = rows[tops[-1] + 1 :], chosen - tops[-1] - 1
        if spec.dialog_start is not None:
            starts = [at for at, row in enumerate(rows[:chosen]) if spec.dialog_start.search(row)]
            rows, chosen = rows[starts[-1] if starts else 0 :], chosen - (starts or [0])[-1]
            tops += starts
        begins = spec.dialog_top != "" or _FRAMED.match(rows[0]) is not None
        more = spec.dialog_more
        scrolls = more is not None and any(more.search(row) for row in rows)
        return rows, chosen, scrolls or (begins and not tops)


def _hash_of(rows: list[str]) -> str:
    import hashlib

    bare = (" ".join(_SCROLL_BAR.sub("", row).split()) for row in rows)
    normal = "\n".join(row for row in bare if row)
    return hashlib.sha256(normal.encode()).hexdigest()[:12]


def _spots(rule: Rule, rows: list[str]) -> tuple[Spot, ...]:
    """Return the groups of ``rule.match`` in the last row that it matches."""
    found = [(at, match) for at, row in enumerate(rows) if (match := rule.match.search(row))]
    if not found:
        return ()
    at, match = found[-1]
    groups = [n for n in range(1, rule.match.groups + 1) if match[n]]
    columns = [sum(map(cells_of, rows[at][: match.start(n)])) for n in groups]
    return tuple(Spot(match[n], at, column) for n, column in zip(groups, columns, strict=True))


def _seems(dialog: Dialog) -> str:
    """Return the evidence of a dialog of an unknown kind."""
    if dialog.question.endswith("?"):
        return f"it seems to ask '{dialog.question}', which its profile does not know"
    return f"it seems to show a menu that its profile does not know: {dialog.question}"


def _heard(said: str, box: Box | None) -> State | None:
    """Return the state that an event means if the screen cannot tell, or None."""
    if box is not None:
        return State.WORKING if said in ("submitted", "working") else None
    return {"waiting": State.WAITING, "exited": State.EXITED}.get(said)


def _question(rows: list[str], width: int) -> str:
    """Return the last question in ``rows``, its wrapped lines joined, or else the first row."""
    asked = [index for index, row in enumerate(rows) if re.search(r"\?(\s|$)", row)]
    if not asked:
        return one_line(rows[0]) if rows else ""
    first = last = asked[-1]
    while first and _wraps(rows[first - 1], rows[first], width):
        first -= 1
    text = " ".join(rows[first : last + 1])
    return one_line(text[: text.rindex("?") + 1], 200)


def _wraps(row: str, after: str, width: int) -> bool:
    """Whether the program broke the text in ``row`` because the next word did not fit."""
    words = any(character.isalnum() for character in row)
    margin = _MARGIN if " " in row.strip() else 1  # a path alone may just be that long
    return words and len(row) + 1 + len(after.split()[0]) >= width - margin
