"""``torch top``."""

import sys

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import ANY_BYTES, common_options


@click.command("top")
@common_options
@click.option(
    "--svg",
    "picture",
    type=ANY_BYTES,
    metavar="FILE",
    help="Save a picture of it as SVG, as it is now, and end. It needs no terminal.",
)
def command(common: Common, picture: str | None) -> None:
    """Show all agents on the whole terminal, who needs you first, always as they are now.

    Below the list is the selected agent: what it asks, and its own screen in its colours. Keys:
    Enter attaches (and detaching comes back), a digit answers by that option, only while exactly
    that question is up, m sends a message, r restarts, c makes a checkpoint, / filters, ? helps,
    Ctrl-P lists all commands, q quits. Nothing depends on it being open: the daemon watches.

    It needs the package Textual: the extra 'top' of torch-cli. It honours NO_COLOR. -L or -S shows
    the agents of that server only. A picture is as large as the terminal, or as COLUMNS and LINES
    say if there is none.

    \b
    Examples:
      torch top
      COLUMNS=100 LINES=30 torch top --svg agents.svg
      tmux display-popup -E -w 90% -h 90% torch top
    """
    from torch_cli.cli.table import paper
    from torch_cli.errors import RefusedError, TorchError

    try:
        from torch_cli.cli.dashboard.app import run
        from torch_cli.cli.dashboard.picture import check_picture
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        from torch_cli.installed import adding_command

        raise TorchError(
            "'torch top' needs the package Textual, which is not installed; nothing was shown",
            hint=f"To install it:\n  {adding_command('textual')}\nWithout it: torch ps --watch",
            code="no-extra",
        ) from None
    if picture is not None and not common.json:
        check_picture(picture)
        _save(common, picture)
        return
    if common.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise RefusedError(
            "'torch top' is for a person at a terminal; nothing was shown",
            hint="For a program: torch status --json, or torch events --follow --json",
            code="usage",
        )
    run(common.socket, paper())


def _save(common: Common, path: str) -> None:
    import os

    from torch_cli.cli.dashboard.picture import save_picture
    from torch_cli.cli.present import printable, say, terminal_size
    from torch_cli.cli.table import Paper

    size = terminal_size()
    home = os.path.expanduser("~")
    on = Paper(size.columns, True, home=home if home.startswith("/") else "")
    count = save_picture(common.socket, on, path, (size.columns, size.lines))
    agents = "1 agent" if count == 1 else f"{count} agents"
    say(printable(f"saved  {path}  {agents}"))
