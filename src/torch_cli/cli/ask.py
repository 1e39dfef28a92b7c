"""``torch ask``."""

from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import ANY_BYTES, SECONDS, common_options, message_options

if TYPE_CHECKING:
    from torch_cli.delivery.ask import Answer


@click.command("ask")
@click.argument("target", shell_complete=complete_agents)
@click.argument("message", type=ANY_BYTES)
@click.option(
    "--timeout",
    type=SECONDS,
    default=600.0,
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
    from torch_cli.cli.sending import print_receipt, request_of
    from torch_cli.delivery.ask import ask

    answer = ask(common.socket, request_of(**given), on_step=common.tell)
    if answer.text is None:
        return print_receipt(answer.receipt, common)
    _print(common, answer)
    return 0


def _print(common: Common, answer: "Answer") -> None:
    from torch_cli.cli.present import note, print_json, say

    if common.json:
        print_json(
            {
                "schema": "torch.answer/1",
                "id": answer.receipt.id,
                "target": answer.receipt.target,
                "pane": answer.receipt.pane,
                "text": answer.text,
                "source": answer.source,
                "approximate": answer.source == "screen",
                "complete": answer.complete,
                "elapsed_ms": round(answer.elapsed_ms, 1),
            }
        )
        return
    say(answer.text or "")
    if answer.source == "screen":
        words = "line ends and blanks may differ"
        if not answer.complete:
            words = "its beginning had scrolled away, and the program keeps no history"
        note(f"torch: read off the screen: {words}", quiet=common.quiet)
