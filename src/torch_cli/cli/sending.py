"""What ``torch send`` and ``torch ask`` do once their words are parsed, and what they print."""

import sys
from typing import TYPE_CHECKING, Any

from torch_cli.cli.common import Common
from torch_cli.cli.present import (
    drop_output,
    for_a_reader,
    note,
    print_json,
    print_text,
    printable,
    say,
    unscheduled,
)
from torch_cli.cli.progress import ProgressPrinter
from torch_cli.delivery.ending import shown_state
from torch_cli.errors import DONE, HELD

if TYPE_CHECKING:
    from torch_cli.delivery.ask import Answer
    from torch_cli.delivery.receipt import Receipt
    from torch_cli.delivery.send import Request

ANSWERED_WITHIN_SECONDS = 600.0
"""The most seconds that ``torch ask`` takes, unless another time is given."""


def run_send(common: Common, **given: Any) -> int:
    """Send the message of the parameters, print the receipt, return the exit status."""
    from torch_cli.delivery.send import send

    request = request_of(**given)
    on_step = ProgressPrinter(common, _what_else(request))
    return print_receipt(send(common.socket, request, on_step), common)


def _what_else(request: "Request") -> str:
    """Say how long a message is waited for, and what else can be done."""
    seconds = max(request.timeout, request.wait)
    return f"{seconds:g} s at most, then the outbox keeps it. Ctrl-C cancels it."


def run_ask(common: Common, *, timeout: float = ANSWERED_WITHIN_SECONDS, **given: Any) -> int:
    """Ask with the message of the parameters, print the answer, return the exit status."""
    from torch_cli.delivery.ask import ask

    answer = ask(
        common.socket, request_of(timeout=timeout, **given), on_step=ProgressPrinter(common)
    )
    if answer.text is None:
        return print_receipt(answer.receipt, common)
    _print_answer(answer, common)
    if sys.stdout.isatty():
        from torch_cli.attention.presence import note_answer

        note_answer(answer.receipt.target)
    return DONE


def request_of(
    *,
    message: str,
    plain: bool = False,
    expires: str | None = None,
    priority: str = "normal",
    kind: str = "",
    **given: Any,
) -> "Request":
    """Return the request of a command's parameters. ``message`` - is standard input.

    With a ``kind``, the filled-in form is the message itself.
    """
    from torch_cli.delivery.send import Request
    from torch_cli.store.messages import PRIORITIES

    seconds = duration_of(expires)
    body = message.encode("utf-8", "surrogateescape") if kind else body_of(message)
    given |= {"kind": kind} if kind else {}
    urgency = PRIORITIES[priority]
    return Request(body=body, envelope=not plain, expires=seconds, priority=urgency, **given)


def body_of(message: str) -> bytes:
    """Return the bytes of a message given as a word; - is standard input."""
    return sys.stdin.buffer.read() if message == "-" else message.encode("utf-8", "surrogateescape")


def duration_of(words: str | None) -> float | None:
    """Return the seconds that ``words`` (``30m``) mean, if any were given."""
    if words is None:
        return None
    from torch_cli.duration import parse

    return parse(words)


def print_receipt(receipt: "Receipt", common: Common) -> int:
    """Print a receipt and return the exit status that says the same.

    The status is that of the message, also if the receipt cannot be printed. A caller that saw a
    failure would send the message again.
    """
    try:
        with for_a_reader():
            _print_receipt(receipt, common)
    except KeyboardInterrupt as interrupt:
        from torch_cli.delivery.hand import told_late

        raise told_late(interrupt, receipt) from interrupt
    except OSError as error:
        drop_output()
        words = f"{receipt.id} is {receipt.state}; its receipt could not be printed"
        common.inform(f"{words}: {error.strerror}")
    return receipt.exit_code


def _print_receipt(receipt: "Receipt", common: Common) -> None:
    if common.json:
        print_json(receipt.as_json())
        return
    words = [shown_state(receipt), receipt.id, f"{receipt.target} ({receipt.pane})"]
    words.append(f"{receipt.elapsed_ms:.0f} ms")
    say("  ".join(printable(word) for word in words))
    for line in (receipt.reason, *receipt.evidence):
        if line:
            note(f"  {printable(line)}", quiet=common.quiet)
    if receipt.submit:
        common.tell(
            f"submitted with {receipt.submit['key']} ({receipt.submit['degree']}): "
            f"{receipt.submit['why']}"
        )
    if receipt.kept and receipt.exit_code == HELD:
        note(f"  it waits in the outbox{_for_whom()}", quiet=common.quiet)


def _for_whom() -> str:
    """Say where to look for a waiting message, or what is missing for its delivery."""
    from torch_cli.store import Store, StoreError

    try:
        with Store() as store:
            missing = unscheduled(store)
    except StoreError:
        missing = ""
    return f", and {missing}" if missing else ": torch outbox list"


def _print_answer(answer: "Answer", common: Common) -> None:
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
    print_text(f"{answer.text or ''}\n")
    if answer.source == "screen":
        words = "line ends and spaces may differ"
        if not answer.complete:
            words = "its beginning had scrolled away, and the program keeps no history"
        note(f"torch: read from the screen: {words}", quiet=common.quiet)
