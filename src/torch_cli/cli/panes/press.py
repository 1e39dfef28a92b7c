"""``torch press``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options


@click.command("press")
@click.argument("target", shell_complete=complete_agents)
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@click.option(
    "--dialog", metavar="HASH", help="The dialog that you answer, by its hash from 'torch state'."
)
@common_options
def command(common: Common, target: str, keys: tuple[str, ...], dialog: str | None) -> None:
    """Press KEYs in TARGET's pane, on purpose: an interrupt, an answer to a dialog.

    KEYs are tmux's names (Enter, Escape, Tab, Space, Up, C-c, M-x, F5) or one printable character
    each. While a dialog shows, Torch presses them only with the dialog's hash, and only if it is
    still exactly that dialog; of several KEYs each only while the same is asked. What has the shape
    of a menu or a question is a dialog, too, if the program's profile does not know it.

    \b
    Examples:
      torch press dev Escape
      torch press dev 2 --dialog 3f9a1c55d0e7
    """
    from torch_cli.pressing.press import press
    from torch_cli.store import Store

    with Store() as store:
        pane = press(store, common.socket, target, keys, dialog)
    facts = {"schema": "torch.press/1", "target": target, "pane": pane, "keys": list(keys)}
    common.show(facts, f"pressed  {target} ({pane})  {' '.join(keys)}")
