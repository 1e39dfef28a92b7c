"""Messages and what is known of each: written before anything is typed, and at every step."""

import json
import os
import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.store.agents import Agent
from torch_cli.store.database import Database

_STATE = "CASE WHEN state = 'queued' AND step <> 'accepted' THEN 'unknown' ELSE state END"
"""The state that a receipt shows: of a message in the middle of a delivery nothing is known."""


_ORDER = "priority DESC, rowid"

_SENDER_LIVES = (
    "(author IN (SELECT identity FROM agents WHERE stopped IS NULL) OR author = ''"
    " AND sender IN (SELECT name FROM agents WHERE stopped IS NULL))"
)

_SAME_RECIPIENT = "agent = ? AND (agent <> '' OR (server = ? AND pane = ? AND pane_pid = ?))"

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


def new_id() -> str:
    """Return an id for a message that is to be.

    Of 600,000 messages some 42 would share one of 32 bits; of 48 bits, one pair in 1,500 such
    stores. ``insert`` looks all the same. Older ids have 8 digits, and stay what they are.
    """
    return f"m-{os.urandom(6).hex()}"


def new_message(identity: str, **given: Any) -> Message:
    """Return a message that was accepted now and of which nothing has been typed.

    ``given`` are the fields that differ from those of a person's plain message.
    """
    now = time.time()
    fresh: dict[str, Any] = {
        "key": None,
        "sender": "",
        "kind": MESSAGE,
        "state": "queued",
        "reason": "",
        "step": "accepted",
        "attempts": 0,
        "evidence": (),
        "created": now,
        "updated": now,
        "baseline": {},
    }
    return Message(identity, **{**fresh, **given})


class Messages:
    """Reads and writes the table of messages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(self, message: Message) -> tuple[Message, bool]:
        """Save a new message, durably, before anything is typed.

        Returns it and whether it is new: the same idempotency key gives the same message.
        Raises ``RefusedError`` if the key was used for another text or recipient.
        """
        with self._database.transaction():
            earlier = self._where("key = ?", message.key) if message.key is not None else []
            if not earlier:
                message = self.insert(message)
        if not earlier:
            return self.get(message.id), True
        if (earlier[0].body, earlier[0].recipient) != (message.body, message.recipient):
            raise RefusedError(
                f"the key '{message.key}' was used for another message, {earlier[0].id}; "
                "nothing was sent",
                hint="An idempotency key belongs to one text and one recipient: use a new key.",
                code="key-reused",
            )
        return earlier[0], False

    def insert(self, message: Message) -> Message:
        """Save a new message as part of the caller's transaction; return it.

        If another one has its id already, it gets a new one, also in its envelope.
        """
        while self._database.query("SELECT 1 FROM messages WHERE id = ?", message.id):
            message = _renamed(message, new_id())
        row = {
            **message._asdict(),
            "body": message.body.encode(),
            "typed": message.typed.encode(),
            "evidence": json.dumps(list(message.evidence)),
            "baseline": json.dumps(dict(message.baseline)),
            "submit": json.dumps(dict(message.submit)),
        }
        marks = ", ".join("?" for _ in row)
        self._database.query(
            f"INSERT INTO messages ({', '.join(row)}) VALUES ({marks})", *row.values()
        )
        return message

    def get(self, identity: str) -> Message:
        """Return the message ``identity``; raises ``KeyError``."""
        found = self._where("id = ?", identity)
        if not found:
            raise KeyError(identity)
        return found[0]

    def with_key(self, key: str) -> Message | None:
        """Return the message of that idempotency key."""
        return next(iter(self._where("key = ?", key)), None)

    def latest(
        self,
        *,
        recipient: str | None = None,
        agent: str | None = None,
        state: str | None = None,
        limit: int = 1,
    ) -> list[Message]:
        """Return the newest messages first, of one recipient or state where given.

        ``agent`` is the recipient's identity: not to an earlier one of its name.
        """
        where, values = ["1"], []
        for column, value in (("recipient", recipient), ("agent", agent), (_STATE, state)):
            if value is not None:
                where.append(f"{column} = ?")
                values.append(value)
        clause = f"{' AND '.join(where)} ORDER BY created DESC, rowid DESC LIMIT {int(limit)}"
        return self._where(clause, *values)

    def thread(self, identity: str) -> list[Message]:
        """Return every message of the conversation that ``identity`` belongs to, oldest first."""
        return self._where(
            "id IN (WITH RECURSIVE"
            " up(id, reply_to) AS (SELECT id, reply_to FROM messages WHERE id = ?"
            "  UNION SELECT m.id, m.reply_to FROM messages m JOIN up ON m.id = up.reply_to),"
            " down(id) AS (SELECT id FROM up"
            "  UNION SELECT m.id FROM messages m JOIN down ON m.reply_to = down.id)"
            " SELECT id FROM down) ORDER BY created, rowid",
            identity,
        )

    def inbox(self, agent: Agent, limit: int, *, unanswered: bool = False) -> list[Message]:
        """Return the newest messages to an agent, the newest last; not to an earlier one so called.

        With ``unanswered`` only what other agents have asked and it has not replied to.
        """
        only = (
            " AND sender NOT IN ('', recipient) AND free = 0"
            " AND (kind IN ('question', 'escalation') OR (kind = 'message' AND reply_to = ''))"
            " AND NOT EXISTS (SELECT 1 FROM messages AS answers"
            " WHERE answers.reply_to = messages.id AND answers.sender = messages.recipient)"
        )
        order = "ORDER BY created DESC, rowid DESC LIMIT ?"
        clause = f"recipient = ? AND agent = ?{only if unanswered else ''} {order}"
        return self._where(clause, agent.name, agent.identity, limit)[::-1]

    def since(self, at: float) -> list[Message]:
        """Return the messages that agents have sent since ``at`` (epoch seconds), in order."""
        return self._where("sender <> '' AND created >= ? ORDER BY created", at)

    def last_said(self, author: str, kind: str) -> Message | None:
        """Return the newest message of that kind that the agent of that identity has sent."""
        found = self._where("author = ? AND kind = ? ORDER BY created DESC LIMIT 1", author, kind)
        return found[0] if found else None

    def ahead_of(self, message: Message) -> list[Message]:
        """Return what waits in the outbox for the same recipient and goes before ``message``.

        The order is that of acceptance, which a clock that is set back does not change; a higher
        priority goes first.
        """
        rowid = "(SELECT rowid FROM messages WHERE id = ?)"
        return self._where(
            f"kept = 1 AND step <> 'done' AND step = 'accepted' AND {_SAME_RECIPIENT}"
            f" AND (priority > ? OR (priority = ? AND rowid < {rowid})) ORDER BY {_ORDER}",
            *_recipient(message),
            *(message.priority, message.priority, message.id),
        )

    def waiting(self, agent: str | None = None) -> list[Message]:
        """Return what is in the outbox, in order; only what is for the agent of that identity."""
        mine = "" if agent is None else " AND agent = ?"
        values = () if agent is None else (agent,)
        return self._where(f"kept = 1 AND step <> 'done'{mine} ORDER BY {_ORDER}", *values)

    def expired(self, now: float) -> list[Message]:
        """Return what is in the outbox, untyped, and was given until ``now`` (epoch seconds)."""
        return self._where(
            "kept = 1 AND step <> 'done' AND step = 'accepted' AND deadline <= ?"
            f" ORDER BY {_ORDER}",
            now,
        )

    def heads(self, passed_over: Collection[tuple[str, ...]] = ()) -> list[Message]:
        """Return of what is in the outbox the first message for each recipient, in order.

        What was typed already comes before all else. ``passed_over`` are recipients, as
        ``address`` names them, that are left out. The bodies of all others are not read.
        """
        rows = self._database.query(
            "SELECT id, agent, server, pane, pane_pid FROM messages"
            f" WHERE kept = 1 AND step <> 'done' ORDER BY step = 'accepted', {_ORDER}"
        )
        first: dict[tuple[str, ...], str] = {}
        for row in rows:
            to = address(row["agent"], row["server"], row["pane"], row["pane_pid"])
            if to not in passed_over:
                first.setdefault(to, row["id"])
        found = [self._where("id = ? AND step <> 'done'", identity) for identity in first.values()]
        return [message for one in found for message in one]

    def any_waiting(self) -> bool:
        """Say whether anything is in the outbox."""
        sql = "SELECT EXISTS (SELECT 1 FROM messages WHERE kept = 1 AND step <> 'done')"
        return bool(self._database.query(sql)[0][0])

    def newest(self) -> int:
        """Return a number that grows with every message that is accepted."""
        return int(self._database.query("SELECT coalesce(max(rowid), 0) FROM messages")[0][0])

    def to_tell(self, since: float) -> list[Message]:
        """Return what did not arrive, or may not have, and of which somebody is to hear.

        That are agents which live, and people for what has ended since then (epoch seconds).
        """
        return self._where(
            "kept = 1 AND step = 'done' AND told IS NULL AND state IN ('failed', 'unknown')"
            f" AND (updated >= ? OR kind = ? OR {_SENDER_LIVES})"
            " ORDER BY +rowid DESC LIMIT 1000",
            *(since, NOTICE),
        )

    def undelivered(self, *, untold: bool = False, limit: int = 1000) -> list[Message]:
        """Return what left the outbox and did not arrive, or may not have, the newest first.

        With ``untold`` only that of which the sender has not heard.
        """
        also = " AND told IS NULL" if untold else ""
        return self._where(
            "kept = 1 AND step = 'done' AND state IN ('failed', 'unknown')"
            f"{also} ORDER BY +rowid DESC LIMIT {int(limit)}"  # by an index, not by the rows
        )

    def unknown(self, since: float, limit: int = 50) -> list[Message]:
        """Return the newest messages of unknown fate that were left so since then (epoch seconds).

        Nothing more is typed for them.
        """
        return self._where(
            "state = 'unknown' AND step = 'done' AND updated >= ? ORDER BY updated DESC LIMIT ?",
            *(since, limit),
        )

    def has_twin(self, message: Message) -> bool:
        """Say whether its recipient was sent another message with the same text since then."""
        found = self._database.query(
            "SELECT 1 FROM messages WHERE recipient = ? AND created >= ? AND id <> ?"
            " AND typed = ? LIMIT 1",
            *(message.recipient, message.created, message.id, message.typed.encode()),
        )
        return bool(found)

    def agents_to_tell(self) -> bool:
        """Say whether an agent has not heard the outcome of a message of its own."""
        return bool(
            self._database.query(
                "SELECT 1 FROM messages WHERE kept = 1 AND step = 'done' AND told IS NULL"
                f" AND state IN ('failed', 'unknown') AND {_SENDER_LIVES} LIMIT 1"
            )
        )

    def told(self, identity: str) -> None:
        """Note that the sender knows the outcome of the message."""
        sql = "UPDATE messages SET told = ? WHERE id = ? AND told IS NULL"
        self._database.write(sql, time.time(), identity, durable=False)

    def unfinished(self, server: str, pane: str, pane_pid: int) -> list[Message]:
        """Return messages that were, or may have been, typed into the pane and not settled."""
        return self._where(
            "server = ? AND pane = ? AND pane_pid = ? AND step <> 'done'"  # by its index
            " AND step IN ('attempting', 'seen', 'submitting') ORDER BY +created",
            *(server, pane, pane_pid),
        )

    def gone_out(self, server: str, pane: str, pane_pid: int, limit: int) -> list[Message]:
        """Return the newest messages that went out, or may have, in a pane, the newest first.

        One that the program then refused has failed, and had been submitted.
        """
        return self._where(
            "server = ? AND pane = ? AND pane_pid = ? AND step = 'done'"
            " AND (state IN ('submitted', 'confirmed', 'unknown')"
            " OR (state = 'failed' AND attempts > 0))"
            " ORDER BY created DESC, rowid DESC LIMIT ?",
            *(server, pane, pane_pid, limit),
        )

    def step(self, identity: str, step: str, baseline: Mapping[str, Any] | None = None) -> None:
        """Note how far the delivery has come, and what is known by then of how the text shows."""
        known = {} if baseline is None else {"baseline": json.dumps(baseline)}
        self._update(identity, {"step": step, "updated": time.time(), **known})

    def note_baseline(self, identity: str, baseline: Mapping[str, Any]) -> None:
        """Note what is known by now of how the text shows."""
        self._update(identity, {"baseline": json.dumps(baseline), "updated": time.time()})

    def claim(self, message: Message, baseline: Mapping[str, Any]) -> bool:
        """Note that ``message`` is about to be typed, with what the screen shows before that.

        ``False`` if meanwhile it was cancelled, edited or replaced: then it must not be typed.
        """
        changed = self._database.write(
            "UPDATE messages SET step = 'attempting', baseline = ?, updated = ?"
            " WHERE id = ? AND step = 'accepted' AND typed = ?",
            *(json.dumps(baseline), time.time(), message.id, message.typed.encode()),
            durable=False,
        )
        return changed == 1

    def rewrite(self, identity: str, body: str, typed: str, evidence: Sequence[str]) -> bool:
        """Give a message of which nothing was typed another text; say whether that was possible."""
        changed = self._database.write(
            "UPDATE messages SET body = ?, typed = ?, evidence = ?, updated = ?"
            " WHERE id = ? AND step = 'accepted'",
            *(body.encode(), typed.encode(), json.dumps(list(evidence)), time.time(), identity),
        )
        return changed == 1

    def withdraw(self, identity: str, reason: str, *, told: bool) -> bool:
        """End a message of which nothing was typed; say whether that was possible.

        ``told`` says that its sender knows.
        """
        now = time.time()
        changed = self._database.write(
            "UPDATE messages SET state = 'failed', reason = ?, step = 'done', updated = ?,"
            " told = ? WHERE id = ? AND step = 'accepted'",
            *(reason, now, now if told else None, identity),
        )
        return changed == 1

    def supersede(self, identity: str, reason: str) -> bool:
        """End a message of which nothing was typed, as part of the caller's transaction.

        Says whether that was possible. Its sender need not be told.
        """
        now = time.time()
        found = self._database.query(
            "UPDATE messages SET state = 'failed', reason = ?, step = 'done', updated = ?, told = ?"
            " WHERE id = ? AND step = 'accepted' RETURNING id",
            *(reason, now, now, identity),
        )
        return bool(found)

    def requeue(self, identity: str, deadline: float | None) -> bool:
        """Put a message that did not arrive into the outbox; say whether it was one.

        Without a ``deadline`` one that waits keeps its own.
        """
        changed = self._database.write(
            "UPDATE messages SET state = 'queued', reason = '', step = 'accepted', kept = 1,"
            " attempts = 0, baseline = '{}', told = NULL, updated = ?,"
            " deadline = coalesce(?, CASE step WHEN 'accepted' THEN deadline END)"
            " WHERE id = ? AND (step = 'accepted'"
            " OR (step = 'done' AND state IN ('failed', 'unknown')))",
            *(time.time(), deadline, identity),
        )
        return changed == 1

    def address(self, identity: str, agent: str) -> None:
        """Say that the message is for the agent of that identity."""
        self._database.write("UPDATE messages SET agent = ? WHERE id = ?", agent, identity)

    def settle(self, message: Message, *, only_at: tuple[str, ...] | None = None) -> bool:
        """Write the state of ``message``, and what it is founded on, down.

        With ``only_at`` only if its step is still one of those; returns whether it was.
        """
        changes: dict[str, object] = {
            "state": message.state,
            "reason": message.reason,
            "step": message.step,
            "attempts": message.attempts,
            "evidence": json.dumps(list(message.evidence)),
            "elapsed_ms": message.elapsed_ms,
            "submit": json.dumps(dict(message.submit)),
            "updated": time.time(),
        }
        return self._update(message.id, changes, only_at)

    def reopen(self, identity: str, *, server: str, pane: str, pane_pid: int) -> Message:
        """Return the message; one of which nothing was typed is queued again, for that pane."""
        place = {"server": server, "pane": pane, "pane_pid": pane_pid}
        self._update(identity, {"state": "queued", "reason": "", **place}, ("accepted",))
        return self.get(identity)

    def _update(
        self, identity: str, changes: Mapping[str, object], only_at: tuple[str, ...] | None = None
    ) -> bool:
        sets = ", ".join(f"{column} = ?" for column in changes)
        steps = "" if only_at is None else f" AND step IN ({', '.join('?' for _ in only_at)})"
        changed = self._database.write(
            f"UPDATE messages SET {sets} WHERE id = ?{steps}",
            *(*changes.values(), identity, *(only_at or ())),
            durable=False,
        )
        return changed == 1

    def _where(self, clause: str, *values: object) -> list[Message]:
        rows = self._database.query(f"SELECT * FROM messages WHERE {clause}", *values)
        return [_message(row) for row in rows]


def _renamed(message: Message, identity: str) -> Message:
    """Return the message with another id, also at the end of its first line as it is typed."""
    first, newline, rest = message.typed.partition("\n")
    if newline and first.endswith(f"{message.id}]"):
        first = f"{first.removesuffix(f'{message.id}]')}{identity}]"
    return message._replace(id=identity, typed=first + newline + rest)


def address(agent: str, server: str, pane: str, pane_pid: int) -> tuple[str, ...]:
    """Return what tells one recipient from another: an agent's identity, else a pane."""
    return (agent,) if agent else (server, pane, str(pane_pid))


def _recipient(message: Message) -> tuple[object, ...]:
    return (message.agent, message.server, message.pane, message.pane_pid)


def _message(row: sqlite3.Row) -> Message:
    values = dict(row)
    values["body"], values["typed"] = row["body"].decode(), row["typed"].decode()
    values["evidence"] = tuple(json.loads(row["evidence"]))
    values["baseline"] = json.loads(row["baseline"])
    values["submit"] = json.loads(row["submit"])
    values["kept"] = bool(row["kept"])
    return Message(**values)
