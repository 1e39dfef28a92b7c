"""The parts of the screen of ``torch top``: the list, what an agent asks, its own screen."""

import re
import time
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.widget import Widget
from textual.widgets import Footer, OptionList
from textual.widgets.option_list import Option

from torch_cli.attention.groups import GROUPS
from torch_cli.cli.cells import folded
from torch_cli.cli.dashboard.listing import further
from torch_cli.cli.present import age, printable
from torch_cli.cli.table import Paper, homely
from torch_cli.programs.state import State
from torch_cli.top.board import Board, BoardRow

INDENT_COLUMNS = 4
"""Columns by which a row that goes on is indented."""

KEYS_LEFT_OUT = ("checkpoint", "restart", "filter", "message", "answer", "attach", "help")
"""The keys that a narrow screen has no room to name, the first to go first."""

_SGR = re.compile(r"(\x1b\[[0-9;]*m)")
_OTHER = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x09\x0b-\x1f\x7f]"
)
_LINES = re.compile("\x0e([^\x0f]*)\x0f?")
_DRAWN = str.maketrans("jklmnqtuvwx", "┘┐┌└┼─├┤┴┬│")
"""Letters that are lines in the line-drawing set (VT100), between SO and SI."""


class AgentList(OptionList):
    """The agents, a row for each. The selection stays with its agent, whatever its place."""

    BINDINGS = [Binding("enter", "app.attach", "attach", key_display="Enter")]

    def __init__(self) -> None:
        super().__init__(id="agents")
        self._drawn: list[str] = []

    def show(self, names: Sequence[str], lines: Sequence[str]) -> None:
        """Show a line for each agent. One whose agent is gone leaves its place to the next."""
        before, self._drawn = self._drawn, list(lines)
        if [option.id for option in self.options] == list(names):
            for place, line in enumerate(lines):
                if line != before[place]:
                    self._draw(place)
            return
        selected, place, top = self.selected, self.highlighted or 0, self.scroll_offset.y
        self.set_options(Option("", id=name) for name in names)
        for each in range(len(names)):
            self._draw(each)
        if names:
            kept = names.index(selected) if selected in names else min(place, len(names) - 1)
            self.highlighted = kept
            self.scroll_to(y=top, animate=False)
            self.scroll_to_highlight()

    def watch_highlighted(self, highlighted: int | None) -> None:
        """Draw the row that is selected, and that which was, anew."""
        super().watch_highlighted(highlighted)
        for place in range(self.option_count):
            self._draw(place)

    def _draw(self, place: int) -> None:
        """Draw a row: the selected one reversed, which is seen without colours, too."""
        row = Text.from_ansi(self._drawn[place], no_wrap=True, overflow="crop")
        if place == self.highlighted:
            row.pad_right(max(0, self.size.width - row.cell_len))
            row.stylize("reverse")
        if self.get_option_at_index(place).prompt != row:
            self.replace_option_prompt_at_index(place, row)

    @property
    def selected(self) -> str:
        """The name of the selected agent, '' if there is none."""
        option = self.highlighted_option
        return (option.id or "") if option is not None else ""

    async def _on_click(self, event: events.Click) -> None:
        """Select what is clicked on, and no more: Enter attaches."""
        event.prevent_default()
        clicked = event.style.meta.get("option")
        if clicked is not None:
            self.highlighted = clicked


class KeyLine(Footer):
    """The keys, in the last line. Without room for all of them, some are left out, and none is cut.

    ``?`` says all of them.
    """

    def compose(self) -> Iterable[Widget]:
        keys = list(super().compose())
        self._leave_out(keys)
        return keys

    def on_resize(self) -> None:
        """Show as many as there is room for now."""
        self._leave_out(self.children)

    def _leave_out(self, keys: Iterable[Any]) -> None:
        words = {key: f"{key.key_display} {key.description}" for key in keys}
        for key in sorted(words, key=lambda one: _place(one.description)):
            room = sum(len(word) + 1 for word in words.values()) - 1
            key.display = room <= self.app.size.width
            if not key.display:
                del words[key]


def _place(description: str) -> int:
    """Return how soon a key is left out: 0 is the first."""
    return KEYS_LEFT_OUT.index(description) if description in KEYS_LEFT_OUT else len(KEYS_LEFT_OUT)


class Detail(Widget):
    """The selected agent in words: what it asks and which keys answer, or what its state rests on.

    ``asks`` is the hash of the dialog that is shown, and ``shown_at`` since when it is (of the
    monotonic clock).
    """

    def __init__(self, on: Paper) -> None:
        super().__init__(id="detail")
        self.on = on
        self.asks = ""
        self.shown_at = 0.0
        self._words: list[Text] = []
        self._key = ("", "")

    def show(self, row: BoardRow | None) -> None:
        """Show an agent, or none."""
        dialog = row.need.state.state.dialog if row is not None else None
        key = (row.need.agent.identity if row else "", dialog.hash if dialog else "")
        if key != self._key:
            self._key, self.asks, self.shown_at = key, key[1], time.monotonic()
        on = self.on._replace(width=max(1, self.app.size.width))
        lines = in_words(row, on) if row is not None else []
        if lines != self._words:
            self._words = lines
            self.refresh(layout=True)

    def render(self) -> Group:
        """Draw it. Without room for all, what is left out is before the options."""
        left_out = max(0, len(self._words) - self.size.height)
        return Group(*self._words[left_out:])

    @property
    def is_whole(self) -> bool:
        """Whether there is room for all of it, but for the line that says which agent it is."""
        return len(self._words) - 1 <= self.size.height

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self._words)


class AgentScreen(Widget):
    """What the selected agent's program shows, in its colours: the last rows that there is room
    for.
    """

    def __init__(self) -> None:
        super().__init__(id="shown")
        self._rows = ""

    def show(self, row: BoardRow | None) -> None:
        """Show the screen of an agent, or none."""
        pane = row.pane if row is not None else None
        self.border_title = f"its screen, {pane.id} {pane.place}" if pane else "no screen"
        rows = row.rows if row is not None else ""
        if rows != self._rows:
            self._rows = rows
            self.refresh()

    def render(self) -> Text:
        return screen_text(self._rows, self.size.width, self.size.height)


def screen_text(rows: str, width: int, height: int) -> Text:
    """Return the last ``height`` rows of what ``capture-pane -e`` printed, without blank ones at
    the end, each cut to ``width``. Nothing but text, colours and attributes is kept.
    """
    drawn = _LINES.sub(lambda found: found[1].translate(_DRAWN), rows)
    parts = _SGR.split(drawn)
    kept = "".join(part if at % 2 else _OTHER.sub("", part) for at, part in enumerate(parts))
    lines = list(Text.from_ansi(kept).split("\n", allow_blank=True))
    while lines and not lines[-1].plain.strip():
        lines.pop()
    for line in lines:
        line.truncate(width, overflow="crop")
    shown = Text("\n", no_wrap=True, overflow="crop", end="").join(
        lines[-height:] if height else []
    )
    shown.no_wrap, shown.overflow = True, "crop"
    return shown


def in_words(row: BoardRow, on: Paper) -> list[Text]:
    """Return an agent in words."""
    need, seen = row.need, row.need.state.state
    facts = [
        row.need.agent.role,
        homely(need.agent.directory, on.home),
        f"{row.task.id} {row.task.title}" if row.task else "",
        f"until {seen.reset}" if seen.reset else "",
        *further(row, time.time()),
    ]
    lines = [_line("  ".join(filter(None, facts)), "dim")]
    guessed = seen.shown is State.UNKNOWN
    if need.asked.question and not guessed:
        # All of it, and whole: the end of a command decides as much as its beginning.
        lines += _folded(need.asked.question, on, "bold")
        for one in need.asked.rows:
            lines += _folded(f"  {one}", on)
    else:
        lines += _folded(seen.evidence if guessed and not need.left else need.words, on)
    if need.group == "answer":
        lines += _options(row)
    elif need.urgent:
        for step in need.steps:
            lines += _folded(f"  {step.line}  {step.words}", on, "dim")
    return lines


def _folded(words: str, on: Paper, style: str = "") -> list[Text]:
    return [_line(row, style) for row in folded(printable(words), on.width or 80, INDENT_COLUMNS)]


def _options(row: BoardRow) -> list[Text]:
    asked = row.need.asked
    if not asked.choose or not asked.options:
        return [_line("  which key answers it is not known: Enter brings you there")]
    return [
        _line(f"  {one.key}  {one.words}{'  (takes a text)' if one.text == 'needed' else ''}")
        for one in asked.options
    ]


def _line(words: str, style: str = "") -> Text:
    return Text(printable(words), style=style, no_wrap=True, overflow="ellipsis")


def clock(at: float) -> str:
    """Return the time of day of a moment (epoch seconds)."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def headline(board: Board, shown: int, wanted: str = "", *, rests: bool = False) -> Text:
    """Return how many agents need what, and whether somebody watches when you do not.

    ``wanted`` are the words of the filter. ``rests`` says that nobody sees the screen.
    """
    groups = [row.need.group for row in board.rows]
    counted = [f"{groups.count(name)} {name}" for name in GROUPS if name in groups]
    nobody = "no agents: torch spawn NAME starts one" if board.at else "looking …"
    words = [", ".join(counted) or nobody]
    if shown != len(groups):
        words.append(f"{shown} of {len(groups)} shown{f': /{printable(wanted)}' if wanted else ''}")
    if board.scheduler != "daemon" and board.at:
        words.append("no daemon")
    if rests:
        words.append(f"rests since {clock(board.at)} (nobody looks)")
    text = Text("  ".join(words), style="bold", no_wrap=True, overflow="ellipsis")
    for path in board.lost:
        text.append(f"  no tmux server at {printable(path)}", "bold red")
    if board.error is not None:
        waited = age(time.time() - board.at) if board.at else ""
        text.append(f"  {printable(board.error.message)}", "bold red")
        text.append(f" (this is from {waited} ago)" if waited else "", "bold red")
    return text
