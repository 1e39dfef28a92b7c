"""Restarts of members of teams and of other agents: past ones, and the next one."""

import math
import os
from typing import NamedTuple

from torch_cli.store.database import Database

GIVEN_UP = math.inf


class Restart(NamedTuple):
    """Torch saw at ``noticed`` that a member had ended, and will restart it at ``due``.

    ``team`` and ``name`` are those of the member. An agent that is in no team file has the team
    '', and its identity as its name.

    ``at`` is when Torch restarted it, ``None`` before. ``due`` is ``GIVEN_UP`` if only a person may
    start it again. Times are seconds since the epoch.
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

    def agents(self) -> set[str]:
        """Return the identities of agents that have restarts and are not in a team's file."""
        rows = self._database.query("SELECT DISTINCT name FROM restarts WHERE team = ?", b"")
        return {row[0] for row in rows}

    def is_given_up(self, team: str, name: str) -> bool:
        """Return whether only a person may start it again."""
        return any(one.at is None and one.due == GIVEN_UP for one in self.of(team, name))

    def add(self, restart: Restart) -> None:
        """Record that a member has ended, and when to restart it."""
        row = restart._asdict() | {"team": os.fsencode(restart.team)}
        with self._database.transaction():
            self._database.insert("restarts", row)

    def begin(self, team: str, name: str, at: float) -> None:
        """Record that the restart of a member begins."""
        self._database.write(
            "UPDATE restarts SET at = ? WHERE team = ? AND name = ? AND at IS NULL",
            *(at, os.fsencode(team), name),
        )

    def forget(self, team: str, name: str) -> None:
        """Remove all restarts of a member, because a person has started it again."""
        sql = "DELETE FROM restarts WHERE team = ? AND name = ?"
        self._database.write(sql, os.fsencode(team), name)

    def settle(self, team: str, name: str, before: float) -> None:
        """Remove the next restart, because the member runs, or has ended in a permitted way.

        Removes past restarts too if the last one was before ``before`` (epoch seconds), or if Torch
        had given up and a person has started the member again.
        """
        if not self._database.query("SELECT EXISTS (SELECT 1 FROM restarts)")[0][0]:
            return
        self._database.write(
            "WITH own AS (SELECT at, due FROM restarts WHERE team = ? AND name = ?)"
            " DELETE FROM restarts WHERE team = ? AND name = ? AND (at IS NULL"
            " OR (SELECT max(at) FROM own) < ? OR (SELECT max(due) FROM own) = ?)",
            *(os.fsencode(team), name, os.fsencode(team), name, before, GIVEN_UP),
        )
