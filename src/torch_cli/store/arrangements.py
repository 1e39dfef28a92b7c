"""How windows and panes were arranged at each tmux server, the latest arrangement alone."""

import time

from torch_cli.store.database import Database


class Arrangements:
    """Reads and writes the table: one row for each socket. ``lifecycle`` knows what the text is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sockets(self) -> list[str]:
        """Return the sockets of which an arrangement is kept."""
        rows = self._database.query("SELECT socket FROM arrangements ORDER BY socket")
        return [row[0] for row in rows]

    def get(self, socket: str) -> str:
        """Return the arrangement at that socket, '' if none is kept."""
        rows = self._database.query("SELECT sessions FROM arrangements WHERE socket = ?", socket)
        return str(rows[0][0]) if rows else ""

    def put(self, socket: str, sessions: str) -> None:
        """Keep that arrangement; '' keeps none."""
        if not sessions:
            self._database.write("DELETE FROM arrangements WHERE socket = ?", socket)
            return
        sql = "INSERT OR REPLACE INTO arrangements (socket, taken, sessions) VALUES (?, ?, ?)"
        self._database.write(sql, socket, time.time(), sessions)
