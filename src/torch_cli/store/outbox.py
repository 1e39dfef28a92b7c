"""Messages that wait in the outbox, and messages that left it without arriving."""

import time
from collections.abc import Collection

from torch_cli.pane_id import PaneId
from torch_cli.store.database import Database
from torch_cli.store.message import NOTICE, Message, message_of

_ORDER = "priority DESC, rowid"

_SENDER_LIVES = (
    "(author IN (SELECT identity FROM agents WHERE stopped IS NULL) OR author = ''"
    " AND sender IN (SELECT name FROM agents WHERE stopped IS NULL))"
)

_SAME_RECIPIENT = "agent = ? AND (agent <> '' OR (server = ? AND pane = ? AND pane_pid = ?))"


class Rows:
    """Finds messages by a clause of SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def _where(self, clause: str, *values: object) -> list[Message]:
        rows = self._database.query(f"SELECT * FROM messages WHERE {clause}", *values)
        return [message_of(row) for row in rows]


class Outbox(Rows):
    """Reads the messages that are kept until they are settled, and those that were typed."""

    def ahead_of(self, message: Message) -> list[Message]:
        """Return the messages in the outbox for the same recipient that go before ``message``.

        A higher priority goes first. Otherwise the order is that of acceptance, also if the clock
        is set back.
        """
        rowid = "(SELECT rowid FROM messages WHERE id = ?)"
        return self._where(
            f"kept = 1 AND step <> 'done' AND step = 'accepted' AND {_SAME_RECIPIENT}"
            f" AND (priority > ? OR (priority = ? AND rowid < {rowid})) ORDER BY {_ORDER}",
            *_recipient(message),
            *(message.priority, message.priority, message.id),
        )

    def waiting(self, agent: str | None = None) -> list[Message]:
        """Return the messages in the outbox, in order; with ``agent`` only those for it."""
        mine = "" if agent is None else " AND agent = ?"
        values = () if agent is None else (agent,)
        return self._where(f"kept = 1 AND step <> 'done'{mine} ORDER BY {_ORDER}", *values)

    def untyped(self, key: str) -> list[Message]:
        """Return the untyped messages in the outbox with a key that begins with ``key``."""
        return self._where(
            "kept = 1 AND step <> 'done' AND step = 'accepted' AND substr(key, 1, ?) = ?"
            f" ORDER BY {_ORDER}",
            *(len(key), key),
        )

    def expired(self, now: float) -> list[Message]:
        """Return the untyped messages in the outbox whose deadline is before ``now``."""
        return self._where(
            "kept = 1 AND step <> 'done' AND step = 'accepted' AND deadline <= ?"
            f" ORDER BY {_ORDER}",
            now,
        )

    def heads(self, passed_over: Collection[tuple[str, ...]] = ()) -> list[Message]:
        """Return the first message in the outbox for each recipient, in order.

        Messages that were already typed come first. ``passed_over`` are recipients to leave out, as
        ``address`` returns them. Only the bodies of these first messages are read.
        """
        rows = self._database.query(
            "SELECT id, agent, server, pane, pane_pid FROM messages"
            f" WHERE kept = 1 AND step <> 'done' ORDER BY step = 'accepted', {_ORDER}"
        )
        first: dict[tuple[str, ...], str] = {}
        for row in rows:
            to = address(row["agent"], PaneId(row["server"], row["pane"], row["pane_pid"]))
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
        """Return messages that did not, or perhaps did not, arrive, and whose sender must be told.

        Living agents are always told, people only about messages that ended after ``since`` (epoch
        seconds).
        """
        return self._where(
            "kept = 1 AND step = 'done' AND told IS NULL AND state IN ('failed', 'unknown')"
            f" AND (updated >= ? OR kind = ? OR {_SENDER_LIVES})"
            " ORDER BY +rowid DESC LIMIT 1000",
            *(since, NOTICE),
        )

    def undelivered(self, *, untold: bool = False, limit: int = 1000) -> list[Message]:
        """Return messages that left the outbox and perhaps did not arrive, the newest first.

        With ``untold`` only those whose sender has not been told.
        """
        also = " AND told IS NULL" if untold else ""
        return self._where(
            "kept = 1 AND step = 'done' AND state IN ('failed', 'unknown')"
            f"{also} ORDER BY +rowid DESC LIMIT {int(limit)}"  # "+" has SQLite use the index
        )

    def unknown(self, since: float, limit: int = 50) -> list[Message]:
        """Return the newest ``unknown`` messages that ended after ``since`` (epoch seconds).

        Nothing more is typed for them.
        """
        return self._where(
            "state = 'unknown' AND step = 'done' AND updated >= ? ORDER BY updated DESC LIMIT ?",
            *(since, limit),
        )

    def left(self, since: float, limit: int = 50) -> list[Message]:
        """Return the newest messages that were typed, not settled, and are not in the outbox.

        They were last worked at after ``since`` (epoch seconds). Only the next delivery to their
        pane would settle them.
        """
        return self._where(
            "kept = 0 AND step <> 'done' AND step IN ('seen', 'submitting') AND updated >= ?"
            " ORDER BY updated DESC LIMIT ?",
            *(since, limit),
        )

    def has_twin(self, message: Message) -> bool:
        """Return whether another message with the same text was sent to its recipient since."""
        found = self._database.query(
            "SELECT 1 FROM messages WHERE recipient = ? AND created >= ? AND id <> ?"
            " AND typed = ? LIMIT 1",
            *(message.recipient, message.created, message.id, message.typed.encode()),
        )
        return bool(found)

    def agents_to_tell(self) -> bool:
        """Return whether an agent must still be told that its message did not arrive."""
        return bool(
            self._database.query(
                "SELECT 1 FROM messages WHERE kept = 1 AND step = 'done' AND told IS NULL"
                f" AND state IN ('failed', 'unknown') AND {_SENDER_LIVES} LIMIT 1"
            )
        )

    def told(self, identity: str) -> None:
        """Record that the sender knows the outcome of the message."""
        sql = "UPDATE messages SET told = ? WHERE id = ? AND told IS NULL"
        self._database.write(sql, time.time(), identity, durable=False)

    def unfinished(self, pane: PaneId) -> list[Message]:
        """Return unsettled messages that were, or perhaps were, typed into the pane."""
        return self._where(
            "server = ? AND pane = ? AND pane_pid = ? AND step <> 'done'"  # by its index
            " AND step IN ('attempting', 'seen', 'submitting') ORDER BY +created",
            *pane,
        )

    def gone_out(self, pane: PaneId, limit: int) -> list[Message]:
        """Return the newest messages that went out, or perhaps did, in a pane, the newest first.

        This includes messages that were submitted and that the program then refused.
        """
        return self._where(
            "server = ? AND pane = ? AND pane_pid = ? AND step = 'done'"
            " AND (state IN ('submitted', 'confirmed', 'unknown')"
            " OR (state = 'failed' AND attempts > 0))"
            " ORDER BY created DESC, rowid DESC LIMIT ?",
            *(*pane, limit),
        )


def address(agent: str, pane: PaneId) -> tuple[str, ...]:
    """Return what identifies a recipient: an agent's identity, else a pane."""
    return (agent,) if agent else (pane.server, pane.pane, str(pane.pid))


def _recipient(message: Message) -> tuple[object, ...]:
    return (message.agent, *message.at)
