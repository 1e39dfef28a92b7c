"""Which agents were briefed with what, and which have acknowledged it."""

import time
from typing import NamedTuple

from torch_cli.store.database import Database


class Briefed(NamedTuple):
    """A briefing that was sent: the message, the agent's identity, the briefing's name.

    ``sent`` and ``acknowledged`` are seconds since the epoch. ``acknowledged`` is ``None`` as long
    as the agent has not acknowledged it. ``words`` is what the agent said then.
    """

    message: str
    agent: str
    name: str
    sent: float
    acknowledged: float | None = None
    words: str = ""


class Briefings:
    """Reads and writes the table of briefings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, message: str, agent: str, name: str) -> None:
        """Record that a briefing was sent to the agent with that identity."""
        with self._database.transaction():
            self.insert(message, agent, name)

    def insert(self, message: str, agent: str, name: str) -> None:
        """Record the same, as part of the caller's transaction."""
        self._database.query(
            "INSERT OR IGNORE INTO briefings (message, agent, name, sent) VALUES (?, ?, ?, ?)",
            *(message, agent, name, time.time()),
        )

    def remove(self, message: str) -> None:
        """Remove a briefing that was not sent after all."""
        self._database.write("DELETE FROM briefings WHERE message = ?", message, durable=False)

    def any(self) -> bool:
        """Return whether any agent was ever briefed."""
        return bool(self._database.query("SELECT EXISTS (SELECT 1 FROM briefings)")[0][0])

    def first(self, briefed: Briefed) -> str:
        """Return the message that brought the agent that briefing for the first time."""
        rows = self._database.query(
            "SELECT message FROM briefings WHERE agent = ? AND name = ? ORDER BY sent LIMIT 1",
            *(briefed.agent, briefed.name),
        )
        return str(rows[0][0]) if rows else briefed.message

    def newest(self) -> dict[str, Briefed]:
        """Return the last briefing of each agent, by its identity."""
        rows = self._database.query("SELECT * FROM briefings ORDER BY sent")
        return {row["agent"]: Briefed(**dict(row)) for row in rows}

    def acknowledge(self, agent: str, words: str) -> Briefed | None:
        """Record that the agent acknowledges its last briefing; return it, ``None`` if none.

        If it was acknowledged before, that time stays.
        """
        with self._database.transaction():
            rows = self._database.query(
                "SELECT * FROM briefings WHERE agent = ? ORDER BY sent DESC LIMIT 1", agent
            )
            if not rows:
                return None
            last = Briefed(**dict(rows[0]))
            at = time.time() if last.acknowledged is None else last.acknowledged
            said = words or last.words
            self._database.query(
                "UPDATE briefings SET acknowledged = ?, words = ? WHERE message = ?",
                *(at, said, last.message),
            )
        return last._replace(acknowledged=at, words=said)
