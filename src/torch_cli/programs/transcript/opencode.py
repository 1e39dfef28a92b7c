"""The transcript of opencode: ``opencode.db`` in its data directory, an SQLite file (1.18.33)."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch_cli.programs.transcript import Origin, Turn

Found = TypeVar("Found")


def open_transcript(origin: Origin) -> "Sessions":
    """Return the sessions of every opencode of that user, in that directory."""
    return Sessions(sessions_file(origin.environ), origin)


def sessions_file(environ: Mapping[str, str], program: str = "opencode") -> str:
    """Return where a program with that environment keeps its sessions."""
    home = environ.get("HOME") or os.path.expanduser("~")
    data = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    return os.path.join(data, program, f"{program}.db")


def file_with(session: str, environ: Mapping[str, str], program: str = "opencode") -> str:
    """Return the file that has ``session``, '' if none has it, or it is a sub-agent's."""
    path = sessions_file(environ, program)
    sql = "SELECT 1 FROM session WHERE id = ? AND parent_id IS NULL"
    return path if _read(path, lambda store: _rows(store, sql, session)) else ""


def newest_session(directory: str, environ: Mapping[str, str], program: str = "opencode") -> str:
    """Return the session of ``directory`` that was used last, '' if there is none."""
    sql = (
        "SELECT s.id FROM session s WHERE s.directory = ? AND s.parent_id IS NULL"
        " AND s.time_archived IS NULL"
        " AND EXISTS (SELECT 1 FROM message m WHERE m.session_id = s.id)"
        " ORDER BY s.time_updated DESC LIMIT 1"
    )
    where = os.path.realpath(directory)
    found = _read(sessions_file(environ, program), lambda store: _rows(store, sql, where))
    return str(found[0][0]) if found else ""


def said_in(path: str, session: str) -> list[str]:
    """Return what users have said in a session."""
    sql = "SELECT id, data FROM message WHERE session_id = ? ORDER BY time_created, id"

    def said(store: Any) -> list[str]:
        rows = _rows(store, sql, session)
        return [_text(store, identity) for identity, data in rows if _is_user(json.loads(data))]

    return _read(path, said)


def used_at(path: str, session: str) -> float:
    """Return when (epoch seconds) a session was used last, 0 if that cannot be read."""
    sql = "SELECT time_updated FROM session WHERE id = ?"
    found = _read(path, lambda store: _rows(store, sql, session))
    return float(found[0][0]) / 1000 if found else 0.0


def last_answers(path: str, directory: str, since: float) -> list[dict[str, Any]]:
    """Return the last message of each session of ``directory``, if the program wrote it.

    Messages before ``since`` (epoch seconds) do not count.
    """
    sql = (
        "SELECT (SELECT m.data FROM message m WHERE m.session_id = s.id AND m.time_created >= ?"
        " ORDER BY m.time_created DESC, m.id DESC LIMIT 1)"
        " FROM session s WHERE s.directory = ? AND s.parent_id IS NULL"
    )
    where = os.path.realpath(directory)
    rows = _read(path, lambda store: _rows(store, sql, int(since * 1000), where))
    last = (json.loads(data) for (data,) in rows if data is not None)
    return [one for one in last if isinstance(one, dict) and one.get("role") == "assistant"]


def _is_user(message: object) -> bool:
    return isinstance(message, dict) and message.get("role") == "user"


def _rows(store: Any, sql: str, *values: object) -> list[Any]:
    found: list[Any] = store.execute(sql, values).fetchall()
    return found


def _read(path: str, act: Callable[[Any], list[Found]]) -> list[Found]:
    """Return what ``act`` reads from a file of sessions, nothing if that cannot be read."""
    import sqlite3
    from urllib.parse import quote

    if not os.path.exists(path):
        return []
    try:
        store = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=1.0)
    except sqlite3.Error:
        return []
    try:
        return act(store)
    except sqlite3.Error:
        return []  # it is being written, or is of another version
    finally:
        store.close()


class Sessions:
    """Reads messages and answers. An answer names its message."""

    def __init__(self, path: str, origin: Origin) -> None:
        self._path, self._origin = path, origin

    def turns(self, is_ours: Callable[[str], bool]) -> list[Turn]:
        """Return the newest turn of each session that began with one of our messages."""
        return _read(self._path, lambda store: list(self._turns(store, is_ours).values()))

    def _turns(self, store: Any, is_ours: Callable[[str], bool]) -> dict[str, Turn]:
        """Return turns by session, from the newest messages of this directory's sessions."""
        rows = _rows(
            store,
            "SELECT m.id, m.session_id, m.data FROM message m JOIN session s ON s.id = m.session_id"
            " WHERE m.time_created >= ? AND s.directory = ? ORDER BY m.time_created, m.id",
            int(self._origin.since * 1000),
            self._origin.directory,
        )
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
