"""A dialog that waits, and an answer that was given to one."""

from typing import NamedTuple

from torch_cli.attention.heard import AnswerOutcome
from torch_cli.errors import HeldError, RefusedError
from torch_cli.programs.asked import Asked, Option
from torch_cli.programs.observe import Sight
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AgentState, Dialog
from torch_cli.roster.registry import Found


class Waiting(NamedTuple):
    """A dialog that waits in the pane of ``found``, and what it asks."""

    found: Found
    dialog: Dialog
    asked: Asked


class AnswerGiven(NamedTuple):
    """An answer that was given, and what became of it.

    ``keys`` were pressed in the pane; ``reply WORD`` was given to the program without a key.
    ``outcome`` is what is known of it. ``gone`` says that the dialog has gone since, ``state`` is
    what the agent shows then, and ``asks`` what it asks next.
    """

    name: str
    pane: str
    dialog: str
    question: str
    option: Option
    keys: tuple[str, ...]
    outcome: AnswerOutcome
    gone: bool
    state: AgentState
    asks: Asked

    @property
    def words(self) -> str:
        """What became of it, in words."""
        if not self.gone:
            return "it still shows the question, or asks the same again: look before you answer"
        next_words = f"{self.state.state}: {self.state.evidence}"
        if self.asks.words:
            next_words = f"it asks next: {self.asks.words}"
        if self.outcome is AnswerOutcome.UNKNOWN:
            return f"its program does not say whether it took this answer; {next_words}"
        if self.outcome is AnswerOutcome.OVERTAKEN:
            return f"somebody else's answer came first, and counts; {next_words}"
        return next_words


def dialog_of(found: Found, sight: Sight) -> Dialog:
    """Return the dialog that is seen; raises ``HeldError`` if there is none."""
    state = sight.state
    if state.dialog is not None:
        return state.dialog
    raise HeldError(
        f"'{found.name}' shows no dialog: it is {state.state} ({state.evidence}); nothing was "
        "pressed",
        hint=f"Look with 'torch state {found.name}'.",
        code="no-dialog",
    )


def unknown_keys(found: Found, profile: Profile, dialog: Dialog) -> RefusedError:
    """Return the error for a dialog for which nobody knows the key of an option."""
    return RefusedError(
        f"the profile '{profile.name}' does not say which key answers '{dialog.question}'; nothing "
        "was pressed",
        hint=f"Answer it there: torch attach {found.name}. Or press a key of your choice: "
        f"torch press {found.name} KEY --dialog {dialog.hash}",
        code="no-keys",
    )
