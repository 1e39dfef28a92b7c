"""The table of messages. An accepted message is saved here before anything is typed."""

from collections.abc import Collection
from typing import NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.store.agents import Agent
from torch_cli.store.message import (
    CHECKIN,
    COMMAND,
    MESSAGE,
    NORMAL,
    NOTICE,
    PRIORITIES,
    Message,
    new_id,
    new_message,
    renamed,
    row_of,
)
from torch_cli.store.outbox import Outbox, address
from torch_cli.store.progress import Progress

__all__ = [
    "CHECKIN",
    "COMMAND",
    "MESSAGE",
    "NORMAL",
    "NOTICE",
    "PRIORITIES",
    "Message",
    "Messages",
    "address",
    "new_id",
    "new_message",
]

BEGINNING_BYTES = 400
"""Bytes of a message that are read for its first line."""

ROWS_AT_ONCE = 500
"""Rows that one statement asks for; SQLite takes at most 999 values in old versions."""


class Excerpt(NamedTuple):
    """What a list of events says of a message: when it was ``created`` (epoch seconds), its
    ``state`` as a receipt shows it, its ``sender``, and the ``beginning`` of its text. ``told``
    says that its sender knows that it did not arrive.
    """

    created: float
    state: str
    sender: str
    beginning: str
    told: bool = False


_STATE = "CASE WHEN state = 'queued' AND step <> 'accepted' THEN 'unknown' ELSE state END"
"""The state that a receipt shows. In the middle of a delivery it is ``unknown``."""


class Messages(Outbox, Progress):
    """Reads and writes the table: acceptance and conversations here, the rest is in its bases."""

    def accept(self, message: Message) -> tuple[Message, bool]:
        """Save a new message durably, before anything is typed.

        Returns it and whether it is new: the same key gives the same message. Raises
        ``RefusedError`` if the key was used for another text or recipient.
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

        If another message has its id already, it gets a new id, also in its envelope.
        """
        while self._database.query("SELECT 1 FROM messages WHERE id = ?", message.id):
            message = renamed(message, new_id())
        self._database.insert("messages", row_of(message))
        return message

    def get(self, identity: str) -> Message:
        """Return the message ``identity``; raises ``KeyError``."""
        found = self._where("id = ?", identity)
        if not found:
            raise KeyError(identity)
        return found[0]

    def excerpts(self, identities: Collection[str]) -> dict[str, Excerpt]:
        """Return an excerpt of each of these messages that is still kept, by its id."""
        found, wanted = dict[str, Excerpt](), list(identities)
        for start in range(0, len(wanted), ROWS_AT_ONCE):
            part = wanted[start : start + ROWS_AT_ONCE]
            marks = ", ".join("?" for _ in part)
            rows = self._database.query(
                f"SELECT id, created, {_STATE}, sender, substr(body, 1, {BEGINNING_BYTES}), told"
                f" FROM messages WHERE id IN ({marks})",
                *part,
            )
            for identity, created, state, sender, beginning, told in rows:
                text = beginning.decode(errors="ignore")  # its last character may be cut
                found[identity] = Excerpt(created, state, sender, text, bool(told))
        return found

    def with_key(self, key: str) -> Message | None:
        """Return the message that was sent with that key."""
        return next(iter(self._where("key = ?", key)), None)

    def latest(
        self,
        *,
        recipient: str | None = None,
        agent: str | None = None,
        state: str | None = None,
        limit: int = 1,
    ) -> list[Message]:
        """Return the newest messages first, only of one recipient or state if given.

        ``agent`` is the recipient's identity, so that messages to an earlier agent of the same name
        are left out.
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
        """Return the newest messages to an agent, the newest last.

        Messages to an earlier agent of the same name are left out. With ``unanswered`` only
        messages of other agents that it has not answered.
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
