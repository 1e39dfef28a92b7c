"""Restarts of members of teams: those that were, and one that is to be."""

import math
import os
from typing import NamedTuple

from torch_cli.store.database import Database

GIVEN_UP = math.inf


class Restart(NamedTuple):
    """A member was seen to have ended at ``noticed``, and is to be restarted at ``due``.

    ``at`` is when it was, ``None`` until then. ``due`` is never (``GIVEN_UP``) if it is to be left
    until a person starts it. Times are seconds since the epoch.
    """

    team: str
    name: str
    noticed: float
    due: float
    at: float | None = None


class Restarts:
    """Reads and writes the table of restarts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, team: str, name: str) -> list[Restart]:
        """Return the restarts of a member, the oldest first."""
        rows = self._database.query(
            "SELECT * FROM restarts WHERE team = ? AND name = ? ORDER BY noticed",
            *(os.fsencode(team), name),
        )
        return [Restart(**{**dict(row), "team": os.fsdecode(row["team"])}) for row in rows]

    def add(self, restart: Restart) -> None:
        """Note that a member has ended, and when it is to be restarted."""
        row = restart._asdict() | {"team": os.fsencode(restart.team)}
        marks = ", ".join("?" for _ in row)
        sql = f"INSERT INTO restarts ({', '.join(row)}) VALUES ({marks})"
        self._database.write(sql, *row.values())

    def begin(self, team: str, name: str, at: float) -> None:
        """Note that what is to be restarted is being so."""
        self._database.write(
            "UPDATE restarts SET at = ? WHERE team = ? AND name = ? AND at IS NULL",
            *(at, os.fsencode(team), name),
        )

    def settle(self, team: str, name: str, before: float) -> None:
        """Forget one that was to be: the member runs, or has ended as it may.

        All are forgotten if the last was before that time (epoch seconds), or if it had been given
        up: a person has started it again.
        """
        if not self._database.query("SELECT EXISTS (SELECT 1 FROM restarts)")[0][0]:
            return
        self._database.write(
            "WITH own AS (SELECT at, due FROM restarts WHERE team = ? AND name = ?)"
            " DELETE FROM restarts WHERE team = ? AND name = ? AND (at IS NULL"
            " OR (SELECT max(at) FROM own) < ? OR (SELECT max(due) FROM own) = ?)",
            *(os.fsencode(team), name, os.fsencode(team), name, before, GIVEN_UP),
        )
