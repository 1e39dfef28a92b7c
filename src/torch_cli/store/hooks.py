"""What agent programs reported through their hooks."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch_cli.store.database import Database


class HookReport(NamedTuple):
    """One call of a program's hook: its event's name, the prompt if it carried one."""

    id: int
    at: float
    name: str
    session: str
    prompt: str


class HookReports:
    """Reads the table that ``torch hook`` writes. A pane is named by ``Pane.server`` and its id.

    Ids of panes begin again with each server: what another server's program has reported is left
    out. Of reports before version 26 of the store the server is not known.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(
        self, server: str, pane: str, *, since: float = 0.0, besides: Sequence[str] = ()
    ) -> HookReport | None:
        """Return the newest report from that pane at or after ``since`` (epoch seconds).

        Those of the names in ``besides`` do not count.
        """
        marks = ", ".join("?" for _ in besides)
        other = f"AND name NOT IN ({marks})" if besides else ""
        sql = f"AND at >= ? {other} ORDER BY id DESC LIMIT 1"
        found = self._where(sql, server, pane, since, *besides)
        return found[0] if found else None

    def after(self, server: str, pane: str, identity: int) -> list[HookReport]:
        """Return the reports from that pane that came after the one numbered ``identity``."""
        return self._where("AND id > ? ORDER BY id", server, pane, identity)

    def last_of(
        self, server: str, pane: str, names: Sequence[str], since: float
    ) -> HookReport | None:
        """Return the newest report of these names from that pane at or after ``since``."""
        marks = ", ".join("?" for _ in names)
        sql = f"AND at >= ? AND name IN ({marks}) ORDER BY id DESC LIMIT 1"
        found = self._where(sql, server, pane, since, *names)
        return found[0] if found else None

    def named(self, server: str, pane: str, names: Sequence[str], since: float) -> list[HookReport]:
        """Return the reports of these names from that pane after ``since`` (epoch seconds)."""
        marks = ", ".join("?" for _ in names)
        sql = f"AND at > ? AND name IN ({marks}) ORDER BY id"
        return self._where(sql, server, pane, since, *names)

    def between(
        self, server: str, pane: str, names: Sequence[str], after: int, until: int, since: float
    ) -> list[HookReport]:
        """Return the reports of these names from that pane after the number ``after``, up to
        ``until``, and after ``since`` (epoch seconds), in order.
        """
        marks = ", ".join("?" for _ in names)
        if not after:  # from the newest back, the first that is too old tells where to begin
            sql = "AND at <= ? ORDER BY id DESC LIMIT 1"
            after = next((one.id for one in self._where(sql, server, pane, since)), 0)
        sql = f"AND id > ? AND id <= ? AND at > ? AND name IN ({marks}) ORDER BY id"
        return self._where(sql, server, pane, after, until, since, *names)

    def last_id(self) -> int:
        """Return the number of the newest report of all, 0 if there is none."""
        return int(self._database.query("SELECT coalesce(max(id), 0) FROM hook_events")[0][0])

    def detail(self, identity: int) -> dict[str, Any]:
        """Return the fields that the report numbered ``identity`` carried beside its prompt."""
        rows = self._database.query("SELECT detail FROM hook_events WHERE id = ?", identity)
        return dict(json.loads(rows[0][0])) if rows else {}

    def _where(self, clause: str, server: str, pane: str, *values: object) -> list[HookReport]:
        socket, pid, _ = [*server.rsplit("|", 2), "", ""][:3]
        rows = self._database.query(
            "SELECT id, at, name, session, prompt FROM hook_events"
            f" WHERE socket = ? AND pane = ? AND (server IS NULL OR server = ?) {clause}",
            *(socket, pane, int(pid or 0), *values),
        )
        return [HookReport(*row) for row in rows]
