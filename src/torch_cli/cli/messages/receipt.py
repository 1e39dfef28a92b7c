"""``torch receipt``."""

import time
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import COUNT, common_options
from torch_cli.cli.present import age, print_json, printable, say
from torch_cli.cli.schema import timestamp
from torch_cli.errors import DONE, NotFoundError

if TYPE_CHECKING:
    from torch_cli.delivery.receipt import Receipt
    from torch_cli.store import Store
    from torch_cli.store.messages import Message

PREVIEW_CHARACTERS = 200
"""How many characters of a body are in its object."""

RECEIPT_CHARACTERS = 60
"""How many characters of a body are in its line of the list."""

MESSAGE_STATES = ("queued", "held", "submitted", "confirmed", "failed", "unknown")


@click.command("receipt")
@click.argument("identity", metavar="[ID]", required=False)
@click.option(
    "--agent",
    metavar="NAME",
    shell_complete=complete_agents,
    help="Messages of this agent, not of an earlier one of its name.",
)
@click.option("--state", type=click.Choice(MESSAGE_STATES), help="Messages in this state.")
@click.option("-n", "--number", type=COUNT, default=1, show_default=True, help="The newest N.")
@common_options
def command(
    common: Common, identity: str | None, agent: str | None, state: str | None, number: int
) -> int:
    """Show what is known about message ID, or about the latest message.

    The exit status says the same as the receipt. With -n above 1 the newest come first, one on each
    line: age, id, state, recipient, sender, first words; the exit status is then 0.

    \b
    Examples:
      torch receipt
      torch receipt m-4f2a09c1d1c8 --json
      torch receipt --agent dev --state unknown -n 10
    """
    from torch_cli.cli.sending import print_receipt
    from torch_cli.delivery.receipt import receipt_for_others
    from torch_cli.store import Store

    with Store() as store:
        messages = _find(store, identity, agent, state, number)
        found = [(message, receipt_for_others(store, message.id)) for message in messages]
    for message, receipt in found:
        if common.json:
            print_json(_object(message, receipt))
        elif number > 1:
            _print_line(message, receipt)
        else:
            print_receipt(receipt, common)
    return DONE if number > 1 else found[0][1].exit_code


def _find(
    store: "Store", identity: str | None, agent: str | None, state: str | None, number: int
) -> "list[Message]":
    """Return the messages that are asked for; raise ``NotFoundError`` if there is none."""
    from torch_cli.delivery.outbox import find_message

    if identity is None:
        known = store.agents.get(agent) if agent else None
        identity = known.identity if known else None
        found = store.messages.latest(recipient=agent, agent=identity, state=state, limit=number)
        if not found:
            raise NotFoundError("no message matches", code="no-message")
        return found
    return [find_message(store, identity)]


def _object(message: "Message", receipt: "Receipt") -> dict[str, Any]:
    """Return the receipt with what tells one message from another in a list."""
    return {
        **receipt.as_json(),
        "created": timestamp(message.created),
        "sender": message.sender,
        "preview": message.body[:PREVIEW_CHARACTERS],
    }


def _print_line(message: "Message", receipt: "Receipt") -> None:
    from torch_cli.delivery.ending import shown_state
    from torch_cli.programs.state import one_line

    words = [f"{age(time.time() - message.stands_since):>4}", message.id]
    words += [f"{shown_state(receipt):<9}", message.recipient]
    words += [f"from {message.sender}"] if message.sender else []
    shown = (*words, one_line(message.body, RECEIPT_CHARACTERS))
    say("  ".join(map(printable, shown)), indent=6)
