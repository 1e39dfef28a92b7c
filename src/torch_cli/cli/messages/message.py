"""``torch message``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options, table_options
from torch_cli.cli.present import print_json
from torch_cli.cli.table import Column, TableForm, print_table
from torch_cli.cli.verbs import Verbs

_COLUMNS = (Column("kind", 0, 0), Column("fields", 1, 20, heading="FIELDS (* required)"))


@click.group("message", cls=Verbs)
def command() -> None:
    """Show the kinds of messages between agents, and their forms.

    \b
    Examples:
      torch message kinds
      torch message new status > status.txt
      torch send pm --kind status - < status.txt
    """


@command.command("kinds")
@common_options
@table_options(_COLUMNS)
def kinds_command(common: Common, look: TableForm) -> None:
    """List the kinds and their fields; fields with a star are required.

    \b
    Examples:
      torch message kinds
    """
    from torch_cli.delivery.kinds import MESSAGE_KINDS

    if common.json:
        for kind, fields in MESSAGE_KINDS.items():
            known = [field._asdict() for field in fields]
            print_json({"schema": "torch.kind/1", "kind": kind, "fields": known})
        return
    rows = []
    for kind, fields in MESSAGE_KINDS.items():
        names = (f"{field.name}*" if field.required else field.name for field in fields)
        rows.append([kind, ", ".join(names)])
    print_table(_COLUMNS, rows, look)


@command.command("new")
@click.argument("kind")
@common_options
def new_command(common: Common, kind: str) -> None:
    """Print the form of KIND, to fill in and send.

    \b
    Examples:
      torch message new task
    """
    from torch_cli.delivery.kinds import form, kind_named

    click.echo(form(kind_named(kind)), nl=False)
