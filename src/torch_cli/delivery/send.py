"""Sending: from a name and a body to a receipt."""

import contextlib
import os
import re
import time
from collections.abc import Callable
from typing import NamedTuple

from torch_cli.delivery.ending import NOTHING_TYPED
from torch_cli.delivery.hand import Hand
from torch_cli.delivery.outbox import WAITING, hold, revive
from torch_cli.delivery.patience import await_final
from torch_cli.delivery.queueing import deliver
from torch_cli.delivery.reading import Policy
from torch_cli.delivery.receipt import Outcome, Receipt, receipt_of
from torch_cli.delivery.recipient import no_shell, recipient
from torch_cli.delivery.text import decode, prepare
from torch_cli.delivery.waking import sleeper, wake
from torch_cli.errors import HeldError, NotFoundError, RefusedError
from torch_cli.pane_id import PaneId
from torch_cli.programs.profile import Guard, Profile
from torch_cli.roster.actor import own_name
from torch_cli.roster.registry import Found, find, profile_named
from torch_cli.roster.safety import caution_of
from torch_cli.store import Store, StoreError
from torch_cli.store.agents import Agent
from torch_cli.store.messages import COMMAND, MESSAGE, NORMAL, Message, new_id, new_message
from torch_cli.tmux.panes import Pane, listen
from torch_cli.tmux.socket import Socket

_SENDER = re.compile(r"\w[\w .@+-]{0,63}")


class Request(NamedTuple):
    """A message to send: the recipient, the bytes, when to type, and how long to wait (seconds).

    ``envelope`` puts a first line with sender and id before messages between agents, and before
    every answer. A person's message goes without. Messages with the same ``key`` are delivered
    once. ``reply_to`` is the id of the message that this one answers. ``command`` says that it is
    one of the program's own commands, which goes without guard and envelope and is proven by its
    effect.

    With ``keep`` a message that cannot be delivered now goes into the outbox. There it expires
    ``expires`` seconds after it was accepted, if given, and goes before messages of lower
    ``priority``. ``wait`` is how many seconds it may take until its outcome is known. ``kind`` is
    its kind in the envelope. ``briefing`` is the name of the briefing that it is, '' if it is not
    one. The agreement of a team does not apply to ``free`` messages, because an agent may brief the
    agents that it starts.
    """

    target: str
    body: bytes
    when: str = "ready"
    timeout: float = 30.0
    envelope: bool = True
    clean: bool = False
    key: str | None = None
    sender: str | None = None
    reply_to: str = ""
    command: bool = False
    keep: bool = True
    expires: float | None = None
    priority: int = NORMAL
    wait: float = 0.0
    kind: str = MESSAGE
    free: bool = False
    briefing: str = ""


def send(
    socket: Socket, request: Request, on_step: Callable[[str], None] = lambda step: None
) -> Receipt:
    """Deliver one message, or put it into the outbox; return its receipt.

    Raises ``RefusedError`` for a body or a recipient that cannot be sent to, ``NotFoundError`` if
    there is no such recipient; nothing has been typed then.
    """
    body = decode(request.body)
    _check_key(request.key)
    _check_sender(request.sender or os.environ.get("TORCH_AGENT", ""))
    with Store() as store:
        hand = Hand(store)
        with hand.while_interrupted():
            try:
                receipt = _send(socket, store, hand, request, body, on_step)
            except Exception as error:
                receipt = hand.broken(error)
        if receipt.state in (Outcome.FAILED, Outcome.UNKNOWN):
            with contextlib.suppress(StoreError):  # on a full disk the receipt is still true
                store.messages.told(receipt.id)
        return receipt


def _send(
    socket: Socket,
    store: Store,
    hand: Hand,
    request: Request,
    body: str,
    on_step: Callable[[str], None],
) -> Receipt:
    """Deliver the message. ``hand`` owns it from its acceptance on."""
    began = time.monotonic()
    earlier = _earlier(store, hand, request, body)
    asleep = sleeper(store, socket, request.target)
    try:
        found = find(store, socket, request.target) if asleep is None else None
    except NotFoundError as missing:
        if earlier is not None and missing.code != "vanished":
            receipt = receipt_of(earlier)  # its recipient may have another name by now
        else:
            receipt = _accept_for_lost(store, hand, request, body, missing)
    else:
        if found is not None:
            receipt = _deliver_to(store, hand, found, request, body, began, on_step)
        else:
            assert asleep is not None
            receipt = _deliver_to_sleeper(store, hand, asleep, request, body, began, on_step)
    if receipt.state not in WAITING:
        return receipt
    hand.wait()
    if not request.wait:
        return receipt
    on_step("waiting")
    left = request.wait - (time.monotonic() - began)
    return await_final(store, store.messages.get(receipt.id), left, on_step)


def _earlier(store: Store, hand: Hand, request: Request, body: str) -> Message | None:
    """Take the message that was accepted before under the key of ``request``, if it has not failed.

    Whatever goes wrong from here on, the sender is told what becomes of that one.
    """
    earlier = store.messages.with_key(request.key) if request.key is not None else None
    if earlier is None or earlier.body != body or earlier.state == Outcome.FAILED:
        return None
    hand.take(earlier, own=False)
    return earlier


def _deliver_to(
    store: Store,
    hand: Hand,
    found: Found,
    request: Request,
    body: str,
    began: float,
    on_step: Callable[[str], None],
) -> Receipt:
    """Accept the message for the program in a pane, and try to deliver it."""
    pane = found.pane
    with listen(found.socket, pane) as client:
        to = recipient(store, found, client)
        permitted = _check_permitted(store, request, found.agent)
        identity = found.agent.identity if found.agent else ""
        message, new = _accept(
            *(store, hand, request, body, to.profile, found.name, pane.at, identity, permitted),
            version=found.agent.version if found.agent else "",
        )
        if not new:
            message = _take_again(store, hand, message, identity)
        if not new and _is_settled(message, pane):
            return receipt_of(message)
        on_step("accepted")
        seconds = request.timeout if request.expires is None else request.expires
        left = max(0.0, min(request.timeout, seconds) - (time.monotonic() - began))
        policy = Policy(request.when, left)
        # A message that waited under its key before stays in the outbox if this sender ends.
        return deliver(client, store, to, message, policy, on_step, again=not hand.owns)


def _deliver_to_sleeper(
    store: Store,
    hand: Hand,
    agent: Agent,
    request: Request,
    body: str,
    began: float,
    on_step: Callable[[str], None],
) -> Receipt:
    """Accept the message for a hibernated agent, wake that, and try to deliver it."""
    permitted = _check_permitted(store, request, agent)
    profile = no_shell(profile_named(agent.profile), agent.name)
    message, new = _accept(
        *(store, hand, request, body, profile, agent.name, agent.at, agent.identity, permitted),
        version=agent.version,
    )
    if not new:
        message = _take_again(store, hand, message, agent.identity)
    if message.step != "accepted":
        return receipt_of(message)
    on_step(f"waking '{agent.name}', which is hibernated")
    left = max(0.0, request.timeout - (time.monotonic() - began))
    if why := wake(agent, left):
        if not message.kept:
            raise HeldError(f"{why}{NOTHING_TYPED}", code="hibernated")
        return hold(store, message, f"{why}{NOTHING_TYPED}")
    found = find(store, Socket(path=agent.socket), agent.name)
    with listen(found.socket, found.pane) as client:
        to = recipient(store, found, client)
        left = max(0.0, request.timeout - (time.monotonic() - began))
        policy = Policy(request.when, left)
        return deliver(client, store, to, message, policy, on_step, again=not hand.owns)


def _take_again(store: Store, hand: Hand, message: Message, agent: str) -> Message:
    """Return a message that was accepted before under its key. One that failed is sent again."""
    hand.take(message, own=message.step == "done")
    return revive(store, message, agent)


def _accept_for_lost(
    store: Store, hand: Hand, request: Request, body: str, missing: NotFoundError
) -> Receipt:
    """Accept the message for an agent whose pane has vanished; raise ``missing`` if it is none."""
    agent = store.agents.get(request.target) if missing.code == "vanished" else None
    if agent is None or not request.keep:
        raise missing
    permitted = _check_permitted(store, request, agent)
    profile = no_shell(profile_named(agent.profile), agent.name)
    message, _ = _accept(
        *(store, hand, request, body, profile, agent.name, agent.at, agent.identity, permitted),
        version=agent.version,
    )
    if message.step != "accepted":
        return receipt_of(message)
    return hold(store, message, f"gone: {missing.message}{NOTHING_TYPED}")


def _accept(
    store: Store,
    hand: Hand,
    request: Request,
    body: str,
    profile: Profile,
    name: str,
    pane: PaneId,
    agent: str,
    permitted: bool,
    *,
    version: str,
) -> tuple[Message, bool]:
    """Save the message in the form to type; return it and whether it is new.

    ``name`` is the recipient's name, ``agent`` its identity, '' if it has none, ``version`` that of
    its program, '' if it is not known.
    """
    identity = new_id()
    own = own_name(store)
    sender, author = request.sender or own, store.agents.get(own) if own else None
    taking = profile._replace(guard=Guard()) if request.command else profile
    head = _envelope(sender, identity, request)
    prepared = prepare(body, taking, head=head, clean=request.clean)
    planned = hand.prepare(
        new_message(
            identity,
            key=request.key,
            sender=sender,
            recipient=name,
            kind=COMMAND if request.command else request.kind,
            body=body,
            typed=prepared.typed,
            **pane.columns,
            evidence=(*prepared.changes, *filter(None, [caution_of(profile, version)])),
            reply_to=request.reply_to,
            agent=agent,
            kept=request.keep and not request.command,
            priority=request.priority,
            type_when=request.when,
            deadline=None if request.expires is None else time.time() + request.expires,
            free=request.free,
            permitted=permitted,
            author=author.identity if author and author.stopped is None else "",
        )
    )
    message, new = store.messages.accept(planned)
    hand.take(message, own=new)
    if request.briefing:  # before typing, because the agent may acknowledge it at once
        store.briefings.add(message.id, agent, request.briefing)
    return message, new


def _check_permitted(store: Store, request: Request, recipient: Agent | None) -> bool:
    """Refuse what the agreement of the sender's team forbids; return whether there was a rule."""
    if request.free:
        return False
    return check_permitted(store, recipient, "nothing was sent", request.reply_to)


def check_permitted(
    store: Store, recipient: Agent | None, nothing: str, reply_to: str = ""
) -> bool:
    """Raise ``RefusedError`` if this process's agent may not write to ``recipient``.

    The rule is in the agreement of the agent's team, if that is enforced. It applies whatever
    sender the message names. The agent may answer messages of ``recipient``, by the id
    ``reply_to``. ``nothing`` says what was not done. Returns whether there was a rule.
    """
    name = own_name(store)
    if recipient is None or name in ("", recipient.name):
        return False
    sender = store.agents.get(name)
    if sender is None or sender.stopped is not None:
        return False
    from torch_cli.roster.edges import check_edge

    return check_edge(store, sender, recipient, nothing, reply_to)


def _is_settled(message: Message, pane: Pane) -> bool:
    """Return whether nothing is left to do for ``message``, or to find out in ``pane``."""
    here = message.at == pane.at
    return message.step == "done" or (message.step != "accepted" and not here)


def _check_key(key: str | None) -> None:
    if key == "":
        raise RefusedError(
            "the idempotency key is empty; nothing was sent",
            hint="Leave --key out, or give each message its own key.",
            code="bad-key",
        )


def _check_sender(sender: str) -> None:
    """Refuse a name that could look like another part of the envelope."""
    if sender and not _SENDER.fullmatch(sender):
        raise RefusedError(
            f"'{sender}' is not a valid sender's name; nothing was sent",
            hint="Use at most 64 letters, digits, spaces and any of _ . @ + -.",
            code="bad-sender",
        )


def _envelope(sender: str, identity: str, request: Request) -> str:
    """Return a line with sender, kind and id, for an answer and for the proof; '' if it has none.

    The form of the line is published in docs/messages.md, so that others can read it.
    """
    if not request.envelope or request.command or not (sender or request.reply_to):
        return ""
    kind = request.kind
    if request.reply_to:
        kind = f"{'reply' if kind == MESSAGE else kind} to {request.reply_to}"
    parts = [f"from {sender}"] if sender else []
    return f"[{' · '.join([*parts, kind, identity])}]\n"
