"""``torch inbox``."""

import time

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import COUNT, common_options


@click.command("inbox")
@click.argument("agent", required=False, shell_complete=complete_agents)
@click.option("-n", "--number", type=COUNT, default=20, show_default=True)
@click.option(
    "--open",
    "unanswered",
    is_flag=True,
    help="Only questions of others that the agent has not answered.",
)
@common_options
def command(common: Common, agent: str | None, number: int, unanswered: bool) -> None:
    """List the messages to AGENT (default: the agent you are), the newest last.

    --open lists only questions, escalations and plain messages of other agents that AGENT has not
    answered. With --json, one object for each message.

    \b
    Examples:
      torch inbox
      torch inbox dev --open
    """
    from torch_cli.cli.present import age, note, print_json, print_table
    from torch_cli.cli.schema import timestamp
    from torch_cli.delivery.receipt import receipt_of
    from torch_cli.errors import NotFoundError, RefusedError
    from torch_cli.roster.actor import own_name
    from torch_cli.store import Store

    with Store() as store:
        name = agent or own_name(store)
        if not name:
            raise RefusedError("say whose inbox: torch inbox AGENT", code="usage")
        known = store.agents.get(name)
        if known is None:
            raise NotFoundError(f"no agent named '{name}'", code="no-agent")
        found = store.messages.inbox(known, number + 1, unanswered=unanswered)
        older, found = len(found) > number, found[-number:]
    if common.json:
        for message in found:
            facts = {"id": message.id, "from": message.sender or None, "kind": message.kind}
            at = {"created": timestamp(message.created), "reply_to": message.reply_to or None}
            state = str(receipt_of(message).state)
            body = {"state": state, "body": message.body}
            print_json({"schema": "torch.inbox/1", **facts, **at, **body})
        return
    if not found:
        note("no messages", quiet=common.quiet)
        return
    now = time.time()
    rows = [
        [
            message.id,
            message.sender or ("torch" if message.free else "a person"),
            message.kind,
            f"{age(now - message.created)} ago",
            str(receipt_of(message).state),
            message.body.partition("\n")[0][:100],
        ]
        for message in found
    ]
    print_table(["MESSAGE", "FROM", "KIND", "WHEN", "STATE", ""], rows)
    if older:
        note(f"  there are older ones: -n {2 * number} shows more", quiet=common.quiet)
