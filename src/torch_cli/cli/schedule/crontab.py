"""``torch crontab``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.present import note, print_json, say
from torch_cli.cli.verbs import Verbs
from torch_cli.errors import DONE, NOT_FOUND


@click.group("crontab", cls=Verbs)
def command() -> None:
    """Have cron run 'torch tick' every minute, in place of a daemon.

    Torch's line in your crontab ends with '# torch tick'. All other lines stay as they are.

    \b
    Examples:
      torch crontab install --dry-run
      torch crontab install
      torch crontab show
      torch crontab remove
    """


@command.command("install")
@click.option("--dry-run", is_flag=True, help="Print the line, and change nothing.")
@common_options
def install_command(common: Common, dry_run: bool) -> None:
    """Put Torch's line into your crontab, or update it.

    \b
    Examples:
      torch crontab install
    """
    from torch_cli.schedule import cron_mark, crontab

    if dry_run:
        _print("would be", crontab.line(), common)
        return
    change = crontab.change(keep=True)
    if change.after != change.before:
        crontab.write(change.after)
    cron_mark.remember(True)
    _print(
        "installed" if change.after != change.before else "was there",
        change.line_after,
        common,
    )


@command.command("remove")
@click.option("--dry-run", is_flag=True, help="Print the line, and change nothing.")
@common_options
def remove_command(common: Common, dry_run: bool) -> None:
    """Remove Torch's line from your crontab.

    \b
    Examples:
      torch crontab remove
    """
    from torch_cli.schedule import crontab

    change = crontab.change(keep=False)
    if change.after != change.before and not dry_run:
        crontab.write(change.after)
    done = "would be removed" if dry_run else "removed"
    _print(done if change.line_before else "was not there", change.line_before, common)


@command.command("show")
@common_options
def show_command(common: Common) -> int:
    """Show Torch's line of your crontab; exit status 3 if there is none.

    \b
    Examples:
      torch crontab show
    """
    from torch_cli.schedule import crontab

    found = crontab.change(keep=False).line_before
    _print("there" if found else "none", found, common)
    return DONE if found else NOT_FOUND


def _print(state: str, line: str, common: Common) -> None:
    if common.json:
        print_json({"schema": "torch.crontab/1", "state": state, "line": line or None})
        return
    if line:
        say(line, exact=True)
    note(f"  {'would be installed' if state == 'would be' else state}", quiet=common.quiet)
