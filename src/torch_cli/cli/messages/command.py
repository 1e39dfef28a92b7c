"""``torch command``."""

import re

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import SECONDS, common_options

_COMMAND = re.compile(r"/[A-Za-z]\S*(?: .*)?")


@click.command("command")
@click.argument("target", shell_complete=complete_agents)
@click.argument("text", metavar="/COMMAND")
@click.option(
    "--timeout",
    type=SECONDS,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="The most seconds to wait until the agent is idle and its box is empty.",
)
@common_options
def command(common: Common, target: str, text: str, timeout: float) -> int:
    """Have the program of TARGET run /COMMAND, a command of its own, and print the receipt.

    'torch send' refuses such texts or makes them harmless; here they are meant. It is typed into
    an idle program's empty box, and its effect on the screen is the proof: a menu or another
    screen opens, what stands above the box changes, the program ends.

    \b
    Examples:
      torch command dev /clear
      torch command dev "/compact keep the open questions"
    """
    from torch_cli.cli.progress import Progress
    from torch_cli.cli.sending import print_receipt
    from torch_cli.delivery.send import Request, send
    from torch_cli.errors import RefusedError

    if not _COMMAND.fullmatch(text):
        raise RefusedError(
            f"'{text}' is no command: it must be one line that begins with '/' and a letter",
            hint=f"To say something: torch send {target} MESSAGE",
            code="no-command",
        )
    request = Request(target, text.encode(), when="idle", timeout=timeout, command=True)
    return print_receipt(send(common.socket, request, Progress(common)), common)
