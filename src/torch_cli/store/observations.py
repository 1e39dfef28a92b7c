"""The last state seen of each pane, and since when the pane has been in it."""

import time

from torch_cli.store.database import Database


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

        ``reported`` is when the program last reported: before that the state was another one.
        ``wrote`` is when the pane's window last wrote. The state is at least as old as that, but
        not older than the last look at which it was another. Without ``wrote`` a new state begins
        now.
        """
        now = time.time()
        known = min(now, max(reported, wrote)) if wrote else now
        self._database.write(
            "INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (server, pane, pane_pid) DO UPDATE SET seen = excluded.seen,"
            " evidence = excluded.evidence, state = excluded.state,"
            " since = CASE WHEN state = excluded.state THEN max(since, ?)"
            " ELSE max(seen, excluded.since) END",
            *(server, pane, pane_pid, state, evidence, known, now, min(reported, now)),
            durable=False,
        )
        rows = self._database.query(
            "SELECT since FROM observations WHERE server = ? AND pane = ? AND pane_pid = ?",
            *(server, pane, pane_pid),
        )
        return float(rows[0][0])
