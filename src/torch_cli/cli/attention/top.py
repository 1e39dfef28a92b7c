"""``torch top``."""

import sys

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options


@click.command("top")
@common_options
def command(common: Common) -> None:
    """Show all agents on the whole terminal, who needs you first, always as they are now.

    Below the list is the selected agent: what it asks, and its own screen in its colours. Keys:
    Enter attaches (and detaching comes back), a digit answers by that option, only while exactly
    that question is up, m sends a message, r restarts, c makes a checkpoint, / filters, ? helps,
    Ctrl-P lists all commands, q quits. Nothing depends on it being open: the daemon watches.

    It needs the package Textual: the extra 'top' of torch-cli. It honours NO_COLOR. -L or -S shows
    the agents of that server only.

    \b
    Examples:
      torch top
      tmux display-popup -E -w 90% -h 90% torch top
    """
    from torch_cli.cli.table import paper
    from torch_cli.errors import RefusedError, TorchError

    try:
        from torch_cli.cli.dashboard.app import run
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        raise TorchError(
            "'torch top' needs the package Textual, which is not installed; nothing was shown",
            hint=f"Install it: '{sys.executable} -m pip install textual', or 'pipx inject "
            "torch-cli textual'. Without it: torch ps --watch",
            code="no-extra",
        ) from None
    if common.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise RefusedError(
            "'torch top' is for a person at a terminal; nothing was shown",
            hint="For a program: torch status --json, or torch events --follow --json",
            code="usage",
        )
    run(common.socket, paper())
