"""The screen of ``torch top``, drawn anew from what a thread sees; acts run in threads, too."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.message import Message
from textual.widgets import Input, Static

from torch_cli.cli.dashboard import acts
from torch_cli.cli.dashboard.listing import matching, table
from torch_cli.cli.dashboard.panels import AgentList, AgentScreen, Detail, KeyLine, headline
from torch_cli.cli.present import printable
from torch_cli.cli.table import Paper
from torch_cli.errors import SIGNALLED, TorchError
from torch_cli.interrupts import NUMBERS
from torch_cli.store.agents import Agent
from torch_cli.tmux.socket import Socket
from torch_cli.top.board import Board, BoardRow, Watchman
from torch_cli.top.kept import load_kept
from torch_cli.top.onlookers import Onlookers
from torch_cli.watch.tree import tree

T = TypeVar("T")

FRESH_SECONDS = 1.0
"""Seconds between two looks at the agents."""

LEAVING_SECONDS = 3.0
"""Seconds that leaving the tmux servers may take, at the end of the process."""

NOTE_SECONDS = 20.0
"""Seconds for which it is said what became of a key."""

CSS = """
* { scrollbar-size-vertical: 1;
    scrollbar-color: ansi_bright_black; scrollbar-background: ansi_default;
    scrollbar-color-hover: ansi_bright_black; scrollbar-background-hover: ansi_default;
    scrollbar-color-active: ansi_bright_black; scrollbar-background-active: ansi_default; }
Screen { layout: vertical; }
#headline, #columns { height: 1; padding: 0; text-wrap: nowrap; text-overflow: ellipsis; }
#columns { text-style: dim; }
#agents { height: auto; max-height: 40%; min-height: 1; border: none; padding: 0;
          background: transparent; scrollbar-size-vertical: 1;
          text-wrap: nowrap; text-overflow: ellipsis; }
#agents:focus { border: none; background: transparent; }
#agents > .option-list--option { padding: 0; }
#agents > .option-list--option-hover { background: transparent; }
#agents > .option-list--option-highlighted,
#agents:focus > .option-list--option-highlighted {
    background: transparent; color: ansi_default; text-style: none; }
#detail { height: auto; max-height: 50%; border-top: solid ansi_default; }
#shown { height: 1fr; border-top: solid ansi_default; }
#filter { height: 1; border: none; padding: 0; display: none; }
#note { height: auto; max-height: 3; display: none; text-style: bold; }
ModalScreen { align: center middle; background: transparent; }
.question { width: 90%; max-width: 76; height: auto; max-height: 90%; padding: 0 1;
            border: round ansi_default; background: ansi_default; }
.question Input { margin: 1 0; }
.question TextArea { margin: 1 0; height: auto; min-height: 1; max-height: 12; padding: 0;
                     border: none; background: ansi_default; color: ansi_default; }
"""


class BoardMade(Message):
    """A thread has looked at the agents. ``rests`` says that it looks no more: nobody sees it."""

    def __init__(self, board: Board, *, rests: bool = False) -> None:
        super().__init__()
        self.board, self.rests = board, rests


class View(App[None]):
    """What is shown. ``ended_by`` is the number of the signal that has ended it, 0 for none.

    ``for_picture`` says that it is drawn for a picture: nobody need see it now. ``looked`` is set
    once it shows agents.
    """

    CSS = CSS
    TITLE = "torch top"
    ESCAPE_TO_MINIMIZE = False

    def __init__(self, socket: Socket, on: Paper, *, for_picture: bool = False) -> None:
        super().__init__(ansi_color=True)  # the terminal's own colours, light or dark
        self.theme = "ansi-dark"
        self.ended_by = 0
        self.tmux, self._on = socket, on
        self.board, self.rests = Board(), False
        self._rows: list[BoardRow] = []
        self.wanted = ""
        self.kept = load_kept()
        self.busy: list[str] = []
        self.leaving = False
        self._for_picture, self.looked = for_picture, asyncio.Event()
        self._noted_at = 0.0
        self.again, self._done, self.paused = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._watch, name="torch-top", daemon=True)

    def compose(self) -> ComposeResult:
        yield Static("torch top", id="headline")
        # Above what may fill the screen: on a small one they would be out of sight below it.
        yield Static("", id="note")
        # Disabled while it does not show: keys must not go where nobody sees them.
        filter_words = "filter: Enter keeps it, Escape clears it"
        yield Input(placeholder=filter_words, id="filter", disabled=True)
        yield Static("", id="columns")
        yield AgentList()
        yield Detail(self._on)
        yield AgentScreen()
        yield KeyLine(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin to look."""
        loop = asyncio.get_running_loop()
        for number in NUMBERS:
            if signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, self._ended, int(number))
        self.agents.focus()
        self._thread.start()

    def await_end(self) -> None:
        """Wait until the thread has left all tmux servers, for some seconds at most."""
        self._done.set()
        self.again.set()
        self._thread.join(LEAVING_SECONDS)

    def _ended(self, number: int) -> None:
        """End, in any case: a terminal that is gone may never take what would be written last."""
        self.ended_by = number
        last = threading.Timer(2 * LEAVING_SECONDS, os._exit, [SIGNALLED + number])
        last.daemon = True
        last.start()
        self.exit()

    @property
    def agents(self) -> AgentList:
        """The list."""
        return self.screen_stack[0].query_one("#agents", AgentList)

    @property
    def detail(self) -> Detail:
        """The selected agent in words."""
        return self.screen_stack[0].query_one("#detail", Detail)

    # -- looking -------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Look once, then again and again as long as somebody sees that, in a thread of its own."""
        watchman, onlookers = Watchman(self.tmux), Onlookers()
        board = watchman.look()
        self.post_message(BoardMade(board))
        rests = False
        while not self._done.is_set():
            if not self.paused.is_set():
                if self._for_picture or onlookers.any():
                    board, rests = watchman.look(), False
                    self.post_message(BoardMade(board))
                elif not rests:
                    rests = True
                    self.post_message(BoardMade(board, rests=True))
            self.again.wait(FRESH_SECONDS)
            self.again.clear()
        watchman.close()
        onlookers.close()

    def on_board_made(self, made: BoardMade) -> None:
        """Show what was seen."""
        self.board, self.rests = made.board, made.rests
        self.draw()
        self.looked.set()

    def on_resize(self) -> None:
        """Fit the list into the new width."""
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw what was seen last."""
        if not self.screen_stack:
            return
        base = self.screen_stack[0]
        self._rows = matching(self.board.rows, self.wanted)
        on = self._on._replace(width=max(1, self.size.width))
        depths: list[int] = []
        if self.kept.tree:
            ordered = list(tree(self._rows, _above(self._rows)))
            depths, self._rows = [depth for depth, _ in ordered], [row for _, row in ordered]
        heading, *lines = table(self._rows, time.time(), on, depths)
        base.query_one("#headline", Static).update(
            headline(self.board, len(self._rows), self._kept_filter(), rests=self.rests)
        )
        base.query_one("#columns", Static).update(
            Text.from_ansi(heading if self._rows else "", no_wrap=True, overflow="crop")
        )
        self.agents.show([row.name for row in self._rows], lines)
        self._draw_selected(self.agents.selected)
        if self._noted_at and time.monotonic() > self._noted_at + NOTE_SECONDS:
            self.say("")

    def _kept_filter(self) -> str:
        """Return the words that filter the list, '' while they are seen in their own field."""
        field = self.screen_stack[0].query_one("#filter", Input)
        return "" if field.display else self.wanted

    def _draw_selected(self, name: str) -> None:
        base = self.screen_stack[0]
        row = next((one for one in self._rows if one.name == name), None)
        self.detail.show(row)
        base.query_one("#shown", AgentScreen).show(row)

    def on_option_list_option_highlighted(self, event: AgentList.OptionHighlighted) -> None:
        """Show the agent that was selected."""
        self._draw_selected(event.option_id or "")

    # -- saying --------------------------------------------------------------------------------

    def say(self, words: str) -> None:
        """Say what became of a key; with '' nothing more is said."""
        note = self.screen_stack[0].query_one("#note", Static)
        note.display = bool(words)
        note.update(Text(printable(words)))
        self._noted_at = time.monotonic() if words else 0.0

    def chosen_row(self, act: str) -> BoardRow | None:
        """Return the selected agent; say why there is nothing to ``act`` on if there is none."""
        name = self.agents.selected
        row = next((one for one in self._rows if one.name == name), None)
        if row is None:
            self.say(f"no agent is selected to {act}")
        return row

    def act(
        self, words: str, act: Callable[[], str], ended: Callable[[], None] = lambda: None
    ) -> None:
        """Do ``act`` in a thread, and say what became of it; ``ended`` is called in any case."""
        self.begin(words, act, self.say, ended)

    def begin(
        self,
        words: str,
        act: Callable[[], T],
        then: Callable[[T], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Do ``act`` in a thread; hand to ``then`` what it returns, or say why it failed."""
        self.busy.append(words)
        self.say(f"{words} …")

        def work() -> None:
            try:
                done = partial(then, act())
            except TorchError as error:
                done = partial(self.say, acts.words_of(error))
            except Exception as error:  # a thread's own would be lost
                done = partial(self.say, f"{words} failed: {type(error).__name__}: {error}")
            self.call_later(self._finish, words, done, ended)

        threading.Thread(target=work, name=words).start()

    def _finish(self, words: str, done: Callable[[], None], ended: Callable[[], None]) -> None:
        self.busy.remove(words)
        ended()
        done()
        self.again.set()
        if self.leaving and not self.busy:
            self.exit()


def _above(rows: Sequence[BoardRow]) -> Callable[[Agent], Agent | None]:
    """Return what tells which agent another one answers to."""
    found = {row.agent.identity: row.above for row in rows}
    return lambda agent: found[agent.identity]
