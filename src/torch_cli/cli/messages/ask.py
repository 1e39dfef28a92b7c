"""``torch ask``."""

from typing import Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import ANY_BYTES, common_options, message_options, seconds_option
from torch_cli.cli.sending import ANSWERED_WITHIN_SECONDS


@click.command("ask")
@click.argument("target", shell_complete=complete_agents)
@click.argument("message", type=ANY_BYTES)
@seconds_option(
    "--timeout",
    ANSWERED_WITHIN_SECONDS,
    "The most seconds for all of it: until the agent is idle, the delivery, and the answer.",
)
@message_options
@common_options
def command(common: Common, **given: Any) -> int:
    """Send MESSAGE to TARGET when it is idle, wait for the answer, and print it.

    MESSAGE - reads standard input. The answer is what the program itself reports or writes into
    its transcript, else the text on the screen between the message and the input box
    ("approximate": true in the JSON). If the program asks a question meanwhile, Torch does not
    answer it: exit code 4. A message that is held does not wait in the outbox: ask again. If the
    turn ends with an error of its API, that is on stderr: exit code 9, and with --json its kind,
    HTTP status and words are in error.details.error.

    \b
    Examples:
      torch ask dev "Which tests fail?"
      git diff | torch ask reviewer - --timeout 1800
      torch ask dev "One word: done or not?" --json | jq -r .text
    """
    from torch_cli.cli.sending import run_ask

    return run_ask(common, **given)
