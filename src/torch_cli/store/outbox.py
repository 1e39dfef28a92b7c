"""What waits in the outbox, what left it without arriving, and who has heard of that."""

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
        """Say whether an agent has not heard what became of a message of its own."""
        return bool(
            self._database.query(
                "SELECT 1 FROM messages WHERE kept = 1 AND step = 'done' AND told IS NULL"
                f" AND state IN ('failed', 'unknown') AND {_SENDER_LIVES} LIMIT 1"
            )
        )

    def told(self, identity: str) -> None:
        """Note that the sender knows what became of the message."""
        sql = "UPDATE messages SET told = ? WHERE id = ? AND told IS NULL"
        self._database.write(sql, time.time(), identity, durable=False)

    def unfinished(self, pane: PaneId) -> list[Message]:
        """Return messages that were, or may have been, typed into the pane and not settled."""
        return self._where(
            "server = ? AND pane = ? AND pane_pid = ? AND step <> 'done'"  # by its index
            " AND step IN ('attempting', 'seen', 'submitting') ORDER BY +created",
            *pane,
        )

    def gone_out(self, pane: PaneId, limit: int) -> list[Message]:
        """Return the newest messages that went out, or may have, in a pane, the newest first.

        One that the program then refused has failed, and had been submitted.
        """
        return self._where(
            "server = ? AND pane = ? AND pane_pid = ? AND step = 'done'"
            " AND (state IN ('submitted', 'confirmed', 'unknown')"
            " OR (state = 'failed' AND attempts > 0))"
            " ORDER BY created DESC, rowid DESC LIMIT ?",
            *(*pane, limit),
        )


def address(agent: str, pane: PaneId) -> tuple[str, ...]:
    """Return what tells one recipient from another: an agent's identity, else a pane."""
    return (agent,) if agent else (pane.server, pane.pane, str(pane.pid))


def _recipient(message: Message) -> tuple[object, ...]:
    return (message.agent, *message.at)
