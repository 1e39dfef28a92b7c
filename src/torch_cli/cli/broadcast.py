"""``torch broadcast``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import ANY_BYTES, SECONDS, common_options


@click.command("broadcast")
@click.argument("message", type=ANY_BYTES)
@click.option("--role", "roles", multiple=True, help="Those of this role only; repeatable.")
@click.option("--dry-run", is_flag=True, help="Say who would get it, and send nothing.")
@click.option(
    "--timeout",
    type=SECONDS,
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="The most seconds to wait for each agent; what is held stays in the outbox.",
)
@common_options
def command(
    common: Common, message: str, roles: tuple[str, ...], dry_run: bool, timeout: float
) -> int:
    """Send MESSAGE to every agent but yourself; - reads standard input. Each has a receipt.

    The exit status is the first that is not 0. -L or -S means the agents of that tmux server only.

    \b
    Examples:
      torch broadcast "The main branch is frozen until noon."
      torch broadcast --role developer "Please rebase." --dry-run
    """
    from torch_cli.cli.present import note, print_error, print_json, say
    from torch_cli.cli.sending import body_of, print_receipt
    from torch_cli.delivery.send import Request, own_name, send
    from torch_cli.errors import DONE, NotFoundError, TorchError
    from torch_cli.store import Store
    from torch_cli.watch.listing import agents_on

    body = body_of(message)
    with Store() as store:
        own = own_name(store)
        every = [one for one in agents_on(store, common.socket) if one.name != own]
    names = [one.name for one in every if not roles or one.role in roles]
    if not names:
        raise NotFoundError("no agent is meant by that; nothing was sent", code="no-agent")
    if dry_run:
        if common.json:
            print_json({"schema": "torch.broadcast/1", "agents": names})
        else:
            say("\n".join(names))
        return DONE
    status = DONE
    for name in names:
        try:
            request = Request(target=name, body=body, kind="broadcast", timeout=timeout)
            code = print_receipt(send(common.socket, request), common)
        except TorchError as error:
            print_error(error, common.json)
            code = error.exit_code
        status = status or code
    note(f"  {len(names)} agents", quiet=common.quiet or common.json)
    return status
