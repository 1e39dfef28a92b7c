"""``torch reply``."""

from typing import Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.direct import WHEN
from torch_cli.cli.options import ANY_BYTES, SECONDS, common_options


@click.command("reply")
@click.argument("identity", metavar="MESSAGE-ID")
@click.argument("message", type=ANY_BYTES)
@click.option(
    "--when",
    type=click.Choice(WHEN),
    default="ready",
    show_default=True,
    help="As of 'torch send'.",
)
@click.option(
    "--timeout",
    type=SECONDS,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="As of 'torch send'.",
)
@click.option("--plain", is_flag=True, help="Send the body alone, without an envelope.")
@click.option("--clean", is_flag=True, help="Strip control and invisible characters, and say so.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same key is delivered once.")
@click.option("--from", "sender", metavar="NAME", help="Who answers (default: the agent we are).")
@common_options
def command(common: Common, identity: str, **given: Any) -> int:
    """Answer the message MESSAGE-ID: send MESSAGE to the agent that sent it.

    MESSAGE - reads standard input. The id stands in the first line of every message between
    agents: [from pm · message · m-4f2a09c1].

    \b
    Examples:
      torch reply m-4f2a09c1 "Done: 214 tests pass."
      git log -1 | torch reply m-4f2a09c1 -
    """
    from torch_cli.cli.sending import print_receipt, request_of
    from torch_cli.delivery.reply import reply_to
    from torch_cli.delivery.send import send
    from torch_cli.store import Store

    with Store() as store:
        request = reply_to(store, identity, request_of(target="", **given))
    return print_receipt(send(common.socket, request, on_step=common.tell), common)
