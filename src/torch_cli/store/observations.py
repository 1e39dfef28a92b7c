"""The last state seen of each pane, and since when the pane has been in it."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.store.database import Database


class Observation(NamedTuple):
    """The state of a pane, as it is seen now.

    ``reported`` is when the program last reported: before that the state was another one. ``wrote``
    is when the pane's window last wrote. The state is at least as old as that, but not older than
    the last look at which it was another. Without ``wrote`` a new state begins now.
    """

    server: str
    pane: str
    pane_pid: int
    state: str
    evidence: str
    reported: float = 0.0
    wrote: float = 0.0


class Observations:
    """Remembers states between commands."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        server: str,
        pane: str,
        pane_pid: int,
        state: str,
        evidence: str,
        *,
        reported: float = 0.0,
        wrote: float = 0.0,
    ) -> float:
        """Record the state seen now; return since when (epoch seconds) it has been this state.

        The parameters are those of an ``Observation``.
        """
        seen = Observation(server, pane, pane_pid, state, evidence, reported, wrote)
        return self.record_all([seen])[0]

    def record_all(self, seen: Sequence[Observation]) -> list[float]:
        """Record states that are seen now; return since when (epoch seconds) each has been so.

        They are written at once, because each transaction makes the file's log longer.
        """
        if not seen:
            return []
        with self._database.transaction(durable=False):
            return [self.insert(one) for one in seen]

    def insert(self, seen: Observation) -> float:
        """Record a state that is seen now, in the transaction of the caller, as ``record`` does."""
        now, reported, wrote = time.time(), seen.reported, seen.wrote
        known = min(now, max(reported, wrote)) if wrote else now
        self._database.query(
            "INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (server, pane, pane_pid) DO UPDATE SET seen = excluded.seen,"
            " evidence = excluded.evidence, state = excluded.state,"
            " since = CASE WHEN state = excluded.state THEN max(since, ?)"
            " ELSE max(seen, excluded.since) END",
            *(*seen[:5], known, now, min(reported, now)),
        )
        rows = self._database.query(
            "SELECT since FROM observations WHERE server = ? AND pane = ? AND pane_pid = ?",
            *seen[:3],
        )
        return float(rows[0][0])
