"""``torch send``."""

from typing import Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import ANY_BYTES, common_options, delivery_options


@click.command("send")
@click.argument("target", shell_complete=complete_agents)
@click.argument("message", type=ANY_BYTES)
@delivery_options
@common_options
def command(common: Common, **given: Any) -> int:
    """Deliver MESSAGE to TARGET, an agent's name or a tmux target, and print its receipt.

    MESSAGE - reads standard input. No key is pressed unless the text stands in the program's own
    input box: a dialog is not answered, and a person's draft is not touched.

    \b
    Examples:
      torch send dev "Run the tests and mend what fails."
      git diff | torch send reviewer -
      torch send work:2.1 "status?" --when idle --timeout 120
      torch send dev "deploy" --key release-42 --json
      torch send dev -- "- an item of a list"
    """
    from torch_cli.cli.sending import run_send

    return run_send(common, **given)
