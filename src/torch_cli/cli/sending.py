"""What ``torch send`` does once its words are parsed, and how a receipt is printed."""

import sys
from typing import TYPE_CHECKING, Any

from torch_cli.cli.common import Common
from torch_cli.cli.present import for_a_reader, note, print_json, printable, say

if TYPE_CHECKING:
    from torch_cli.delivery.receipt import Receipt
    from torch_cli.delivery.send import Request


def run_send(common: Common, **given: Any) -> int:
    """Send what the parameters of the command say, print the receipt, return the exit status."""
    from torch_cli.delivery.send import send

    return print_receipt(send(common.socket, request_of(**given), on_step=common.tell), common)


def request_of(*, message: str, plain: bool = False, **given: Any) -> "Request":
    """Return the request that a command's parameters make; ``message`` - is standard input."""
    from torch_cli.delivery.send import Request

    body = sys.stdin.buffer.read() if message == "-" else message.encode("utf-8", "surrogateescape")
    return Request(body=body, envelope=not plain, **given)


def print_receipt(receipt: "Receipt", common: Common) -> int:
    """Print a receipt and return the exit status that says the same."""
    with for_a_reader():
        if common.json:
            print_json(receipt.as_json())
            return receipt.exit_code
        words = [str(receipt.state), receipt.id, f"{receipt.target} ({receipt.pane})"]
        words.append(f"{receipt.elapsed_ms:.0f} ms")
        say("  ".join(printable(word) for word in words))
        for line in (receipt.reason, *receipt.evidence):
            if line:
                note(f"  {printable(line)}", quiet=common.quiet)
    return receipt.exit_code
