"""``torch command``."""

import re

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options, seconds_option
from torch_cli.errors import RefusedError

_COMMAND = re.compile(r"/[A-Za-z]\S*(?: .*)?")


@click.command("command")
@click.argument("target", shell_complete=complete_agents)
@click.argument("text", metavar="/COMMAND")
@seconds_option(
    "--timeout",
    30.0,
    "The most seconds to wait until the agent is idle and its input box is empty.",
)
@common_options
def command(common: Common, target: str, text: str, timeout: float) -> int:
    """Run /COMMAND, one of the program's own commands, in TARGET, and print the receipt.

    'torch send' refuses such texts or makes them harmless. Here you mean them. Torch types the
    command into an idle program's empty box. The proof is its effect on the screen: a menu or
    another screen opens, the text above the box changes, the program ends.

    \b
    Examples:
      torch command dev /clear
      torch command dev "/compact keep the open questions"
    """
    from torch_cli.cli.progress import ProgressPrinter
    from torch_cli.cli.sending import print_receipt
    from torch_cli.delivery.send import Request, send

    if not _COMMAND.fullmatch(text):
        raise RefusedError(
            f"'{text}' is not a command: a command is one line that begins with '/' and a letter",
            hint=f"To send a message: torch send {target} MESSAGE",
            code="no-command",
        )
    request = Request(target, text.encode(), when="idle", timeout=timeout, command=True)
    return print_receipt(send(common.socket, request, ProgressPrinter(common)), common)
