"""The only typist: everything that Torch pastes or presses goes through here and the gate.

The caller says what must be on the screen, with ``programs.standing``. A caller that types a text
holds the pane's lock.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch_cli.tmux import gate
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.gate import GateOutcome
from torch_cli.tmux.keys import unread_in
from torch_cli.tmux.panes import Pane

REASONS = {
    "input-off": "the pane's input is off (select-pane -d)",
    "synchronized": "the window's panes are synchronised: each of them would get the text",
    "dead": "dead: the pane's process has ended",
    "gone": "gone: the pane was closed",
    "replaced": "another process runs in the pane now",
}
"""Sentences for findings of the gate that another look will not change."""


class Typist(NamedTuple):
    """Types into one pane, over one client."""

    client: ControlClient
    pane: Pane

    def keys_wait(self) -> bool:
        """Return whether keys wait unread in the pane's terminal: a question for ``unless``."""
        return unread_in(self.client, self.pane.id)

    def load(self, buffer: str, text: bytes) -> bool:
        """Put ``text`` into a buffer of tmux's with a name of its own; types nothing."""
        return gate.load(self.client, buffer, text)

    def paste(
        self,
        buffer: str,
        conditions: Sequence[str],
        *,
        framed: bool = True,
        unless: Callable[[], bool] | None = None,
    ) -> GateOutcome:
        """Paste what was loaded if the ``conditions`` are true of the pane in that same step.

        ``unless`` is asked last, just before tmux is: if it is true, nothing is pasted
        (``typing``). The buffer is gone afterwards. ``framed`` asks for a bracketed paste.
        """
        return gate.paste(
            self.client,
            self.pane,
            framed=framed,
            conditions=conditions,
            buffer=buffer,
            unless=unless,
        )

    def unload(self, buffer: str) -> bool:
        """Delete a buffer; return whether there was one. It was not, and will not be, pasted."""
        return gate.unload(self.client, buffer)

    def type(
        self,
        text: bytes,
        buffer: str,
        conditions: Sequence[str],
        *,
        framed: bool = True,
        unless: Callable[[], bool] | None = None,
    ) -> GateOutcome:
        """Load and paste ``text``."""
        if not self.load(buffer, text):
            return GateOutcome(False, "gone")
        return self.paste(buffer, conditions, framed=framed, unless=unless)

    def press(
        self,
        keys: Sequence[str],
        conditions: Sequence[str] = (),
        *,
        unless: Callable[[], bool] | None = None,
    ) -> GateOutcome:
        """Press ``keys`` (tmux's names) if the ``conditions`` are true in that same step.

        ``unless`` is as for ``paste``.
        """
        return gate.press(self.client, self.pane, keys, conditions, unless=unless)
