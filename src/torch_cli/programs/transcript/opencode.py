"""The transcript of opencode: ``opencode.db`` in its data directory, an SQLite file (1.18.33)."""

import json
import os
from collections.abc import Callable
from typing import Any

from torch_cli.programs.transcript import Origin, Turn


def open_transcript(origin: Origin) -> "Sessions":
    """Return the sessions of every opencode of that user, in that directory."""
    return Sessions(os.path.join(data_directory(origin), "opencode", "opencode.db"), origin)


def data_directory(origin: Origin) -> str:
    """Return the directory in which that user's programs keep their data."""
    return origin.environ.get("XDG_DATA_HOME") or os.path.join(origin.home, ".local", "share")


class Sessions:
    """Reads messages and answers. An answer names its message."""

    def __init__(self, path: str, origin: Origin) -> None:
        self._path, self._origin = path, origin

    def turns(self, is_ours: Callable[[str], bool]) -> list[Turn]:
        """Return the newest turn of each session that began with one of our messages."""
        import sqlite3
        from urllib.parse import quote

        if not os.path.exists(self._path):
            return []
        try:
            store = sqlite3.connect(f"file:{quote(self._path)}?mode=ro", uri=True, timeout=1.0)
        except sqlite3.Error:
            return []
        try:
            return list(self._turns(store, is_ours).values())
        except sqlite3.Error:
            return []  # it is being written, or is of another version
        finally:
            store.close()

    def _turns(self, store: Any, is_ours: Callable[[str], bool]) -> dict[str, Turn]:
        """Return turns by session, from the newest messages of this directory's sessions."""
        rows = store.execute(
            "SELECT m.id, m.session_id, m.data FROM message m JOIN session s ON s.id = m.session_id"
            " WHERE m.time_created >= ? AND s.directory = ? ORDER BY m.time_created, m.id",
            (int(self._origin.since * 1000), self._origin.directory),
        ).fetchall()
        found: dict[str, Turn] = {}
        begun: dict[str, str] = {}  # the id of our message, by session
        for identity, session, data in rows:
            message = json.loads(data)
            if not isinstance(message, dict):
                continue
            if message.get("role") == "user":
                if is_ours(_text(store, identity)):
                    begun[session], found[session] = identity, Turn()
            elif message.get("parentID") == begun.get(session, "") and _is_last(message):
                found[session] = Turn(_text(store, identity))
        return found


def _is_last(message: dict[str, Any]) -> bool:
    """Return whether an answer is complete and no tool follows."""
    times = message.get("time")
    ended = isinstance(times, dict) and "completed" in times
    return ended and message.get("finish") not in (None, "tool-calls")


def _text(store: Any, identity: str) -> str:
    rows = store.execute("SELECT data FROM part WHERE message_id = ? ORDER BY id", (identity,))
    parts = [json.loads(data) for (data,) in rows.fetchall()]
    kinds = (p for p in parts if isinstance(p, dict) and p.get("type") == "text")
    texts = (p for p in kinds if not p.get("synthetic"))
    return "".join(str(part.get("text", "")) for part in texts)
