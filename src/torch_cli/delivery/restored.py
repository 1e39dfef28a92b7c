"""A text of ours that a program has put back into its box, as some programs do after Esc.

It was delivered, and a person has stopped it. Torch never submits it again. The messages behind it
are held, and their reason names this message.
"""

from torch_cli.delivery.evidence import Baseline
from torch_cli.delivery.ours import is_ours
from torch_cli.delivery.recipient import Recipient
from torch_cli.programs.observe import Sight
from torch_cli.store import Store

_LATEST = 5
"""How many of the latest messages are compared. A program puts back what it got last."""


def named(reason: str, store: Store, to: Recipient, sight: Sight) -> str:
    """Return ``reason``, or one that says that the draft reads like a delivered message."""
    box = sight.state.box
    if box is None or not reason.startswith("draft"):
        return reason
    for message in store.messages.gone_out(to.pane.at, _LATEST):
        if is_ours(box, message.typed, Baseline(), to.profile, pasted=True):
            what = "pasted text of the size of" if box.placeholders else "the text of"
            return (
                f"draft: {what} message {message.id}, which is {message.state}, is in the box "
                "again: press Enter there to send it once more, or clear the box"
            )
    return reason
