"""Which message is next: one is delivered once we have the pane and all before it are done."""

import time
from collections.abc import Callable

from torch_cli.delivery.ending import EXPIRED, NOTHING_TYPED, held, waits
from torch_cli.delivery.job import Job
from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.obstacle import asleep, frozen, refused
from torch_cli.delivery.procedure import deliver_one, finish
from torch_cli.delivery.reading import Policy, Reader
from torch_cli.delivery.receipt import Outcome, Receipt, receipt_for_others, receipt_of
from torch_cli.delivery.recipient import Recipient
from torch_cli.errors import HeldError
from torch_cli.store import Store
from torch_cli.store.messages import Message
from torch_cli.store.steps import Step
from torch_cli.tmux.control import ControlClient


def deliver(
    client: ControlClient,
    store: Store,
    recipient: Recipient,
    message: Message,
    policy: Policy,
    on_step: Callable[[str], None] = lambda step: None,
    *,
    again: bool = False,
) -> Receipt:
    """Deliver an accepted message and return its receipt, which is also in the store.

    Messages in the outbox for the same recipient that go before it are delivered first. If one of
    them is held, so is this one. ``on_step`` gets each step as it begins, and what Torch waits for.
    Raises ``NotFoundError`` if the pane is gone, ``TimedOutError`` if tmux does not answer; nothing
    was typed then. ``again`` says that it waited in the outbox, where it then stays. Otherwise its
    owner (``hand``) makes sure that it will not be typed.
    """
    pane = recipient.pane
    reader = Reader(client, store, recipient, policy, on_step)
    patience = 0.0 if policy.when == "now" else policy.timeout
    try:
        with pane_lock(
            *(pane.server, pane.id, message.id, patience),
            on_wait=lambda by: on_step(waits(recipient.name, f"{by} is typing into its pane")),
        ):
            said = (message.state, message.reason)
            # Another sender with the same key may have had the lock before us.
            message = store.messages.reopen(message.id, pane.at)
            if message.step == Step.DONE:
                return receipt_of(message)
            return _in_turn(Job(reader, message, on_step, again=again, said=said))
    except HeldError as locked:
        ended = held(locked.message.removesuffix(NOTHING_TYPED))
        # The holder of the lock may be delivering this very message, which is kept or has a key.
        store.messages.settle(ended.of(message), only_at=(Step.ACCEPTED,))
        return receipt_for_others(store, message.id)


def _in_turn(job: Job) -> Receipt:
    """Deliver the message after those that go before it. The pane's lock is held."""
    messages, reader = job.store.messages, job.reader
    if why := frozen(job.store, reader.recipient) or asleep(job.store, reader.recipient):
        # A text that was left in its box stays there.
        typed = job.message.step != Step.ACCEPTED
        return receipt_of(job.message) if typed else job.settle(held(why))
    login = refused(job.store, reader.recipient, job.message)
    if login and job.message.step == Step.ACCEPTED:
        return job.settle(held(login))
    for earlier in messages.unfinished(reader.pane.at):
        left = finish(Job(reader, earlier, job.on_step))
        if earlier.id == job.message.id and left.state is Outcome.QUEUED:
            return deliver_one(Job(reader, messages.get(earlier.id), job.on_step, again=True))
        if earlier.id == job.message.id:
            return left
        if left.state is Outcome.HELD:
            return job.settle(held(_behind(left)))
    for ahead in messages.ahead_of(job.message):
        if refused(job.store, reader.recipient, ahead):
            continue  # what a person sends shows whether the login works again
        left = _deliver_ahead(reader, ahead)
        if left.state in (Outcome.HELD, Outcome.QUEUED):
            return job.settle(held(_behind(left)))
    return deliver_one(job)


def _deliver_ahead(reader: Reader, message: Message) -> Receipt:
    """Deliver a message that waited before the one that ``reader`` is for."""
    store = reader.store
    if message.deadline is not None and message.deadline <= time.time():
        store.messages.withdraw(message.id, EXPIRED, told=False)
        return receipt_of(store.messages.get(message.id))
    said = (message.state, message.reason)
    message = store.messages.reopen(message.id, reader.pane.at)
    policy = Policy(message.type_when, max(0.0, reader.deadline - time.monotonic()))
    own = Reader(reader.client, store, reader.recipient, policy, reader.on_step)
    return deliver_one(Job(own, message, again=True, said=said))


def _behind(left: Receipt) -> str:
    return f"behind {left.id}, which is {left.state}: {left.reason.removesuffix(NOTHING_TYPED)}"
