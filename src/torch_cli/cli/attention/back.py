"""``torch back``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options


@click.command("back")
@click.option(
    "--client", metavar="NAME", help="The tmux client to switch, for key bindings: #{client_name}."
)
@common_options
def command(common: Common, client: str | None) -> None:
    """Return to where this terminal was before 'torch next'.

    It is the window in which you were before the first of several 'torch next'.

    \b
    Examples:
      torch back
      tmux bind-key B run-shell "torch back --client '#{client_name}'"
    """
    from torch_cli.attention.next import back
    from torch_cli.cli.present import print_json

    was = back(common.socket, client)
    if common.json:
        print_json({"schema": "torch.back/1", "client": was.name})
