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

    def created(self, server: str, window: str) -> bool:
        """Say whether Torch created that window."""
        sql = "SELECT 1 FROM windows WHERE server = ? AND window = ?"
        return bool(self._database.query(sql, server, window))
