"""``torch thread``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.present import age, print_json, printable, say
from torch_cli.cli.schema import shown_state, timestamp


@click.command("thread")
@click.argument("identity", metavar="MESSAGE-ID")
@common_options
def command(common: Common, identity: str) -> None:
    """Show the conversation of MESSAGE-ID, oldest first: its first message, and all answers.

    With --json, one object for each message.

    \b
    Examples:
      torch thread m-4f2a09c1d1c8
      torch thread m-4f2a09c1d1c8 --json | jq -r .body
    """
    import time

    from torch_cli.delivery.receipt import receipt_of
    from torch_cli.delivery.reply import thread
    from torch_cli.store import Store

    with Store() as store:
        messages = thread(store, identity)
    for message in messages:
        if common.json:
            print_json(
                {
                    "schema": "torch.message/1",
                    "id": message.id,
                    "reply_to": message.reply_to or None,
                    "sender": message.sender or None,
                    "recipient": message.recipient,
                    "body": message.body,
                    "state": str(receipt_of(message).state),
                    "created": timestamp(message.created),
                }
            )
            continue
        who = f"{message.sender or 'a person'} → {message.recipient}"
        ago = f"{age(time.time() - message.created)} ago"
        answers = (f"answers {message.reply_to}",) if message.reply_to else ()
        words = (message.id, who, shown_state(message), ago, *answers)
        say("  ".join(printable(word) for word in words))
        for line in message.body.split("\n"):
            say(f"    {printable(line)}")
