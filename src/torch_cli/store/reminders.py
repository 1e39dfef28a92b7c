"""Which agents were reminded of which breach of an agreement, and whether a parent was told."""

import os
from typing import NamedTuple

from torch_cli.store.database import Database


class Reminder(NamedTuple):
    """At ``at``, an agent (by its identity) was reminded that it breaks ``rule``.

    ``subject`` is the task or directory of the breach, '' if the breach is a message. ``seen`` is
    the evidence at that time. ``parent_at`` is when its parent was told, ``None`` if it was not.
    Times are seconds since the epoch.
    """

    team: str
    rule: str
    agent: str
    subject: str
    seen: str
    at: float
    parent_at: float | None = None


class Reminders:
    """Reads and writes the table of reminders."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, team: str) -> list[Reminder]:
        """Return the reminders of a team."""
        rows = self._database.query("SELECT * FROM reminders WHERE team = ?", os.fsencode(team))
        return [Reminder(**{**dict(row), "team": os.fsdecode(row["team"])}) for row in rows]

    def put(self, reminder: Reminder) -> None:
        """Save a reminder, as part of the caller's transaction.

        It replaces an earlier reminder of the same breach.
        """
        row = reminder._asdict() | {"team": os.fsencode(reminder.team)}
        self._database.insert("reminders", row, replace=True)

    def remove(self, reminder: Reminder) -> None:
        """Remove a reminder, because the breach is over."""
        self._database.write(
            "DELETE FROM reminders WHERE team = ? AND rule = ? AND agent = ? AND subject = ?",
            *(os.fsencode(reminder.team), reminder.rule, reminder.agent, reminder.subject),
        )
