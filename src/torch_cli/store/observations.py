"""The last state seen of each pane, and since when it has been so."""

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
    ) -> float:
        """Note the state seen now; return since when (epoch seconds) it is known to be so.

        A state that nobody watched begins when it was first seen, or at the program's last
        report, ``reported``: before it there was another.
        """
        now = time.time()
        self._database.write(
            "INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (server, pane, pane_pid) DO UPDATE SET seen = excluded.seen,"
            " evidence = excluded.evidence, state = excluded.state,"
            " since = CASE WHEN state = excluded.state THEN max(since, ?) ELSE excluded.since END",
            *(server, pane, pane_pid, state, evidence, now, now, min(reported, now)),
            durable=False,
        )
        rows = self._database.query(
            "SELECT since FROM observations WHERE server = ? AND pane = ? AND pane_pid = ?",
            *(server, pane, pane_pid),
        )
        return float(rows[0][0])
