"""The keys of ``torch top``: each does what the command of its name does, for the selected agent.

They go through the same functions. A key that cannot act says why.
"""

import os
import time
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from textual.app import SystemCommand
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Input

from torch_cli.cli.dashboard import acts
from torch_cli.cli.dashboard.questions import KeyHelp, LinesQuestion, TextQuestion, YesNo
from torch_cli.cli.dashboard.view import View
from torch_cli.cli.table import Paper
from torch_cli.errors import Interrupted, TorchError
from torch_cli.programs.asked import Option
from torch_cli.programs.state import Dialog
from torch_cli.tmux.socket import Socket
from torch_cli.top.board import BoardRow
from torch_cli.top.kept import save_kept
from torch_cli.top.onlookers import in_popup

if TYPE_CHECKING:
    from torch_cli.lifecycle.restart import RestartPlan

READ_SECONDS = 0.7
"""Seconds that a question has been on the screen before a digit answers it: a key that was meant
for something else must not answer what has just come up."""

RETURNED_SECONDS = 0.5
"""Seconds after coming back from an agent in which Enter does nothing: pressed twice by mistake, it
would attach again."""


class Dashboard(View):
    """The dashboard."""

    BINDINGS = [
        Binding("1", "digit('1')", "answer", key_display="1…9"),
        *(Binding(str(n), f"digit('{n}')", show=False) for n in range(2, 10)),
        Binding("a", "answer", "answer in words", show=False),
        Binding("m", "message", "message"),
        Binding("r", "restart", "restart"),
        Binding("c", "checkpoint", "checkpoint"),
        Binding("s", "seen", "seen", show=False),
        Binding("t", "tree", "tree", show=False),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("question_mark", "keys", "help", key_display="?"),
        Binding("escape", "clear", show=False),
        Binding("q,ctrl+c", "leave", "quit", key_display="q"),
    ]

    def __init__(self, socket: Socket, on: Paper, *, for_picture: bool = False) -> None:
        super().__init__(socket, on, for_picture=for_picture)
        self._answering: set[str] = set()
        self._back_at = 0.0

    def action_leave(self) -> None:
        """Quit, once what was begun has ended."""
        if not self.busy:
            self.exit()
            return
        self.leaving = True
        self.say(f"quits when this has ended: {', '.join(self.busy)}")

    def action_keys(self) -> None:
        """Show what the keys do."""
        self.push_screen(KeyHelp())

    def action_attach(self) -> None:
        """Bring this terminal to the selected agent."""
        row = self.chosen_row("attach to")
        if row is None or time.monotonic() < self._back_at + RETURNED_SECONDS:
            return
        try:
            command = acts.attach_command(self.tmux, row.name)
        except TorchError as error:
            self.say(acts.words_of(error))
            return
        if command.switches:
            failed = acts.run_attach(command)
            if not failed and in_popup():
                self.action_leave()  # it would stay above what a person wants to see
        else:
            self.paused.set()
            with self.suspend():
                failed = acts.run_attach(command)
            self.paused.clear()
        self._back_at = time.monotonic()
        self.say(f"{row.name} was not attached: {failed}" if failed else "")
        self.again.set()

    def action_digit(self, key: str) -> None:
        """Answer what the selected agent asks by the option of that digit."""
        row = self.chosen_row("answer")
        if row is None or not self._can_answer(row):
            return
        option = next((one for one in row.need.asked.options if one.key == key), None)
        if option is None:
            keys = ", ".join(one.key for one in row.need.asked.options)
            self.say(f"{row.name} offers no option {key}, but {keys}; nothing was pressed")
            return
        self._answer(row, option)

    def _can_answer(self, row: BoardRow) -> bool:
        """Return whether the question on the screen can be answered; say why if it cannot."""
        need, detail = row.need, self.detail
        dialog = need.state.state.dialog
        why = ""
        if need.group != "answer" or dialog is None:
            why = f"{row.name} asks nothing: it is {need.state.state.shown}"
        elif not need.asked.choose or not need.asked.options:
            why = f"nobody knows which key answers what {row.name} asks: Enter brings you there"
        elif need.asked.cut:
            why = f"what {row.name} asks does not fit its own pane: Enter brings you there"
        elif not detail.is_whole:
            why = f"what {row.name} asks does not fit on this screen: Enter brings you there"
        elif row.name in self._answering:
            why = f"an answer to {row.name} is on its way"
        elif detail.asks != dialog.hash or time.monotonic() < detail.shown_at + READ_SECONDS:
            why = f"what {row.name} asks came up just now: read it, and press the key again"
        if why:
            self.say(f"{why}; nothing was pressed")
        return not why

    def _answer(self, row: BoardRow, option: Option) -> None:
        dialog = row.need.state.state.dialog
        assert dialog is not None
        if option.text != "needed":
            self._give(row.name, option.key, dialog)
            return

        def typed(text: str | None) -> None:
            if text is not None:
                self._give(row.name, option.key, dialog, text)

        asked = [f"{row.name}: {row.need.asked.question}", f"{option.key}  {option.words}"]
        self.push_screen(TextQuestion(asked, "your words"), typed)

    def _give(self, name: str, said: str, dialog: Dialog, text: str | None = None) -> None:
        """Answer ``dialog`` and no other. What is asked next must be read before it is answered."""
        self._answering.add(name)

        def given() -> None:
            self._answering.discard(name)
            self.detail.shown_at = time.monotonic()

        act = partial(acts.answer, self.tmux, name, said, dialog.hash, text)
        self.act(f"answers {name}: {said}", act, given)

    def action_answer(self) -> None:
        """Answer what the selected agent asks by the key or the words of an option."""
        row = self.chosen_row("answer")
        if row is None or not self._can_answer(row):
            return
        dialog, need = row.need.state.state.dialog, row.need
        assert dialog is not None

        def said(words: str | None) -> None:
            if words is not None:
                self._give(row.name, words, dialog)

        options = [f"  {one.key}  {one.words}" for one in need.asked.options]
        self.push_screen(
            TextQuestion([f"{row.name}: {need.asked.question}", *options], "an option"), said
        )

    def action_message(self) -> None:
        """Send a message to the selected agent."""
        row = self.chosen_row("send to")
        if row is None:
            return

        def given(message: str | None) -> None:
            if message is not None:
                act = partial(acts.send, self.tmux, row.name, message)
                self.act(f"sends to {row.name}", act)

        self.push_screen(LinesQuestion([f"Message to {row.name}"]), given)

    def action_restart(self) -> None:
        """Restart the selected agent, if a person agrees to what that costs."""
        row = self.chosen_row("restart")
        if row is not None:
            plan = partial(acts.plan_restart, row.name)
            self.begin(f"looks what a restart of {row.name} costs", plan, self._ask_restart)

    def _ask_restart(self, plan: "RestartPlan") -> None:
        name = plan.agent.name

        def decided(agreed: bool | None) -> None:
            if agreed:
                self.act(f"restarts {name}", partial(acts.restart, name, plan))

        self.say("")
        lost = [f"  {one}" for one in plan.losses] or ["  nothing is lost"]
        self.push_screen(YesNo([f"Restart {name}?", *lost]), decided)

    def action_checkpoint(self) -> None:
        """Make a checkpoint of the selected agent's directory."""
        row = self.chosen_row("make a checkpoint for")
        if row is not None:
            act = partial(acts.checkpoint, row.need.agent.directory)
            self.act(f"makes a checkpoint for {row.name}", act)

    def action_seen(self) -> None:
        """Say that you have looked at the selected agent."""
        row = self.chosen_row("look at")
        if row is not None and row.need.group != "done":
            self.say(f"{row.name} has not ended a turn since you looked; nothing was changed")
        elif row is not None:
            self.act(f"{row.name}", partial(acts.seen, row.need.agent.identity, row.name))

    def action_tree(self) -> None:
        """Show each agent below the one that it answers to, or again who needs you first."""
        self.kept = self.kept._replace(tree=not self.kept.tree)
        save_kept(self.kept)
        self.say("each agent is below its parent" if self.kept.tree else "who needs you is first")
        self.draw()

    # -- the filter ----------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Let a person type what to show."""
        field = self.query_one("#filter", Input)
        field.display, field.disabled = True, False
        self.draw()
        self.screen.set_focus(field)  # at once: the next key is for it

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show only what matches."""
        if event.input.id == "filter":
            self.wanted = event.value
            self.draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter."""
        if event.input.id == "filter":
            self._leave_filter(event.input)
            self.draw()

    def _leave_filter(self, field: Input) -> None:
        field.display, field.disabled = False, True
        self.agents.focus()

    def action_clear(self) -> None:
        """Show all agents again, and say nothing more."""
        field = self.query_one("#filter", Input)
        field.value = ""
        self._leave_filter(field)
        self.say("")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield what the command palette offers."""
        for title, words, act in (
            ("attach", "go to the selected agent", self.action_attach),
            ("answer", "answer what it asks", self.action_answer),
            ("message", "send it a message", self.action_message),
            ("restart", "restart it in its conversation", self.action_restart),
            ("checkpoint", "save the files of its directory", self.action_checkpoint),
            ("seen", "you have looked at it", self.action_seen),
            ("filter", "show only some agents", self.action_filter),
            ("tree", "each agent below its parent, or who needs you first", self.action_tree),
            ("help", "what the keys do", self.action_keys),
            ("quit", "the daemon goes on", self.action_leave),
        ):
            yield SystemCommand(title, words, act)


def run(socket: Socket, on: Paper) -> None:
    """Show the dashboard until a person quits. Raises ``Interrupted`` if a signal has ended it."""
    # A restart needs it, in a thread: libtmux asks the encoding of sys.stdout while it is imported,
    # and Textual's own has none.
    import torch_cli.tmux.server  # noqa: F401

    for name in ("COLUMNS", "LINES"):  # they would be believed when the terminal changes its size
        os.environ.pop(name, None)
    app = Dashboard(socket, on)
    try:
        app.run()
    finally:
        app.await_end()
    if app.ended_by:
        raise Interrupted(app.ended_by)
