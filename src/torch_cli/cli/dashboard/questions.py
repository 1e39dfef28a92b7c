"""What ``torch top`` asks a person, each above the rest of the screen; and its help."""

from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from torch_cli.cli.cells import folded
from torch_cli.cli.dashboard.panels import INDENT_COLUMNS
from torch_cli.cli.present import printable

HELP = """\
Up, Down   select an agent
Enter      attach; detach (prefix d) or 'torch back' comes back
1 … 9      answer by that option, only while that question is up
a          answer by an option's letter or words
m          send it a message, of one or several lines
r          restart it, in the same conversation
c          make a checkpoint of its directory
s          say that you have looked at it
t          each agent below its parent; again: who needs you first
/          show only some agents: by name, state, role, task, …
Ctrl-P     all commands, to be searched
q          quit; the daemon goes on

?  asks   !  unclear or stalled   ✗  ended or failed
●  works   ○  idle   ◌  waits
"""

KEYS_COLUMNS = 11
"""Columns of the help before what a key does."""

DIALOG_COLUMNS = 68
"""Columns of a terminal of 80 that a question has for its words: 90 %, without its frame."""


class TextQuestion(ModalScreen[str | None]):
    """Asks for one line. Returns ``None`` if a person changes their mind."""

    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, words: Sequence[str], hint: str) -> None:
        super().__init__()
        self._words, self._hint = words, hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="question"):
            for line in self._words:
                yield Static(_plain(line))
            yield Input(placeholder=self._hint, compact=True)
            yield Static(Text("Enter does it, Escape does not", style="dim"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the line; a blank one is none."""
        self.dismiss(event.value if event.value.strip() else None)


class MessageField(TextArea):
    """A field for several lines. Enter gives them, Ctrl-J begins another, a paste keeps its own."""

    class Given(Message):
        """The lines are to be taken."""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.prevent_default().stop()
            self.post_message(self.Given())
        elif event.key == "ctrl+j":
            event.prevent_default().stop()
            self.insert("\n")
        else:
            await super()._on_key(event)


class LinesQuestion(ModalScreen[str | None]):
    """Asks for one or several lines. Returns ``None`` if a person changes their mind."""

    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel", priority=True)]

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        with Vertical(classes="question"):
            for line in self._words:
                yield Static(_plain(line))
            yield MessageField(compact=True, highlight_cursor_line=False)
            yield Static(Text("Enter sends it, Ctrl-J begins a line, Escape does not", style="dim"))

    def on_message_field_given(self) -> None:
        """Return the lines; blank ones are none."""
        lines = self.query_one(MessageField).text
        self.dismiss(lines if lines.strip() else None)


class YesNo(ModalScreen[bool]):
    """Asks whether to do something."""

    BINDINGS = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape,enter,q", "dismiss(False)", "No"),
    ]

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        with Vertical(classes="question"):
            room = _room(self.app.size.width)
            for line in self._words:
                for row in folded(printable(line), room, INDENT_COLUMNS):
                    yield Static(_plain(row))
            yield Static(Text("y does it, n or Escape does not", style="dim"))


class KeyHelp(ModalScreen[None]):
    """Says what the keys do."""

    BINDINGS = [Binding("escape,q,enter,question_mark", "dismiss(None)", "Close")]

    def compose(self) -> ComposeResult:
        room = _room(self.app.size.width) - 1  # the bar at its side
        with VerticalScroll(classes="question"):
            for line in HELP.split("\n"):
                for row in folded(line, room, KEYS_COLUMNS):
                    yield Static(_plain(row))


def _room(columns: int) -> int:
    """Return how many columns a question has for its words, in a terminal of so many."""
    return max(min(DIALOG_COLUMNS, columns * 9 // 10 - 4), 2 * KEYS_COLUMNS)


def _plain(words: str) -> Text:
    return Text("\n".join(printable(line) for line in words.split("\n")))
