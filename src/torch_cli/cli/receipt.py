"""``torch receipt``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options

STATES = ("queued", "held", "submitted", "confirmed", "failed", "unknown")


@click.command("receipt")
@click.argument("identity", metavar="[ID]", required=False)
@click.option("--agent", metavar="NAME", shell_complete=complete_agents, help="Of this agent.")
@click.option("--state", type=click.Choice(STATES), help="In this state.")
@click.option(
    "-n", "--number", type=click.IntRange(min=1), default=1, show_default=True, help="How many."
)
@common_options
def command(
    common: Common, identity: str | None, agent: str | None, state: str | None, number: int
) -> int:
    """Show what is known of message ID, or of the latest.

    The exit status says the same as the receipt. With -n, the newest come first, a line each.

    \b
    Examples:
      torch receipt
      torch receipt m-4f2a09c1 --json
      torch receipt --agent dev --state unknown -n 10
    """
    from torch_cli.cli.sending import print_receipt
    from torch_cli.delivery.receipt import receipt_of
    from torch_cli.errors import DONE, NotFoundError
    from torch_cli.store import Store

    with Store() as store:
        if identity:
            try:
                found = [store.messages.get(identity)]
            except KeyError:
                raise NotFoundError(
                    f"there is no message '{identity}'",
                    hint="'torch receipt -n 10' lists the latest.",
                    code="no-message",
                ) from None
        else:
            found = store.messages.latest(recipient=agent, state=state, limit=number)
        if not found:
            raise NotFoundError("no message matches", code="no-message")
        codes = [print_receipt(receipt_of(message), common) for message in found]
    return codes[0] if len(codes) == 1 else DONE
