"""``torch inbox``."""

import time

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import COUNT, common_options, table_options
from torch_cli.cli.present import age, note
from torch_cli.cli.schema import shown_state, timestamp
from torch_cli.cli.table import Column, TableForm
from torch_cli.errors import RefusedError

_COLUMNS = (
    Column("message", 0, 0),
    Column("from", 1, 12),
    Column("kind", 3, 0),
    Column("when", 2, 0),
    Column("state", 0, 0, "state"),
    Column("text", 0, 16),
)


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
@table_options(_COLUMNS)
def command(
    common: Common, look: TableForm, agent: str | None, number: int, unanswered: bool
) -> None:
    """List the messages to AGENT (default: the agent you are), the newest last.

    --open lists only questions, escalations and plain messages of other agents that AGENT has not
    answered. With --json, one object for each message.

    \b
    Examples:
      torch inbox
      torch inbox dev --open
    """
    from torch_cli.delivery.receipt import receipt_of
    from torch_cli.roster.actor import own_name
    from torch_cli.roster.registry import no_agent
    from torch_cli.store import Store

    with Store() as store:
        name = agent or own_name(store)
        if not name:
            raise RefusedError("say whose inbox: torch inbox AGENT", code="usage")
        known = store.agents.get(name)
        if known is None:
            raise no_agent(store, name)
        found = store.messages.inbox(known, number + 1, unanswered=unanswered)
        older, found = len(found) > number, found[-number:]
    now = time.time()
    objects = (
        {
            "schema": "torch.inbox/1",
            "id": message.id,
            "from": message.sender or None,
            "kind": message.kind,
            "created": timestamp(message.created),
            "reply_to": message.reply_to or None,
            "state": str(receipt_of(message).state),
            "body": message.body,
        }
        for message in found
    )
    rows = (
        [
            message.id,
            message.sender or ("torch" if message.free else "a person"),
            message.kind,
            f"{age(now - message.created)} ago",
            shown_state(message),
            message.body.partition("\n")[0][:100],
        ]
        for message in found
    )
    common.show_all(objects, _COLUMNS, rows, look, "no messages")
    if older and not common.json:
        note(f"  there are older ones: -n {2 * number} shows more", quiet=common.quiet)
