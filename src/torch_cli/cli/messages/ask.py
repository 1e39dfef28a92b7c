"""``torch ask``."""

from typing import Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import ANY_BYTES, SECONDS, common_options, message_options
from torch_cli.cli.sending import ANSWERED_WITHIN


@click.command("ask")
@click.argument("target", shell_complete=complete_agents)
@click.argument("message", type=ANY_BYTES)
@click.option(
    "--timeout",
    type=SECONDS,
    default=ANSWERED_WITHIN,
    show_default=True,
    metavar="SECONDS",
    help="For all of it: until it is idle, the delivery, and its answer.",
)
@message_options
@common_options
def command(common: Common, **given: Any) -> int:
    """Send MESSAGE to TARGET when it is idle, wait until it has answered, and print the answer.

    MESSAGE - reads standard input. The answer is what the program itself reports or writes
    into its transcript, else what stands on the screen between the message and the input box
    ("approximate": true in the JSON). A question that the program asks on the way is not
    answered: exit code 4.

    \b
    Examples:
      torch ask dev "Which tests fail?"
      git diff | torch ask reviewer - --timeout 1800
      torch ask dev "One word: done or not?" --json | jq -r .text
    """
    from torch_cli.cli.sending import run_ask

    return run_ask(common, **given)
