"""Screens of real dialogs, and what they could look like at other moments. Seeded; no Torch rule.

A ``Drawn`` is a screen on its way from the captured one to another. Every change leaves at least
one row of the dialog on it, and none of them puts a whole box *below* the dialog: there a screen
would truly show a box, and the dialog would be past.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import test_classify as claude
import test_classify_others as others
import test_other_screens as footed
from torch_cli.programs.classify import classify
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import State
from torch_cli.tmux.screen import Row, Screen

PROFILES: dict[str, Profile] = {"claude": claude.CLAUDE, **footed.PROFILES, **others.PROFILES}

FREE: dict[str, str] = {
    "claude": r"touch \S*approved|stub command|/home/dev\S*|new\.txt|SQLite|PostgreSQL"
    r"|One file, no server|A server of its own|Which database.*|my-dummy\S*",
    "codex": r"touch approved|/home/dev/\S+|the stub asks for it|https://\S+|GPT-6\S* .*",
    "gemini": r"touch approved|gemini-3\S+|\bwork\b",
    "opencode": r"touch (?:approved|\*)|/opt/me/\S+|README\.md|Switch agent|Compact session",
    "aider": r"^(?:touch approved|README\.md|http://\S+)|(?<=: )x$",
}
"""What the dialogs show of somebody else's: commands, files, names of models."""

LIKE_ITS_OWN: dict[str, tuple[str, ...]] = {
    "claude": ("❯\u00a0", "❯\u00a0rm -rf /", "❯ 1. Yes", "─" * 200, "  ? for shortcuts", "! ls"),
    "codex": (
        *("› ", "› 1. Yes", "! ls", "  stub-model default · ~/x", "a · /tmp", "x ↑", "b ·"),
        *("› Ask Codex to do anything", "  ? for shortcuts"),
    ),
    "gemini": (" > ", " >   Type your message", " workspace (/directory)", "─" * 200, "▀" * 200),
    "opencode": ("┃  ", "╹" + "▀" * 200, "  ┃", "Ask anything… ", "   ┃  Build · model"),
    "aider": ("> ", "diff> ", "ask> more", "─" * 200, "multi> ", "Tokens: 2k sent"),
}
"""Text in a dialog that looks like the program's box, prompt, footer or menu."""

WORDS = (
    *("git push --force", "src/main.py", "a", "", "漢字 かな", "👩‍👩‍👧 👍🏽", "é" * 30, "x" * 130),
    *("done?", "$ ", "[Yes]:", "esc to interrupt", "(Y)es/(N)o", "• ◦ ✻ ●", "10. ten", "مرحبا"),
)

_LEAD = re.compile(r"[\s│┃]*")


@dataclass
class Drawn:
    """Rows with whether each is the dialog's, a width, a height, and the cursor: column, row."""

    program: str
    rows: list[tuple[Row, bool]]
    width: int
    height: int
    cursor: tuple[int, int]
    visible: bool

    def insert(self, at: int, rows: list[tuple[Row, bool]]) -> None:
        """Put rows in front of row ``at``; the cursor stays on its text."""
        self.rows[at:at] = rows
        if self.cursor[1] >= at:
            self.cursor = (self.cursor[0], self.cursor[1] + len(rows))

    def cut(self, count: int) -> None:
        """Let ``count`` rows leave at the top."""
        del self.rows[:count]
        self.cursor = (self.cursor[0], max(0, self.cursor[1] - count))

    def dialog(self) -> list[int]:
        """Return the rows of the dialog that hold text."""
        return [at for at, (row, own) in enumerate(self.rows) if own and row.text.strip()]

    def screen(self) -> Screen:
        """Return it as a pane shows it: what is higher than the pane has left at the top."""
        self.cut(max(0, len(self.rows) - self.height))
        rows = [row for row, _ in self.rows]
        rows += [Row.plain("")] * (self.height - len(rows))
        return Screen(tuple(rows), self.width, self.height, self.cursor, self.visible)


def waiting() -> list[tuple[str, str, Screen]]:
    """Return every captured screen with a dialog: program, name, screen."""
    found = [("claude", name, claude.load(name)) for name in claude.FILES]
    for module in (footed, others):
        found += [(program, name, module.load(program, name)) for program, name in module.FILES]
    return [one for one in found if classify(one[2], PROFILES[one[0]]).state is State.WAITING]


def drawn(program: str, screen: Screen) -> Drawn:
    """Return a captured screen, ready to be changed."""
    end = max(at for at, row in enumerate(screen.rows) if row.text) + 1
    state = classify(screen, PROFILES[program])
    assert state.dialog is not None
    lines = screen.lines[:end]
    if state.rule == "completion menu":
        own = {at for at, line in enumerate(lines) if re.match(r" *┃ \S.*┃", line)}
    elif state.rule == "menu" and program == "opencode":
        first = max(at for at, line in enumerate(lines) if re.search(r" {3,}esc(?: |$)", line))
        margin = re.match(" *", lines[first])
        assert margin is not None
        own = {at for at in range(first, end) if lines[at].startswith(margin[0])}
    else:
        rows = 3 if program == "aider" else len(state.dialog.rows)
        filled = [at for at, line in enumerate(lines) if line.strip()]
        own = set(range(filled[-min(rows, len(filled))], end))
    made = [(row, at in own) for at, row in enumerate(screen.rows[:end])]
    cursor, visible = screen.cursor, screen.cursor_visible
    return Drawn(program, made, screen.width, screen.height, cursor, visible)


def fitting(text: str, width: int) -> str:
    """Return ``text`` cut to ``width`` columns, wide characters counted twice."""
    while text and sum(2 if ord(char) > 0x2E80 else 1 for char in text) > width:
        text = text[:-1]
    return text


# -- changes ---------------------------------------------------------------------------------------


def scroll(chance: random.Random, shown: Drawn) -> None:
    """Cut rows at the top, into the dialog but for its last rows."""
    own = shown.dialog()
    shown.cut(chance.randint(0, own[-min(3, len(own))]))


def blank(chance: random.Random, shown: Drawn) -> None:
    """Blank a few rows, as half-drawn screens have them."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(shown.rows))
        if shown.dialog() != [at]:
            shown.rows[at] = (Row.plain(""), shown.rows[at][1])


def cut_row(chance: random.Random, shown: Drawn) -> None:
    """Draw a row but for its end."""
    at = chance.choice(shown.dialog())
    text = shown.rows[at][0].text
    kept = text[: chance.randint(1, len(text))]
    if kept.strip():
        shown.rows[at] = (Row.plain(kept), True)


def plain(chance: random.Random, shown: Drawn) -> None:
    """Drop the attributes, and give rows blanks at their ends."""
    lines = [row.text + " " * chance.randint(0, 3) for row, _ in shown.rows]
    made = Screen.parse("\n".join(lines), width=shown.width, height=len(lines)).rows
    shown.rows = [(row, own) for row, (_, own) in zip(made, shown.rows, strict=True)]


def free_text(chance: random.Random, shown: Drawn) -> None:
    """Put other words where the dialog shows somebody's, and maybe more rows of them."""
    pattern = re.compile(FREE[shown.program])
    places = [at for at in shown.dialog() if pattern.search(shown.rows[at][0].text)]
    if not places:
        return
    at = chance.choice(places)
    row = shown.rows[at][0].text
    typed = shown.cursor[1] == at and shown.visible  # an answer that is being typed has one line
    count = 1 if typed else chance.choice([1, 1, 2, 5, 12])
    said = [words(chance, shown.program) for _ in range(count)]
    match = pattern.search(row)
    assert match is not None
    room = shown.width - match.start() - (4 if row.endswith("│") else 0)
    first = row[: match.start()] + fitting(said[0], room)
    lead = _LEAD.match(row)
    assert lead is not None
    more = [lead[0] + fitting(text, shown.width - len(lead[0]) - 4) for text in said[1:]]
    shown.rows[at] = (Row.plain(first + row[match.end() :]), True)
    end = row[-4:] if row.endswith("│") else ""
    shown.insert(at + 1, [(Row.plain(text.ljust(shown.width - 4) + end), True) for text in more])
    if typed:
        shown.cursor = (len(shown.rows[at][0].text), at)


def words(chance: random.Random, program: str) -> str:
    """Return what somebody wrote."""
    known = LIKE_ITS_OWN[program] + WORDS
    return " ".join(chance.choice(known) for _ in range(chance.choice([1, 1, 1, 2, 3])))


def digits(chance: random.Random, shown: Drawn) -> None:
    """Change the dialog's numbers."""
    for at in shown.dialog():
        text = shown.rows[at][0].text
        changed = re.sub(r"\d", lambda _: str(chance.randint(0, 9)), text)
        shown.rows[at] = (Row.plain(changed), True)


def stray(chance: random.Random, shown: Drawn) -> None:
    """Put a line of the conversation somewhere above the dialog."""
    at = chance.randint(0, shown.dialog()[0])
    shown.insert(at, [(Row.plain(fitting(words(chance, shown.program), shown.width)), False)])


def doubled(chance: random.Random, shown: Drawn) -> None:
    """Leave rows standing a second time above the dialog, as a resized program does."""
    first = chance.randrange(len(shown.rows))
    again = shown.rows[first : first + chance.randint(1, 20)]
    shown.insert(chance.randint(0, shown.dialog()[0]), [(row, False) for row, _ in again])


def old_frame(chance: random.Random, shown: Drawn) -> None:
    """Leave the end of an idle screen, box and all, standing above the dialog."""
    old = chance.choice(IDLE[shown.program])
    rows = [row for row in old.rows if row.text][-chance.randint(3, 20) :]
    spaced = chance.random() < 0.5  # as captured, or with the blank rows that were between
    if spaced:
        last = max(at for at, row in enumerate(old.rows) if row.text)
        rows = list(old.rows[max(0, last - chance.randint(3, 20)) : last + 1])
    if old.width == shown.width:
        shown.insert(max(0, shown.dialog()[0] - 1), [(row, False) for row in rows])


def narrower(chance: random.Random, shown: Drawn) -> None:
    """Wrap rows at another width, as tmux does before the program draws anew."""
    width = chance.randint(20, shown.width)
    made: list[tuple[Row, bool]] = []
    column, line = shown.cursor
    for at, (row, own) in enumerate(shown.rows):
        if at == line:
            shown.cursor = (column % width, len(made) + column // width)
        pieces = [row.text[start : start + width] for start in range(0, len(row.text), width)]
        made += [(Row.plain(piece), own) for piece in pieces] if len(pieces) > 1 else [(row, own)]
    shown.rows, shown.width = made, width
    # What was wrapped is higher; a program that is not lower than its pane loses its top.
    shown.height = max(shown.height, chance.choice([shown.height, len(made)]))


def wider(chance: random.Random, shown: Drawn) -> None:
    """Make the pane wider than what the program drew."""
    shown.width += chance.randint(1, 100)


def taller(chance: random.Random, shown: Drawn) -> None:
    """Make the pane taller: blank rows come below, or what scrolled away comes back above."""
    count = chance.randint(1, 30)
    shown.height += count
    if chance.random() < 0.5:
        shown.insert(0, [(Row.plain(words(chance, shown.program)), False) for _ in range(count)])


CHANGES: tuple[Callable[[random.Random, Drawn], None], ...] = (
    *(scroll, blank, cut_row, plain, free_text, digits, stray, doubled, old_frame),
    *(narrower, wider, taller),
)


def changed(chance: random.Random, program: str, screen: Screen) -> tuple[Screen, str]:
    """Return a changed screen, and the names of what was done to it."""
    shown = drawn(program, screen)
    done: list[str] = []
    for change in chance.choices(CHANGES, k=chance.randint(1, 4)):
        change(chance, shown)
        done.append(change.__name__)
        # What no longer fits has left at the top, and the dialog with it if it was so low.
        shown.cut(max(0, len(shown.rows) - shown.height))
        if not shown.dialog():
            return changed(chance, program, screen)
    return shown.screen(), ", ".join(done)


def _idle() -> dict[str, list[Screen]]:
    """Return the captured screens of each program that are idle and have an empty box."""
    found: dict[str, list[Screen]] = {name: [] for name in PROFILES}
    loaded = [("claude", claude.load(name)) for name in claude.FILES]
    for module in (footed, others):
        loaded += [(program, module.load(program, name)) for program, name in module.FILES]
    for program, screen in loaded:
        state = classify(screen, PROFILES[program])
        if state.state is State.IDLE and state.box is not None and state.box.empty:
            found[program].append(screen)
    return found


IDLE = _idle()
