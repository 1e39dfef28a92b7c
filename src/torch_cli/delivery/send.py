"""Sending: from a name and a body to a receipt."""

import os
import re
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch_cli import procs
from torch_cli.agents.profile import Guard
from torch_cli.agents.registry import find
from torch_cli.delivery.procedure import deliver
from torch_cli.delivery.reading import Policy
from torch_cli.delivery.receipt import Receipt, receipt_of
from torch_cli.delivery.recipient import recipient
from torch_cli.delivery.text import decode, prepare
from torch_cli.errors import RefusedError
from torch_cli.store import Store
from torch_cli.store.messages import COMMAND, MESSAGE, Message, new_id, new_message
from torch_cli.tmux.panes import Pane, listen
from torch_cli.tmux.socket import Socket

_SENDER = re.compile(r"\w[\w .@+-]{0,63}")


class Request(NamedTuple):
    """A message to be sent: to whom, the bytes, when to type, and how long to wait (seconds).

    ``envelope`` puts a first line with sender and id before a message that one agent sends to
    another, and before every answer; a person's message goes as it is. ``key`` is an idempotency
    key, ``reply_to`` the id of the message that this one answers. ``command`` says that it is a
    command of the program's own, which goes without guard and envelope and is proven by its effect.
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


def send(
    socket: Socket, request: Request, on_step: Callable[[str], None] = lambda step: None
) -> Receipt:
    """Deliver one message and return its receipt.

    Raises ``RefusedError`` for a body or recipient that cannot be sent to, ``NotFoundError`` if
    there is none; nothing has been typed then.
    """
    began = time.monotonic()
    body = decode(request.body)
    _check_key(request.key)
    _check_sender(request.sender or os.environ.get("TORCH_AGENT", ""))
    with Store() as store:
        sender = request.sender or own_name(store)
        found = find(store, socket, request.target)
        with listen(found.socket, found.pane) as client:
            to = recipient(store, found, client)
            identity = new_id()
            headed = _enveloped(body, sender, identity, request)
            taking = to.profile._replace(guard=Guard()) if request.command else to.profile
            prepared = prepare(headed, taking, clean=request.clean)
            message, new = store.messages.accept(
                new_message(
                    identity,
                    key=request.key,
                    sender=sender,
                    recipient=found.name,
                    kind=COMMAND if request.command else MESSAGE,
                    body=body,
                    typed=prepared.typed,
                    server=found.pane.server,
                    pane=found.pane.id,
                    pane_pid=found.pane.pid,
                    evidence=(*prepared.changes, *filter(None, [to.profile.caution])),
                    reply_to=request.reply_to,
                    agent=found.agent.identity if found.agent else "",
                )
            )
            if not new and _is_settled(message, found.pane):
                return receipt_of(message)
            on_step("accepted")
            left = max(0.0, request.timeout - (time.monotonic() - began))
            return deliver(client, store, to, message, Policy(request.when, left), on_step)


def own_name(store: Store, environ: Mapping[str, str] = os.environ) -> str:
    """Return the name of the agent that a process with this environment works for, '' if none.

    It is the agent in the process's pane: ``TORCH_AGENT`` keeps the name that it was spawned with.
    """
    socket, pane = environ.get("TMUX", "").rsplit(",", 2)[0], environ.get("TMUX_PANE", "")
    for agent in store.agents.on_terminal(socket, pane) if socket and pane else ():
        if procs.alive(procs.Process(agent.program_pid, agent.program_started)):
            return agent.name
    return environ.get("TORCH_AGENT", "")


def _is_settled(message: Message, pane: Pane) -> bool:
    """Say whether nothing is left to be done for ``message``, or to be found out in ``pane``."""
    here = (message.server, message.pane, message.pane_pid) == (pane.server, pane.id, pane.pid)
    return message.step == "done" or (message.step != "accepted" and not here)


def _check_key(key: str | None) -> None:
    if key == "":
        raise RefusedError(
            "the idempotency key is empty; nothing was sent",
            hint="Leave --key out, or give each message a key of its own.",
            code="bad-key",
        )


def _check_sender(sender: str) -> None:
    """Refuse a name that could pass for another part of the envelope."""
    if sender and not _SENDER.fullmatch(sender):
        raise RefusedError(
            f"'{sender}' cannot be a sender's name; nothing was sent",
            hint="Use letters, digits, blanks and any of _ . @ + -, at most 64.",
            code="bad-sender",
        )


def _enveloped(body: str, sender: str, identity: str, request: Request) -> str:
    """Return ``body`` behind a line that says who sends what, for an answer and for the proof.

    Its form is published in the README: others may read it.
    """
    if not request.envelope or request.command or not (sender or request.reply_to):
        return body
    kind = f"reply to {request.reply_to}" if request.reply_to else "message"
    parts = [f"from {sender}"] if sender else []
    return f"[{' · '.join([*parts, kind, identity])}]\n{body}"
