"""``torch reply``."""

from typing import Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import ANY_BYTES, common_options, delivery_options


@click.command("reply")
@click.argument("identity", metavar="MESSAGE-ID")
@click.argument("message", type=ANY_BYTES)
@delivery_options
@common_options
def command(common: Common, identity: str, **given: Any) -> int:
    """Answer the message MESSAGE-ID: send MESSAGE to the agent that sent it.

    MESSAGE - reads standard input. The id is in the first line of every message between agents:
    [from pm · message · m-4f2a09c1d1c8].

    \b
    Examples:
      torch reply m-4f2a09c1d1c8 "Done: 214 tests pass."
      git log -1 | torch reply m-4f2a09c1d1c8 -
    """
    from torch_cli.cli.progress import ProgressPrinter
    from torch_cli.cli.sending import print_receipt, request_of
    from torch_cli.delivery.reply import reply_to
    from torch_cli.delivery.send import send
    from torch_cli.store import Store

    with Store() as store:
        request = reply_to(store, identity, request_of(target="", **given))
    return print_receipt(send(common.socket, request, ProgressPrinter(common)), common)
