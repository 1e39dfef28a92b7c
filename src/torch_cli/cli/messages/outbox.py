"""``torch outbox``: what waits to be delivered, and what did not arrive."""

import time
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents, complete_waiting
from torch_cli.cli.options import ANY_BYTES, common_options, table_options
from torch_cli.cli.table import Column, TableForm
from torch_cli.cli.verbs import Verbs

if TYPE_CHECKING:
    from torch_cli.store import Store
    from torch_cli.store.messages import Message

OUTBOX_CHARACTERS = 40
"""How many characters of a body are in its line of the list."""

_COLUMNS = (
    Column("message", 0, 0),
    Column("state", 0, 0, "state"),
    Column("to", 0, 16),
    Column("age", 1, 0),
    Column("why", 2, 16),
    Column("text", 3, 12),
    Column("from", 4),
    Column("expires", 5, 0),
)


@click.group("outbox", cls=Verbs)
def command() -> None:
    """Show and change the messages that wait for delivery.

    Messages that 'torch send' could not deliver wait here, for each agent in the order of
    acceptance. Torch delivers them when the way is free: by 'torch daemon', by 'torch tick' from
    cron, or before the next message to the same agent.

    \b
    Examples:
      torch outbox list
      torch outbox show m-4f2a09c1d1c8
      torch outbox cancel m-4f2a09c1d1c8
      torch outbox retry m-4f2a09c1d1c8 --expires 2h
    """


@command.command("list")
@click.option(
    "--agent", metavar="NAME", shell_complete=complete_agents, help="Messages for this agent only."
)
@click.option(
    "--all", "also_ended", is_flag=True, help="Also messages that did not arrive earlier."
)
@common_options
@table_options(_COLUMNS)
def list_command(common: Common, look: TableForm, agent: str | None, also_ended: bool) -> None:
    """List waiting messages, in the order of delivery, and messages that did not arrive.

    A message that did not arrive is listed until you have seen it once; with --all always. With
    --json, one object for each message.

    \b
    Examples:
      torch outbox list
      torch outbox list --agent dev
      torch outbox list --all --json | jq -r 'select(.state == "unknown").id'
    """
    from torch_cli.cli.present import note, print_json
    from torch_cli.cli.table import print_table
    from torch_cli.store import Store

    with Store() as store:
        found = store.messages.waiting()
        lost = store.messages.undelivered(untold=not also_ended)
        messages = [one for one in (*found, *reversed(lost)) if agent in (None, one.recipient)]
        if common.json:
            for message in messages:
                print_json(message_object(message))
        elif messages:
            print_table(_COLUMNS, [_row(message) for message in messages], look)
        else:
            note("the outbox is empty", quiet=common.quiet)
        for message in lost:
            if message in messages and not common.json:
                store.messages.told(message.id)


@command.command("show")
@click.argument("identity", metavar="ID", shell_complete=complete_waiting)
@common_options
def show_command(common: Common, identity: str) -> int:
    """Show everything about a message: its receipt, and its text.

    \b
    Examples:
      torch outbox show m-4f2a09c1d1c8
      torch outbox show m-4f2a09c1d1c8 --json | jq -r .body
    """
    from torch_cli.cli.present import print_fields, print_json, printable, say
    from torch_cli.delivery.outbox import find_message
    from torch_cli.delivery.receipt import receipt_for_others
    from torch_cli.store import Store

    with Store() as store:
        message = find_message(store, identity)
        receipt = receipt_for_others(store, message.id)
    shown = {**message_object(message), **receipt.as_json(), "schema": "torch.outbox/1"}
    if common.json:
        print_json({**shown, "body": message.body})
        return receipt.exit_code
    print_fields(
        {
            "message": message.id,
            "to": shown["target"],
            "from": shown["sender"],
            "kind": shown["kind"],
            "state": shown["state"],
            "reason": shown["reason"],
            "made": _day(message.created),
            "expires": _day(message.deadline),
            "typed when": shown["when"],
            "priority": shown["priority"],
        }
    )
    say("")

    for line in message.body.split("\n"):
        say(printable(line))
    return receipt.exit_code


def _day(at: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(at)) if at is not None else ""


@command.command("retry")
@click.argument("identity", metavar="ID", shell_complete=complete_waiting)
@click.option("--expires", metavar="DURATION", help="The longest time (30m, 2h) that it may wait.")
@click.option("--anyway", is_flag=True, help="Also if it may have arrived already.")
@common_options
def retry_command(common: Common, identity: str, expires: str | None, anyway: bool) -> int:
    """Try to deliver a message now: one that waits, or one that did not arrive.

    A message that is 'unknown' may have arrived: look first, then add --anyway.

    \b
    Examples:
      torch outbox retry m-4f2a09c1d1c8
      torch outbox retry m-4f2a09c1d1c8 --anyway --expires 2h
    """
    from torch_cli.cli.sending import duration_of, print_receipt
    from torch_cli.delivery.outbox import retry
    from torch_cli.store import Store

    seconds = duration_of(expires)
    with Store() as store:
        return print_receipt(retry(store, identity, expires=seconds, anyway=anyway), common)


@command.command("cancel")
@click.argument("identities", metavar="[ID]...", nargs=-1, shell_complete=complete_waiting)
@click.option(
    "--agent",
    metavar="NAME",
    shell_complete=complete_agents,
    help="Cancel all messages for this agent.",
)
@common_options
def cancel_command(common: Common, identities: tuple[str, ...], agent: str | None) -> int:
    """Cancel messages in the outbox that Torch has not typed.

    \b
    Examples:
      torch outbox cancel m-4f2a09c1d1c8 m-9c01d2e37f40
      torch outbox cancel --agent dev
    """
    from torch_cli.cli.present import note, print_json, say
    from torch_cli.delivery.outbox import cancel
    from torch_cli.errors import DONE, RefusedError, TorchError
    from torch_cli.store import Store

    if bool(identities) == bool(agent):
        raise RefusedError("give the ids of messages, or --agent NAME; nothing was cancelled")
    status = DONE
    with Store() as store:
        chosen = identities or _waiting_for(store, agent)
        for identity in dict.fromkeys(chosen):
            try:
                receipt = cancel(store, identity)
            except TorchError as error:
                if len(chosen) == 1:
                    raise
                note(f"torch: {error.message}", quiet=False)
                status = error.exit_code
                continue
            if common.json:
                print_json(message_object(store.messages.get(identity)))
            else:
                say(f"cancelled  {receipt.id}  {receipt.target}")
        if not chosen:
            note(f"no message waits for {agent}", quiet=common.quiet)
    return status


def _waiting_for(store: "Store", agent: str | None) -> list[str]:
    waiting = [one for one in store.messages.waiting() if one.recipient == agent]
    return [one.id for one in waiting if one.step == "accepted"]


@command.command("edit")
@click.argument("identity", metavar="ID", shell_complete=complete_waiting)
@click.argument("message", type=ANY_BYTES, required=False)
@click.option("--clean", is_flag=True, help="Remove control and invisible characters, and say so.")
@common_options
def edit_command(common: Common, identity: str, message: str | None, clean: bool) -> int:
    """Change the text of a waiting message; its place in the order stays.

    MESSAGE - reads standard input; without MESSAGE your editor opens ($VISUAL, $EDITOR).

    \b
    Examples:
      torch outbox edit m-4f2a09c1d1c8 "Run the tests, and the linter too."
      torch outbox edit m-4f2a09c1d1c8
    """
    from torch_cli.cli.sending import body_of, print_receipt
    from torch_cli.delivery.outbox import edit, own_message
    from torch_cli.errors import RefusedError
    from torch_cli.store import Store

    with Store() as store:
        if message is None:
            text = click.edit(own_message(store, identity, "edited").body)
            if text is None:
                raise RefusedError(f"you saved nothing in the editor; {identity} was not changed")
            body = text.removesuffix("\n").encode()
        else:
            body = body_of(message)
        receipt = edit(store, identity, body, clean=clean)
    print_receipt(receipt, common)
    return 0


def message_object(message: "Message") -> dict[str, Any]:
    """Return a message of the outbox under its published schema."""
    from torch_cli.cli.messages.receipt import PREVIEW_CHARACTERS
    from torch_cli.cli.schema import timestamp
    from torch_cli.delivery.receipt import receipt_of
    from torch_cli.store.messages import PRIORITIES

    words = {number: word for word, number in PRIORITIES.items()}
    return {
        **receipt_of(message).as_json(),
        "schema": "torch.outbox/1",
        "sender": message.sender or None,
        "kind": message.kind,
        "created": timestamp(message.created),
        "expires": timestamp(message.deadline),
        "when": message.type_when,
        "priority": words[message.priority],
        "preview": message.body[:PREVIEW_CHARACTERS],
    }


def _row(message: "Message") -> list[str]:
    from torch_cli.cli.present import age
    from torch_cli.cli.schema import shown_state
    from torch_cli.delivery.receipt import receipt_of
    from torch_cli.programs.state import one_line

    now = time.time()
    receipt = receipt_of(message)
    left = "" if message.deadline is None else f"in {age(message.deadline - now)}"
    return [
        message.id,
        shown_state(message),
        message.recipient,
        age(now - message.created),
        receipt.reason,
        one_line(message.body, OUTBOX_CHARACTERS),
        message.sender,
        left if receipt.kept else "",
    ]
