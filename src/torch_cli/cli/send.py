"""``torch send``."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import Common, common_options

if TYPE_CHECKING:
    from torch_cli.delivery.receipt import Receipt


@click.command("send")
@click.argument("target", shell_complete=complete_agents)
@click.argument("message")
@click.option(
    "--when",
    type=click.Choice(["ready", "idle", "now"]),
    default="ready",
    show_default=True,
    help="ready: also to a working program that queues messages safely; idle: wait for its turn "
    "to end; now: do not wait at all.",
)
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=30.0, show_default=True, metavar="SECONDS"
)
@click.option("--plain", is_flag=True, help="Send the body alone, without an envelope.")
@click.option("--clean", is_flag=True, help="Strip control and invisible characters, and say so.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same key is delivered once.")
@click.option("--from", "sender", metavar="NAME", help="Who sends it (default: the agent we are).")
@common_options
def command(
    common: Common,
    target: str,
    message: str,
    when: str,
    timeout: float,
    plain: bool,
    clean: bool,
    key: str | None,
    sender: str | None,
) -> int:
    """Deliver MESSAGE to TARGET, an agent's name or a tmux target, and print its receipt.

    MESSAGE - reads standard input. No key is pressed unless the text stands in the program's own
    input box: a dialog is not answered, and a person's draft is not touched.

    \b
    Examples:
      torch send dev "Run the tests and mend what fails."
      git diff | torch send reviewer -
      torch send work:2.1 "status?" --when idle --timeout 120
      torch send dev "deploy" --key release-42 --json
    """
    from torch_cli.delivery.send import Request, send

    request = Request(
        target=target,
        body=_body(message),
        when=when,
        timeout=timeout,
        envelope=not plain,
        clean=clean,
        key=key,
        sender=sender,
    )
    receipt = send(common.socket, request, on_step=_progress(common))
    return print_receipt(receipt, common)


def _body(message: str) -> bytes:
    if message == "-":
        return sys.stdin.buffer.read()
    return message.encode("utf-8", "surrogateescape")


def _progress(common: Common) -> Callable[[str], None]:
    def tell(step: str) -> None:
        if common.verbose:
            click.echo(f"torch: {step}", err=True)

    return tell


def print_receipt(receipt: "Receipt", common: Common) -> int:
    """Print a receipt and return the exit status that says the same."""
    from torch_cli.cli.present import for_a_reader, note, print_json, printable

    with for_a_reader():
        if common.json:
            print_json(receipt.as_json())
            return receipt.exit_code
        words = [str(receipt.state), receipt.id, f"{receipt.target} ({receipt.pane})"]
        words.append(f"{receipt.elapsed_ms:.0f} ms")
        click.echo("  ".join(printable(word) for word in words))
        for line in (receipt.reason, *receipt.evidence):
            if line:
                note(f"  {printable(line)}", quiet=common.quiet)
    return receipt.exit_code
