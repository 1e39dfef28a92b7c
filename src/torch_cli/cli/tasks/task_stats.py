"""``torch task stats``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options, table_options
from torch_cli.cli.table import TableForm
from torch_cli.cli.tasks.task_shown import RECORD_COLUMNS, print_records


@click.command("stats")
@common_options
@table_options(RECORD_COLUMNS)
def command(common: Common, look: TableForm) -> None:
    """Show each agent's tasks: taken, done, failed, lost, and how long they took.

    \b
    Examples:
      torch task stats
    """
    from torch_cli.store import Store
    from torch_cli.tasks.record import records

    with Store() as store:
        found = records(store)
    print_records(found, common, look)
