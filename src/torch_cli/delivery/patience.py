"""Waiting until a message of the outbox is settled: a sender that asked for that (``--wait``)."""

import select
import time
from collections.abc import Callable

from torch_cli.delivery.ending import waits
from torch_cli.delivery.outbox import WAITING, attempt
from torch_cli.delivery.receipt import Receipt, is_on_its_way, receipt_for_others
from torch_cli.store import Store
from torch_cli.store.messages import Message
from torch_cli.store.steps import Step

TRY_AGAIN_SECONDS = 0.5
"""Seconds between two tries of a sender that waits for its message to be delivered."""


def await_final(
    store: Store,
    message: Message,
    seconds: float,
    on_step: Callable[[str], None] = lambda step: None,
) -> Receipt:
    """Try until the outcome of ``message`` is known, at most ``seconds``; return its receipt.

    While another process delivers it, that is waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        receipt = receipt_for_others(store, message.id)
        message = store.messages.get(message.id)
        left = deadline - time.monotonic()
        if receipt.state not in WAITING or left <= 0 or message.step == Step.DONE:
            return receipt_for_others(store, message.id)
        on_step(waits(message.recipient, receipt.reason))
        if not is_on_its_way(message):  # else it is in another's hand
            attempt(store, message, max(0.0, left), on_step)
        if receipt_for_others(store, message.id).state in WAITING:
            select.select([], [], [], max(0.0, min(TRY_AGAIN_SECONDS, deadline - time.monotonic())))
