"""Draining the outbox: which messages wait, which recipients are free, and parallel deliveries.

One connection to each tmux server is kept for looking. Threads deliver to free recipients, one
recipient each, over their own connections. The store and the pane's lock separate them from every
other sender.
"""

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from torch_cli.delivery import outbox
from torch_cli.delivery.ending import NOTHING_TYPED
from torch_cli.delivery.lock import typist_of
from torch_cli.delivery.obstacle import frozen, obstacle, refused
from torch_cli.delivery.receipt import Outcome, Receipt
from torch_cli.delivery.recipient import Recipient, recipient
from torch_cli.delivery.restored import named
from torch_cli.delivery.waking import sleeper_for, wake
from torch_cli.errors import NotFoundError, TorchError
from torch_cli.programs.observe import observe
from torch_cli.roster.registry import Found
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import Message
from torch_cli.store.messages import address as address_of
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, list_panes, listen
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.status_line import show

WORKERS = 8
"""Deliveries at once. Each mostly waits, and takes some 30 ms of a core."""

WAKERS = 8
"""Agents that are woken at once. Each start may take minutes, so they are no ``WORKERS``."""

DRAIN_OBSTACLE_SECONDS = 2.0
"""Seconds that a delivery may wait for an obstacle to pass. Then the next round looks again."""

FAILED_LATELY_SECONDS = 90.0
"""A failure is shown to people at tmux if it is not older than this. A tick comes once a minute."""

Address = tuple[str, ...]
"""The identity of a recipient: that of an agent, else a pane of a server."""


def address(message: Message) -> Address:
    """Return the recipient of ``message``, as a key."""
    return address_of(message.agent, message.at)


class Drain:
    """Delivers waiting messages. Use it in one thread at a time.

    The threads collect ``receipts``, and ``round`` returns them.
    """

    def __init__(self, workers: int = WORKERS) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="outbox")
        self._wakers = ThreadPoolExecutor(WAKERS, thread_name_prefix="wake")
        self._running: dict[Address, Future[None]] = {}
        self._clients: dict[str, ControlClient] = {}
        self._settled: list[Receipt] = []
        self._shown: set[str] = set()
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether a delivery runs, or has ended and its receipt was not returned yet."""
        return bool(self._settled) or any(not one.done() for one in self._running.values())

    def round(self, now: float) -> list[Receipt]:
        """Look at every recipient with waiting messages, and begin to deliver to those that are
        free.

        ``now`` is epoch seconds. Returns the receipts that became final since the last round.
        Raises ``StoreError``, and an unexpected error of a delivery.
        """
        self._reap()
        with Store() as store:
            self._settled += outbox.expire(store, now)
            heads = self._heads(store)
            lately = now - FAILED_LATELY_SECONDS
            # Before this round takes their panes' locks: who has just taken one has no name in it.
            left = [one for one in heads if one.updated >= lately and is_left(one)]
            for path in sorted({outbox.server_of(store, message) for message in heads}):
                here = [one for one in heads if outbox.server_of(store, one) == path]
                self._look(store, path, here)
            self._tell_people(left, outbox.tell_senders(store, lately))
        return self.settled()

    def settled(self) -> list[Receipt]:
        """Return the receipts that became final since the last call."""
        with self._lock:
            settled, self._settled = self._settled, []
        return settled

    def wait(self, deadline: float) -> bool:
        """Wait for running deliveries until ``deadline`` (monotonic); return whether they ended."""
        return not wait(self._running.values(), max(0.0, deadline - time.monotonic())).not_done

    def close(self, seconds: float) -> bool:
        """Begin no more deliveries, and give running ones ``seconds``; return whether all have
        ended.
        """
        for pool in (self._pool, self._wakers):
            pool.shutdown(wait=False, cancel_futures=True)
        ended = self.wait(time.monotonic() + seconds)
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        return ended

    def _reap(self) -> None:
        """Remove ended deliveries; raise the error of one that failed."""
        for to in [to for to, running in self._running.items() if running.done()]:
            self._running.pop(to).result()

    def _heads(self, store: Store) -> list[Message]:
        """Return the first message for each recipient to whom nothing is being delivered."""
        return store.messages.heads(self._running)

    def _look(self, store: Store, path: str, heads: Sequence[Message]) -> None:
        """Look at the recipients on one tmux server, and begin to deliver to those that are free.

        If the server does not answer, that becomes the reason of the messages that wait for it.
        """
        try:
            heads = [one for one in heads if not self._wake(store, one)]
            client, panes = self._listed(path)
        except TorchError as error:
            for message in heads:
                outbox.hold(store, message, _words(error))
            return
        for message in heads:
            place = outbox.place_among(store, message, panes)
            if place.found is None or client is None:
                self._collect(store, outbox.settle_absent(store, message, place))
            elif self._is_open(store, client, message, place.found):
                self._running[address(message)] = self._pool.submit(
                    self._deliver, message, place.found
                )

    def _tell_people(self, left: Sequence[Message], failed: Sequence[Message]) -> None:
        """Show people at the recipient's tmux server, once, which messages did not arrive lately.

        The texts of ``left`` are in boxes, and wait for them.
        """
        messages = [*left, *failed]
        self._shown &= {message.id for message in messages}
        said: dict[str, list[str]] = {}
        for message in messages:
            if message.id in self._shown:
                continue
            self._shown.add(message.id)
            state = "did not arrive" if message.state == "failed" else "may not have arrived"
            if message in left:
                state = "was left in the box and waits for you"
            words = f"torch: {message.id} to {message.recipient} {state} (torch outbox list)"
            said.setdefault(message.server.rsplit("|", 2)[0], []).append(words)
        for path, words_there in said.items():
            with contextlib.suppress(TorchError):
                client, _ = self._listed(path)
                if client is not None:
                    for words in words_there:
                        show(client, words)

    def _listed(self, path: str) -> tuple[ControlClient | None, list[Pane]]:
        """Return an open connection to the server at ``path`` and its panes; none if it is gone."""
        try:
            client = self._clients.get(path)
            if client is not None and not client.closed:
                with contextlib.suppress(NotFoundError):
                    return client, list_panes(client.socket, client)
            self._clients.pop(path, None)
            panes = list_panes(Socket(path=path))
            client = self._clients[path] = ControlClient(Socket(path=path), panes[0].session_id)
        except NotFoundError as missing:
            if missing.code != "no-server":
                raise
            return None, []
        return client, panes

    @staticmethod
    def _is_open(store: Store, client: ControlClient, message: Message, found: Found) -> bool:
        """Return whether a recipient is free. If not, record what holds its message."""
        try:
            to = recipient(store, found, client)
            ice = frozen(store, to)
            if message.step == "accepted":
                ice = ice or refused(store, to, message)
            if ice:
                outbox.hold(store, message, f"{ice}{NOTHING_TYPED}")
                return False
            sight = observe(
                client, store, to.pane, to.profile, since=to.started, program=to.program
            )
        except TorchError as error:
            outbox.hold(store, message, _words(error))
            return False
        if message.step != "accepted":
            return sight.state.box is not None
        if sight.screen.in_mode:
            return True  # only a delivery may end it, under the pane's lock
        reason, _ = obstacle(sight, to, message.typed, when=message.type_when)
        if reason:
            outbox.hold(store, message, named(reason, store, to, sight) + NOTHING_TYPED)
        return not reason

    def _wake(self, store: Store, message: Message) -> bool:
        """Begin to wake the recipient of ``message`` if it is hibernated; return whether it is."""
        agent = sleeper_for(store, message) if message.step == "accepted" else None
        if agent is None:
            return False
        self._running[address(message)] = self._wakers.submit(self._wake_first, message, agent)
        return True

    def _wake_first(self, message: Message, agent: Agent) -> None:
        """Wake ``agent``, and deliver to it."""
        why = wake(agent)
        with Store() as store:
            try:
                found = None if why else outbox.place_of(store, message).found
            except TorchError as error:
                found, why = None, error.message.removesuffix(NOTHING_TYPED)
            if why:
                outbox.hold(store, message, why + NOTHING_TYPED)
        if found is not None:
            self._deliver(message, found)

    def _deliver(self, message: Message, found: Found) -> None:
        """Deliver all messages that wait for one recipient, until one is held."""
        with Store() as store:
            try:
                with listen(found.socket, found.pane) as client:
                    self._deliver_all(store, client, recipient(store, found, client), message)
            except TorchError as error:
                outbox.hold(store, message, _words(error))

    def _deliver_all(
        self, store: Store, client: ControlClient, to: Recipient, message: Message
    ) -> None:
        while True:
            receipt = outbox.attempt_over(client, store, message, to, DRAIN_OBSTACLE_SECONDS)
            self._collect(store, receipt)
            waiting = store.messages.waiting(message.agent)
            rest = [one for one in waiting if address(one) == address(message)]
            if receipt.state in outbox.WAITING or not rest or rest[0].id == message.id:
                return
            message = rest[0]

    def _collect(self, store: Store, receipt: Receipt) -> None:
        if store.messages.get(receipt.id).step == "done":
            with self._lock:
                self._settled.append(receipt)


def is_left(message: Message) -> bool:
    """Return whether the text may be in a box, and only a person can decide about it.

    While another process works at that pane, the message is on its way.
    """
    held = message.step != "accepted" and message.state == Outcome.HELD
    return held and typist_of(message.server, message.pane) in (0, os.getpid())


def _words(error: TorchError) -> str:
    return error.message.removesuffix(NOTHING_TYPED) + NOTHING_TYPED


def drain_once(now: float, deadline: float) -> list[Receipt]:
    """Deliver now; return the receipts that became final.

    ``now`` is epoch seconds, ``deadline`` seconds of the monotonic clock.
    """
    drain = Drain()
    receipts = drain.round(now)
    drain.wait(deadline)
    drain.close(0.0)
    return [*receipts, *drain.settled()]
