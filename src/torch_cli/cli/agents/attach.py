"""``torch attach``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options
from torch_cli.cli.present import print_json
from torch_cli.cli.waking import wake_first


@click.command("attach")
@click.argument("target", shell_complete=complete_agents)
@common_options
def command(common: Common, target: str) -> None:
    """Attach this terminal to TARGET's window; inside tmux, switch to it.

    An agent that is hibernated is woken first; if that fails, Torch says why, and attaches all the
    same.

    With --json Torch attaches nothing, and prints the command that would.

    \b
    Examples:
      torch attach dev
    """
    from torch_cli.roster.registry import find
    from torch_cli.store import Store
    from torch_cli.tmux.attach import attach, attach_command

    with Store() as store:
        if not common.json:
            wake_first(common, store, target)
        found = find(store, common.socket, target)
    if common.json:
        command = attach_command(found.socket, found.pane)
        print_json({"schema": "torch.attach/1", "pane": found.pane.id, "command": command.words})
    else:
        attach(found.socket, found.pane)
