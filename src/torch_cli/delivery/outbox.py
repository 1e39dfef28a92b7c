"""The outbox: accepted messages that could not be delivered yet, and those of check-ins.

Each waits for its recipient, an agent by its identity or a pane, in the order of acceptance. The
delivery procedure decides what may be typed, and when. This module decides who the recipient is,
what expires, and who is told.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch_cli.delivery.ending import CANCELLED, EXPIRED, NOTHING_TYPED, STOPPED, waits
from torch_cli.delivery.hand import Hand
from torch_cli.delivery.post import word_to
from torch_cli.delivery.queueing import deliver
from torch_cli.delivery.reading import Policy
from torch_cli.delivery.receipt import Outcome, Receipt, receipt_of
from torch_cli.delivery.recipient import Recipient, recipient
from torch_cli.delivery.text import decode, prepare
from torch_cli.delivery.waking import sleeper_for, wake
from torch_cli.errors import HeldError, NotFoundError, RefusedError, TorchError
from torch_cli.programs.profile import Profile
from torch_cli.roster.registry import Found, profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import CHECKIN, NOTICE, Message
from torch_cli.store.steps import Step
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, list_panes, listen
from torch_cli.tmux.socket import Socket

WAITING = (Outcome.QUEUED, Outcome.HELD)
"""The states of a message that is still to be delivered."""


class Place(NamedTuple):
    """Where to type a message now, or why that is not possible.

    ``lost`` says that the recipient may come back. Otherwise it never will.
    """

    found: Found | None
    reason: str = ""
    lost: bool = False


def server_of(store: Store, message: Message) -> str:
    """Return the path of the socket of the tmux server where the recipient was last."""
    agent = store.agents.known_as(message.agent) if message.agent else None
    return agent.socket if agent else message.server.rsplit("|", 2)[0]


def place_of(store: Store, message: Message) -> Place:
    """Return where the recipient of ``message`` is.

    Raises ``TorchError`` if tmux does not answer: then it is not known.
    """
    try:
        panes = list_panes(Socket(path=server_of(store, message)))
    except NotFoundError as missing:
        if missing.code != "no-server":
            raise
        panes = []
    return place_among(store, message, panes)


def place_among(store: Store, message: Message, panes: Sequence[Pane]) -> Place:
    """Return which of ``panes``, all of its server, the recipient of ``message`` is in.

    An agent is known by its identity, so that nothing is typed into another one with its name.
    """
    if not message.agent:
        agent, lives = None, message.at
    else:
        agent = store.agents.known_as(message.agent)
        if agent is None or agent.stopped is not None:
            return Place(None, f"agent '{message.recipient}' was stopped{NOTHING_TYPED}")
        lives = agent.at
    for pane in panes:
        if pane.at == lives:
            agent = agent or store.agents.in_pane(*lives)
            return Place(Found(message.recipient, Socket(path=pane.socket_path), pane, agent))
    return Place(None, f"gone: pane {lives.pane} was closed{NOTHING_TYPED}", lost=agent is not None)


def attempt(
    store: Store,
    message: Message,
    patience: float = 0.0,
    on_step: Callable[[str], None] = lambda step: None,
) -> Receipt:
    """Try to deliver a waiting message; return its receipt.

    ``patience`` is how many seconds to wait for obstacles that are expected to pass by themselves.
    """
    try:
        if (agent := sleeper_for(store, message)) is not None:
            on_step(waits(agent.name, "its program starts"))
            if why := wake(agent, patience):
                return hold(store, message, why + NOTHING_TYPED)
        place = place_of(store, message)
        found = place.found
        if found is None:
            return settle_absent(store, message, place)
        with listen(found.socket, found.pane) as client:
            to = recipient(store, found, client)
            return attempt_over(client, store, message, to, patience, on_step)
    except TorchError as error:
        return hold(store, message, error.message.removesuffix(NOTHING_TYPED) + NOTHING_TYPED)


def attempt_over(
    client: ControlClient,
    store: Store,
    message: Message,
    to: Recipient,
    patience: float,
    on_step: Callable[[str], None] = lambda step: None,
) -> Receipt:
    """Like ``attempt``, over an open client, to a recipient that was looked up."""
    if _is_expired(message):
        return _expire(store, message)
    if message.step != Step.ACCEPTED and to.pane.at != message.at:  # it may be in a pane it left
        return _settle_lost(store, message)
    policy = Policy(message.type_when, patience)
    return deliver(client, store, to, message, policy, on_step, again=True)


def settle_absent(store: Store, message: Message, place: Place) -> Receipt:
    """Record that the recipient of a message is not there; return the receipt."""
    if message.step != Step.ACCEPTED:
        return _settle_lost(store, message)
    if not place.lost:
        return _fail(store, message, place.reason)
    return hold(store, message, place.reason)


def hold(store: Store, message: Message, reason: str) -> Receipt:
    """Record why an untyped message still waits; return its receipt."""
    if message.step == Step.ACCEPTED and (message.state, message.reason) != ("held", reason):
        held = message._replace(state=str(Outcome.HELD), reason=reason)
        store.messages.settle(held, only_at=(Step.ACCEPTED,))
    return receipt_of(store.messages.get(message.id))


def _settle_lost(store: Store, message: Message) -> Receipt:
    reason = (
        f"its pane {message.pane} is gone, and the text with it: nothing shows whether it was "
        "submitted"
    )
    lost = message._replace(state=str(Outcome.UNKNOWN), reason=reason, step=Step.DONE)
    store.messages.settle(lost, only_at=(message.step,))
    return receipt_of(store.messages.get(message.id))


# -- expiry, and word of it ----------------------------------------------------------------------


def expire(store: Store, now: float) -> list[Receipt]:
    """End the messages that have passed their deadline; return the receipts.

    A text in a box is left to the next delivery, which knows whether it was submitted.
    """
    return [_expire(store, message) for message in store.messages.expired(now)]


def _is_expired(message: Message, now: float | None = None) -> bool:
    now = time.time() if now is None else now
    return (
        message.deadline is not None and message.deadline <= now and message.step == Step.ACCEPTED
    )


def _expire(store: Store, message: Message) -> Receipt:
    last = message.reason.removesuffix(NOTHING_TYPED)
    words = f"{EXPIRED} ({last})" if last else EXPIRED
    return _fail(store, message, words)


def _fail(store: Store, message: Message, reason: str) -> Receipt:
    """End a message that will not be typed any more. Its sender is told later."""
    if store.messages.withdraw(message.id, reason, told=False):
        detail = {"message": message.id, "state": "failed", "reason": reason}
        store.events.add("deliver", message.recipient, detail, actor=message.sender)
    return receipt_of(store.messages.get(message.id))


def tell_senders(store: Store, since: float) -> list[Message]:
    """Tell agents about their messages that did not arrive; return such messages of people.

    Of the latter only messages that have ended since then (epoch seconds). The notice goes to the
    sender's own outbox; if a notice does not arrive, nobody is told.
    """
    persons = []
    for message in store.messages.to_tell(since):
        sender = store.agents.get(message.sender) if message.sender else None
        if message.author:  # another can have its name now
            sender = store.agents.known_as(message.author)
        if message.kind == NOTICE:
            store.messages.told(message.id)
        elif sender is None or sender.stopped is not None:
            persons.append(message)
        else:
            _tell(store, sender, message)
    return persons


def _tell(store: Store, sender: Agent, about: Message) -> None:
    receipt = receipt_of(about)
    words = "did not arrive" if receipt.state is Outcome.FAILED else "may not have arrived"
    first = " ".join(about.body.split())[:80]
    body = (
        f"Your message {about.id} to {about.recipient} {words}: {receipt.reason}.\nIt was: {first}"
    )
    try:
        notice = word_to(sender, body, f"notice:{about.id}:{about.updated}")
    except (NotFoundError, RefusedError):
        return  # its profile is gone: a person sees it then
    store.messages.accept(notice)
    store.messages.told(about.id)


def abandon(store: Store, agent: Agent) -> int:
    """End the messages that wait for an agent that is stopped; return how many there were."""
    reason = STOPPED % agent.name
    waiting = store.messages.waiting(agent.identity) if agent.identity else []
    ended = [_fail(store, message, reason) for message in waiting if message.step == Step.ACCEPTED]
    return len(ended)


# -- what a person does with it ------------------------------------------------------------------


def cancel(store: Store, identity: str) -> Receipt:
    """Cancel a message in the outbox; return its receipt.

    Raises ``HeldError`` if it is being typed or is in a box, ``RefusedError`` if it is no longer in
    the outbox or another's, ``NotFoundError`` if it never was.
    """
    message = own_message(store, identity, "cancelled")
    if not store.messages.withdraw(identity, CANCELLED, told=True):
        raise _not_waiting(store.messages.get(message.id), "cancelled")
    store.events.add("cancel", message.recipient, {"message": identity})
    return receipt_of(store.messages.get(identity))


def edit(store: Store, identity: str, body: bytes, *, clean: bool = False) -> Receipt:
    """Change the text of a waiting message; return its receipt.

    Raises as ``cancel`` does, and ``RefusedError`` for a text that cannot be sent.
    """
    message = own_message(store, identity, "edited")
    text = decode(body)
    if message.step != Step.ACCEPTED:
        raise _not_waiting(message, "edited")
    profile = _profile_of(store, message)
    prepared = prepare(text, profile, head=_head(message), clean=clean)
    if not store.messages.rewrite(identity, text, prepared.typed, prepared.changes):
        raise _not_waiting(store.messages.get(identity), "edited")
    store.events.add("edit", message.recipient, {"message": identity})
    return receipt_of(store.messages.get(identity))


def retry(store: Store, identity: str, *, expires: float | None, anyway: bool = False) -> Receipt:
    """Put a message that did not arrive back into the outbox, or try a waiting one now.

    ``expires`` is its new time limit in seconds. Raises ``RefusedError`` for a message that
    arrived, for one that may have, unless ``anyway``, and for another's.
    """
    message = own_message(store, identity, "sent again")
    receipt = receipt_of(message)
    if message.step == Step.DONE and receipt.state not in (Outcome.FAILED, Outcome.UNKNOWN):
        raise _not_waiting(message, "sent again")
    if message.step == Step.DONE:
        if receipt.state is Outcome.UNKNOWN and not anyway:
            raise RefusedError(
                f"message {identity} may have arrived ({receipt.reason}); it was not sent again",
                hint=f"Look first: torch capture {message.recipient}. Then: torch outbox retry "
                f"{identity} --anyway",
                code="unknown",
            )
        _renew_recipient(store, message)
    hand = Hand(store)
    hand.take(message, own=False)
    hand.wait()
    with hand.while_interrupted():  # from here on it is in the outbox, which its sender must hear
        store.messages.requeue(identity, None if expires is None else time.time() + expires)
        store.events.add("retry", message.recipient, {"message": identity})
        try:
            return attempt(store, store.messages.get(identity), patience=2.0)
        except Exception as error:
            return hand.broken(error)


def _head(message: Message) -> str:
    """Return the lines before the body in the typed text: the envelope, '' if none."""
    envelope, newline, rest = message.typed.partition("\n")
    if not envelope.endswith(f"{message.id}]"):
        return ""
    if message.kind == CHECKIN:
        return envelope + newline + rest[: rest.find("\n\n") + 2]
    return envelope + newline


def revive(store: Store, message: Message, agent: str) -> Message:
    """Return a message that is sent again under its key: queued, if it failed untyped.

    ``agent`` is the identity of its present recipient.
    """
    untyped = message.state == Outcome.FAILED and message.reason.endswith(NOTHING_TYPED)
    if message.step == Step.DONE and not untyped:
        return message
    if message.agent != agent:
        store.messages.address(message.id, agent)
    if message.step == Step.DONE:
        store.messages.requeue(message.id, None)
    return store.messages.get(message.id)


def _renew_recipient(store: Store, message: Message) -> None:
    """Address a message that is sent again to the agent that has its recipient's name now."""
    agent = store.agents.get(message.recipient)
    if message.agent and agent is not None and agent.stopped is None:
        store.messages.address(message.id, agent.identity)


def own_message(store: Store, identity: str, done: str) -> Message:
    """Return the message ``identity``; raises as ``find_message``, and ``RefusedError`` if another
    has sent it. ``done`` is what this process wants to do with it.
    """
    from torch_cli.roster.authority import check_author

    message = find_message(store, identity)
    check_author(store, message, done)
    return message


def find_message(store: Store, identity: str) -> Message:
    """Return the message ``identity``; raises ``NotFoundError``."""
    try:
        return store.messages.get(identity)
    except KeyError:
        raise NotFoundError(
            f"no message '{identity}'",
            hint="'torch outbox list' shows waiting messages, 'torch receipt -n 10' the latest. "
            "Messages settled long ago are deleted: 90 days, unless [retention] says other.",
            code="no-message",
        ) from None


def _profile_of(store: Store, message: Message) -> Profile:
    agent = store.agents.known_as(message.agent) if message.agent else None
    if agent is not None:
        return profile_named(agent.profile)
    place = place_of(store, message)
    if place.found is None:
        raise NotFoundError(f"{place.reason}; message {message.id} was not edited", code="gone")
    with listen(place.found.socket, place.found.pane) as client:
        return recipient(store, place.found, client).profile


def _not_waiting(message: Message, done: str) -> TorchError:
    receipt = receipt_of(message)
    if message.step != Step.DONE:
        return HeldError(
            f"message {message.id} was typed into pane {message.pane} and is not settled "
            f"({receipt.state}: {receipt.reason}); it was not {done}",
            hint=f"If its text is in the box, remove it: torch attach {message.recipient}",
            code="typed",
        )
    return RefusedError(
        f"message {message.id} is no longer in the outbox: it is {receipt.state}; it was not "
        f"{done}",
        code="not-waiting",
    )
