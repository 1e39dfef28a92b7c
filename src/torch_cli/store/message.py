"""A message as the store has it: what was asked to be sent, and what became of it so far."""

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
"""The kinds: what is said to an agent, a command of its program's own, what time sends, and word
to a sender that its message will not arrive."""

NORMAL = 0
PRIORITIES = {"low": -1, "normal": NORMAL, "high": 1}
"""Of the messages that wait for one agent the one of most priority goes first, then the oldest."""


class Message(NamedTuple):
    """A row of the table. ``body`` is what was asked to be sent, ``typed`` what is put in the box.

    ``state`` is the receipt's; ``step`` how far the delivery came (``accepted``, ``attempting``,
    ``seen``, ``submitting``, ``done``); ``baseline`` what the screen showed before the paste;
    ``reply_to`` the id of the message that it answers, '' if none.

    ``agent`` is the identity of the agent that it is for, '' if it is for whatever program was
    recognised in the pane. ``kept`` says that it is in the outbox until it is settled,
    ``deadline`` when it expires there (epoch seconds), ``type_when`` at which state it is typed
    (``ready``, ``idle`` or ``now``), ``told`` when its sender learnt that it will not arrive.
    ``free`` says that the agreement of a team does not look at it; ``author`` is the identity of
    the agent that has sent it, '' for a person, whoever it says it is from; ``permitted`` that the
    agreement was looked at when it was sent, and let it pass. ``submit`` is what protected it from
    answering a dialog, as its receipt says it; empty until its delivery has ended.
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
    def at(self) -> PaneId:
        """The pane that it is, or was, to be typed into."""
        return PaneId(self.server, self.pane, self.pane_pid)


def new_id() -> str:
    """Return an id for a message that is to be.

    Of 600,000 messages some 42 would share one of 32 bits; of 48 bits, one pair in 1,500 such
    stores. ``insert`` looks all the same. Older ids have 8 digits, and stay what they are.
    """
    return f"m-{os.urandom(6).hex()}"


def new_message(identity: str, **given: Any) -> Message:
    """Return a message that was accepted now and of which nothing has been typed.

    ``given`` are the fields that differ from those of a person's plain message; ``PaneId.columns``
    are those of the pane that it is for.
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
