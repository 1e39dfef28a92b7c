"""``torch handoff``."""

import click

from torch_cli.cli.agents.retire import NOTE_WITHIN
from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options


@click.command("handoff")
@click.argument("giver", metavar="FROM", shell_complete=complete_agents)
@click.argument("taker", metavar="TO", shell_complete=complete_agents)
@NOTE_WITHIN
@common_options
def command(common: Common, giver: str, taker: str, deadline: float) -> int:
    """Hand one agent's work over to another: its note, its directory, its tasks. Both continue.

    \b
    Examples:
      torch handoff dev dev2
    """
    from torch_cli.cli.sending import print_receipt
    from torch_cli.store import Store
    from torch_cli.teams.retire import hand_over

    with Store() as store:
        done = hand_over(store, common.socket, giver, taker, deadline=deadline)
    return print_receipt(done.receipt, common)
