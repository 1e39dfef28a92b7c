"""A message as the store has it: what to send, and what is known of it so far."""

import json
import os
import sqlite3
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch_cli.pane_id import PaneId
from torch_cli.store.steps import Step

MESSAGE, COMMAND, CHECKIN, NOTICE = "message", "command", "check-in", "notice"
"""The kinds: a message to an agent, one of its program's own commands, the message of a check-in,
and a notice to a sender that its message will not arrive."""

NORMAL = 0
PRIORITIES = {"low": -1, "normal": NORMAL, "high": 1}
"""Of the messages that wait for one agent, the highest priority goes first, then the oldest."""


class Message(NamedTuple):
    """A row of the table. ``body`` is the text as it was given, ``typed`` what goes into the box.

    ``state`` is that of the receipt. ``step`` is how far the delivery came (``accepted``,
    ``attempting``, ``seen``, ``submitting``, ``done``). ``baseline`` is what the screen showed
    before the paste. ``reply_to`` is the id of the message that it answers, '' if none.

    ``agent`` is the identity of the recipient, '' if the recipient is a pane with a recognised
    program. ``kept`` says that it is in the outbox until it is settled. ``deadline`` is when it
    expires there (epoch seconds), ``type_when`` in which state it is typed (``ready``, ``idle`` or
    ``now``), ``told`` when its sender learnt that it will not arrive. ``free`` says that the
    agreement of a team does not apply to it. ``author`` is the identity of the agent that really
    sent it, '' for a person. ``permitted`` says that the agreement was checked when it was sent,
    and permitted it. ``submit`` is what protected it from answering a dialog, as in its receipt;
    empty until its delivery has ended.
    """

    id: str
    key: str | None
    sender: str
    recipient: str
    kind: str
    body: str
    typed: str
    server: str
    pane: str
    pane_pid: int
    state: str
    reason: str
    step: str
    attempts: int
    evidence: tuple[str, ...]
    created: float
    updated: float
    baseline: Mapping[str, Any]
    elapsed_ms: float = 0.0
    deadline: float | None = None
    reply_to: str = ""
    agent: str = ""
    kept: bool = False
    priority: int = NORMAL
    type_when: str = "ready"
    told: float | None = None
    free: bool = False
    author: str = ""
    permitted: bool = False
    submit: Mapping[str, Any] = MappingProxyType({})

    @property
    def stands_since(self) -> float:
        """When what its state says happened; while it waits, when it was accepted."""
        return self.updated if self.step == Step.DONE else self.created

    @property
    def at(self) -> PaneId:
        """The pane that the message is for."""
        return PaneId(self.server, self.pane, self.pane_pid)


def new_id() -> str:
    """Return an id for a new message.

    Of 600,000 messages some 42 would share an id of 32 bits. With 48 bits there is one such pair in
    1,500 stores. ``insert`` checks nevertheless. Older ids have 8 digits and stay valid.
    """
    return f"m-{os.urandom(6).hex()}"


def new_message(identity: str, **given: Any) -> Message:
    """Return a message that is accepted now and not typed yet.

    ``given`` are the fields that differ from those of a person's plain message. ``PaneId.columns``
    gives the fields of its pane.
    """
    now = time.time()
    fresh: dict[str, Any] = {
        "key": None,
        "sender": "",
        "kind": MESSAGE,
        "state": "queued",
        "reason": "",
        "step": Step.ACCEPTED,
        "attempts": 0,
        "evidence": (),
        "created": now,
        "updated": now,
        "baseline": {},
    }
    return Message(identity, **{**fresh, **given})


def renamed(message: Message, identity: str) -> Message:
    """Return the message with another id, also at the end of its first line as it is typed."""
    first, newline, rest = message.typed.partition("\n")
    if newline and first.endswith(f"{message.id}]"):
        first = f"{first.removesuffix(f'{message.id}]')}{identity}]"
    return message._replace(id=identity, typed=first + newline + rest)


def message_of(row: sqlite3.Row) -> Message:
    """Return the message of a row of the table."""
    values = dict(row)
    values["body"], values["typed"] = row["body"].decode(), row["typed"].decode()
    values["evidence"] = tuple(json.loads(row["evidence"]))
    values["baseline"] = json.loads(row["baseline"])
    values["submit"] = json.loads(row["submit"])
    values["kept"] = bool(row["kept"])
    return Message(**values)


def row_of(message: Message) -> dict[str, Any]:
    """Return the columns of the table, and their values."""
    return {
        **message._asdict(),
        "body": message.body.encode(),
        "typed": message.typed.encode(),
        "evidence": json.dumps(list(message.evidence)),
        "baseline": json.dumps(dict(message.baseline)),
        "submit": json.dumps(dict(message.submit)),
    }
