"""``torch send``."""

from typing import Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.direct import WHEN
from torch_cli.cli.options import ANY_BYTES, SECONDS, common_options


@click.command("send")
@click.argument("target", shell_complete=complete_agents)
@click.argument("message", type=ANY_BYTES)
@click.option(
    "--when",
    type=click.Choice(WHEN),
    default="ready",
    show_default=True,
    help="ready: also to a working program that queues messages safely; idle: wait for its turn "
    "to end; now: do not wait at all.",
)
@click.option(
    "--timeout",
    type=SECONDS,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="The most seconds to wait for the agent to take the message. What is not expected to pass "
    "by itself holds it sooner: a dialog or a limit at once, a draft or copy mode after 2 s.",
)
@click.option("--plain", is_flag=True, help="Send the body alone, without an envelope.")
@click.option("--clean", is_flag=True, help="Strip control and invisible characters, and say so.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same key is delivered once.")
@click.option("--from", "sender", metavar="NAME", help="Who sends it (default: the agent we are).")
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
