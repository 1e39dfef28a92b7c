"""The last look at a dialog before a key goes to it."""

from collections.abc import Callable

from torch_cli.errors import NotFoundError
from torch_cli.programs.observe import Sight
from torch_cli.programs.state import Dialog
from torch_cli.tmux import gate
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.drawn import Drawn, await_drawn
from torch_cli.tmux.gate import GateOutcome
from torch_cli.tmux.panes import Pane

DRAWN_LOOKS = 2
"""How often the dialog is looked at before its key while its program goes on reading."""


def await_still(
    client: ControlClient,
    pane: Pane,
    draws_within: float,
    look: Callable[[], Sight],
    meant: Dialog,
) -> GateOutcome | None:
    """Return ``None`` once all is drawn and the pane shows ``meant``, else what shows instead.

    The gate alone would not do. Of a character that is no letter or digit of ASCII it sees only
    that one is there: ``a-b`` is ``a/b`` to it, and all Chinese words of one length are the same.
    """
    drawn = Drawn(pane.pid, draws_within)
    for _ in range(DRAWN_LOOKS):
        await_drawn(client, pane, drawn)
        try:
            shown = look().state.dialog
        except NotFoundError:
            break  # the gate says why
        if shown is None or shown.hash != meant.hash:
            return GateOutcome(False, gate.look(client, pane).reason or "changed")
        if drawn.all():  # nobody's keys came during that look
            break
    return None
