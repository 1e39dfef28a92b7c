"""``torch team``."""

from pathlib import Path

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import ANY_BYTES, common_options


@click.group("team")
def command() -> None:
    """Write a torch.toml of what is running.

    \b
    Examples:
      torch team freeze > torch.toml
    """


@command.command("freeze")
@click.argument("directory", type=ANY_BYTES, default=".")
@common_options
def freeze_command(common: Common, directory: str) -> None:
    """Print a torch.toml of the agents that are registered, for the project in DIRECTORY.

    How an agent's program was called, and with which variables, is not known of it: add args and
    env by hand. -L or -S takes the agents of that tmux server only.

    \b
    Examples:
      torch team freeze > torch.toml
    """
    from torch_cli.cli.present import note
    from torch_cli.store import Store
    from torch_cli.team.write import frozen
    from torch_cli.watch.listing import agents_on

    with Store() as store:
        agents = agents_on(store, common.socket)
    if not agents:
        note("torch: no agents are registered", quiet=common.quiet)
    click.echo(frozen(Path(directory).expanduser().resolve(), agents), nl=False)
