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
    from torch_cli.delivery.send import Request, check_permitted, send
    from torch_cli.roster.authority import check_over
    from torch_cli.roster.registry import registered
    from torch_cli.store import Store
    from torch_cli.teams.retire import hand_over

    with Store() as store:
        nothing = "nothing was handed over"
        check_over(store, registered(store, giver, nothing), "hand over the work of")
        check_permitted(store, registered(store, taker, nothing), nothing)
        _, text = hand_over(store, giver, taker, deadline=deadline)
    request = Request(taker, text.encode(), sender=giver, kind="handoff", free=True)
    return print_receipt(send(common.socket, request), common)
