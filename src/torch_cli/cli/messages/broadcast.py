"""``torch broadcast``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import ANY_BYTES, EVERYWHERE, SECONDS, common_options


@click.command("broadcast")
@click.argument("message", type=ANY_BYTES)
@click.option("--role", "roles", multiple=True, help="Send to this role only; repeatable.")
@EVERYWHERE
@click.option("--dry-run", is_flag=True, help="Show who would get the message, and send nothing.")
@click.option(
    "--timeout",
    type=SECONDS,
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="The most seconds to wait for each agent; held messages stay in the outbox.",
)
@common_options
def command(
    common: Common,
    message: str,
    roles: tuple[str, ...],
    everywhere: bool,
    dry_run: bool,
    timeout: float,
) -> int:
    """Send MESSAGE to every agent of this project but yourself; - is standard input.

    An agent reaches only the agents it may write to. Each message has a receipt. The exit status is
    the first that is not 0. Outside of any project, and with --everywhere, it goes to every agent.
    -L or -S means the agents of that tmux server only.

    \b
    Examples:
      torch broadcast "The main branch is frozen until noon."
      torch broadcast --role developer "Please rebase." --dry-run
    """
    from torch_cli.cli.present import note, print_error, print_json, say
    from torch_cli.cli.progress import ProgressPrinter
    from torch_cli.cli.sending import body_of, print_receipt
    from torch_cli.delivery.send import Request, send
    from torch_cli.errors import DONE, Interrupted, NotFoundError, TorchError
    from torch_cli.roster.actor import actor
    from torch_cli.roster.edges import check_edge, may_write
    from torch_cli.roster.project import project_here, project_of
    from torch_cli.store import Store
    from torch_cli.watch.listing import agents_on

    body = body_of(message)
    with Store() as store:
        own = actor(store)
        project = "" if everywhere else project_here(store, own.agent)
        meant = [
            one
            for one in agents_on(store, common.socket)
            if one.name != own.name
            and (not roles or one.role in roles)
            and (not project or project_of(store, one) == project)
        ]
        names = [one.name for one in meant if not own.agent or may_write(store, own.agent, one)]
        if own.agent is not None and meant and not names:
            check_edge(store, own.agent, meant[0])
    if not names:
        where = f" in {project}" if project else ""
        hint = (
            ("--everywhere means the agents of all projects.")
            if project
            else "'torch ps' lists them."
        )
        raise NotFoundError(
            f"no agent{where} matches; nothing was sent", hint=hint, code="no-agent"
        )
    if dry_run:
        if common.json:
            print_json({"schema": "torch.broadcast/1", "agents": names})
        else:
            say("\n".join(names))
        return DONE
    status = DONE
    for number, name in enumerate(names, 1):
        try:
            request = Request(target=name, body=body, kind="broadcast", timeout=timeout)
            code = print_receipt(send(common.socket, request, ProgressPrinter(common)), common)
        except Interrupted as interrupt:
            if rest := names[number:]:
                interrupt.message = interrupt.message or "interrupted"
                interrupt.message += f"; nothing was sent to {', '.join(rest)}"
                interrupt.details["not_sent"] = rest
            raise
        except TorchError as error:
            print_error(error, common.json)
            code = error.exit_code
        status = status or code
    counted = f"{len(names)} agent{'' if len(names) == 1 else 's'}"
    note(f"  {counted}", quiet=common.quiet or common.json)
    return status
