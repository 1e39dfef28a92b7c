"""What ``torch send`` does once its words are parsed, and how a receipt is printed."""

import sys
from typing import TYPE_CHECKING

from torch_cli.cli.common import Common
from torch_cli.cli.present import for_a_reader, note, print_json, printable, say

if TYPE_CHECKING:
    from torch_cli.delivery.receipt import Receipt


def run_send(
    common: Common,
    *,
    target: str,
    message: str,
    when: str = "ready",
    timeout: float = 30.0,
    plain: bool = False,
    clean: bool = False,
    key: str | None = None,
    sender: str | None = None,
) -> int:
    """Send, print the receipt, and return the exit status; ``message`` - is standard input."""
    from torch_cli.delivery.send import Request, send

    given = message == "-"
    body = sys.stdin.buffer.read() if given else message.encode("utf-8", "surrogateescape")
    request = Request(
        target=target,
        body=body,
        when=when,
        timeout=timeout,
        envelope=not plain,
        clean=clean,
        key=key,
        sender=sender,
    )
    tell = (lambda step: note(f"torch: {step}")) if common.verbose else (lambda step: None)
    return print_receipt(send(common.socket, request, on_step=tell), common)


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
