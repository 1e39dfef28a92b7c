"""The windows that Torch created: it ends no others."""

import time

from torch_cli.store.database import Database, storable
from torch_cli.tmux.panes import Pane


class Windows:
    """Remembers windows by server and window id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, pane: Pane, *, name: str, directory: str, created_session: bool) -> None:
        """Remember the window of ``pane``, which Torch has just created."""
        self._database.write(
            "INSERT OR REPLACE INTO windows (server, socket, window, pane, pane_pid, session, name,"
            " directory, created_session, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(pane.server, pane.socket_path, pane.window_id, pane.id, pane.pid, pane.session),
            *(name, storable(directory), created_session, time.time()),
        )

    def parted(self, pane: Pane) -> None:
        """Note that ``pane``, if Torch opened it, has the window that it is in to itself.

        The one that it came from is left to those who are still in there.
        """
        self._database.write(
            "UPDATE OR REPLACE windows SET window = ?, session = ?, name = ?"
            " WHERE server = ? AND pane = ?",
            *(pane.window_id, pane.session, pane.window, pane.server, pane.id),
        )

    def opened(self, pane: Pane) -> bool:
        """Say whether Torch opened ``pane``, wherever it is now."""
        sql = "SELECT 1 FROM windows WHERE server = ? AND pane = ?"
        return bool(self._database.query(sql, pane.server, pane.id))

    def opened_since(self, name: str, at: float) -> tuple[str, str, str, int] | None:
        """Return the newest window of that name that was opened since ``at`` (epoch seconds).

        As socket, server, pane and its process; ``None`` if none was.
        """
        rows = self._database.query(
            "SELECT socket, server, pane, pane_pid FROM windows WHERE name = ? AND created >= ?"
            " ORDER BY created DESC LIMIT 1",
            *(name, at),
        )
        return tuple(rows[0]) if rows else None

    def created(self, server: str, window: str) -> bool:
        """Say whether Torch created that window."""
        sql = "SELECT 1 FROM windows WHERE server = ? AND window = ?"
        return bool(self._database.query(sql, server, window))
