"""The tables of check-ins, which are messages that are sent later, and of their runs."""

import time
from collections.abc import Mapping
from typing import Any

from torch_cli.errors import RefusedError
from torch_cli.pane_id import PaneId
from torch_cli.store.agents import Agent
from torch_cli.store.checkin import (
    Address,
    AgentRef,
    Bounds,
    Checkin,
    CheckinState,
    Run,
    RunState,
    Trigger,
)
from torch_cli.store.database import Database


class Checkins:
    """Reads and writes the tables of check-ins and runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, checkin: Checkin) -> None:
        """Save a new check-in; raises ``RefusedError`` if an active or paused one has its name."""
        with self._database.transaction():
            taken = self.named(checkin.name)
            if taken is not None:
                raise RefusedError(
                    f"check-in '{checkin.name}' already exists, for {taken.to.name}",
                    hint=f"Choose another --name, or first: torch checkin remove {checkin.name}",
                    code="name-taken",
                )
            self.put(checkin)

    def put(self, checkin: Checkin) -> None:
        """Save a new check-in whose name is free, as part of the caller's transaction."""
        row = _row_of(checkin)
        marks = ", ".join("?" for _ in row)
        sql = f"INSERT INTO checkins ({', '.join(row)}) VALUES ({marks})"
        self._database.query(sql, *row.values())

    def get(self, identity: str) -> Checkin | None:
        """Return the check-in with that id."""
        return self._one("id = ?", identity)

    def named(self, name: str) -> Checkin | None:
        """Return the check-in named ``name`` that is active or paused."""
        return self._one("name = ? AND state IN ('active', 'paused')", name)

    def last_named(self, name: str) -> Checkin | None:
        """Return the newest check-in named ``name``, an active or paused one first."""
        return self._one(
            "name = ? ORDER BY state IN ('active', 'paused') DESC, created DESC LIMIT 1", name
        )

    def names(self) -> set[str]:
        """Return the names that are taken."""
        rows = self._database.query("SELECT name FROM checkins WHERE state IN ('active', 'paused')")
        return {row["name"] for row in rows}

    def all(self, *, ended: bool = False) -> list[Checkin]:
        """Return the active and paused check-ins, the next first; with ``ended`` all of them."""
        where = "1" if ended else "state IN ('active', 'paused')"
        return self._where(f"{where} ORDER BY due IS NULL, due, created")

    def due(self, now: float) -> list[Checkin]:
        """Return the check-ins that are due at ``now``, the longest overdue first."""
        return self._where("state = 'active' AND due <= ? ORDER BY due", now)

    def pass_on(self, before: str, now: Agent) -> None:
        """Have check-ins for the agent of the identity ``before`` go to ``now`` from now on.

        This is part of the caller's transaction.
        """
        for column in ("fallback_agent", "parent_agent", "creator_agent"):
            sql = f"UPDATE checkins SET {column} = ? WHERE {column} = ?"
            self._database.query(sql, now.identity, before)
        sql = "UPDATE checkins SET agent = ?, target = ?, server = ?, pane = ?, pane_pid = ?"
        self._database.query(
            f"{sql} WHERE agent = ? AND state IN ('active', 'paused', 'done')",
            *(now.identity, now.name, now.server, now.pane, now.pane_pid, before),
        )

    def next_due(self) -> float | None:
        """Return when the next check-in is due; ``None`` if none is."""
        rows = self._database.query("SELECT min(due) AS due FROM checkins WHERE state = 'active'")
        due: float | None = rows[0]["due"]
        return due

    def change(self, checkin: Checkin, changes: Mapping[str, Any]) -> bool:
        """Change ``checkin`` if it is still as it was read; return whether it was.

        ``changes`` are columns of the table. Call it within a transaction.
        """
        now = self.get(checkin.id)
        if now != checkin:
            return False
        values = {**changes, "changed": time.time()}
        sets = ", ".join(f"{column} = ?" for column in values)
        self._database.query(
            f"UPDATE checkins SET {sets} WHERE id = ?", *values.values(), checkin.id
        )
        return True

    def shift_intervals(self, seconds: float, made_before: float) -> int:
        """Move check-ins by elapsed time along with a clock that was set; return how many.

        ``seconds`` is how far the clock was set forward. Only check-ins made before
        ``made_before`` (epoch seconds of the old clock) move.
        """
        return self._database.write(
            "UPDATE checkins SET start = start + ?, nominal = nominal + ?, due = due + ?"
            " WHERE kind = 'every' AND state IN ('active', 'paused') AND created <= ?",
            *(seconds, seconds, seconds, made_before),
        )

    # -- runs --------------------------------------------------------------------------------------

    def add_run(self, run: Run) -> None:
        """Save a run, as part of the caller's transaction. A check-in has one run for a moment."""
        marks = ", ".join("?" for _ in run)
        self._database.query(f"INSERT INTO runs ({', '.join(run._fields)}) VALUES ({marks})", *run)

    def change_run(self, run: Run, **changes: Any) -> Run:
        """Change fields of a run, as part of the caller's transaction; return it."""
        sets = ", ".join(f"{column} = ?" for column in changes)
        self._database.query(f"UPDATE runs SET {sets} WHERE id = ?", *changes.values(), run.id)
        changed: Run = run._replace(**changes)
        return changed

    def has_run(self, checkin: str, due: float) -> bool:
        """Return whether the check-in has had its run for that moment."""
        sql = "SELECT 1 FROM runs WHERE checkin = ? AND due = ?"
        return bool(self._database.query(sql, checkin, due))

    def get_run(self, identity: str) -> Run:
        """Return the run with that id; raises ``KeyError``."""
        found = self._runs("id = ?", identity)
        if not found:
            raise KeyError(identity)
        return found[0]

    def overdue(self) -> list[Run]:
        """Return the runs for which no agent was there, the oldest first."""
        return self._runs("state = 'overdue' ORDER BY due")

    def waiting_runs(self, checkin: str) -> list[Run]:
        """Return the runs of a check-in that were not typed, or for which no agent was there."""
        return self._runs(
            "checkin = ? AND (state = 'overdue' OR (state = 'sent' AND EXISTS (SELECT 1 FROM"
            " messages m WHERE m.id = runs.message AND m.kept = 1 AND m.step = 'accepted')))"
            " ORDER BY due",
            checkin,
        )

    def history(self, checkin: str | None = None, limit: int = 20) -> list[Run]:
        """Return the newest runs, of one check-in (an id) or of all."""
        mine = "1" if checkin is None else "checkin = ?"
        values = () if checkin is None else (checkin,)
        return self._runs(f"{mine} ORDER BY fired DESC, due DESC LIMIT {int(limit)}", *values)

    def runs_since(self, at: float) -> list[tuple[Run, str]]:
        """Return the runs that fired since ``at`` (epoch seconds), each with its check-in's name.

        A run without a recipient gets the agent that the check-in is for.
        """
        columns = ", ".join(f"r.{name}" for name in Run._fields)
        rows = self._database.query(
            f"SELECT {columns}, coalesce(c.name, r.checkin), coalesce(c.target, '') FROM runs r"
            " LEFT JOIN checkins c ON c.id = r.checkin WHERE r.fired >= ? ORDER BY r.fired",
            at,
        )
        found = [(Run(*row[:-2]), row[-2], row[-1]) for row in map(tuple, rows)]
        return [
            (run if run.recipient else run._replace(recipient=to), name) for run, name, to in found
        ]

    def last_runs(self) -> dict[str, Run]:
        """Return the newest run of every check-in that has had one, by the check-in's id."""
        rows = self._runs("rowid IN (SELECT max(rowid) FROM runs GROUP BY checkin)")
        return {run.checkin: run for run in rows}

    def _one(self, where: str, *values: object) -> Checkin | None:
        found = self._where(where, *values)
        return found[0] if found else None

    def _where(self, clause: str, *values: object) -> list[Checkin]:
        rows = self._database.query(f"SELECT * FROM checkins WHERE {clause}", *values)
        return [_checkin_of(dict(row)) for row in rows]

    def _runs(self, clause: str, *values: object) -> list[Run]:
        columns = ", ".join(Run._fields)
        rows = self._database.query(f"SELECT {columns} FROM runs WHERE {clause}", *values)
        runs = [Run(*row) for row in rows]
        return [run._replace(state=RunState(run.state)) for run in runs]


def _row_of(checkin: Checkin) -> dict[str, Any]:
    """Return the row of the table that holds the check-in, by column."""
    to = checkin.to
    refs = {name: getattr(checkin, name) for name in ("fallback", "parent", "creator")}
    return {
        "id": checkin.id,
        "name": checkin.name,
        "target": to.name,
        "agent": to.agent,
        **to.at.columns,
        "note": checkin.note,
        **checkin.trigger._asdict(),
        **checkin.bounds._asdict(),
        "condition": checkin.condition,
        **{name: ref.name for name, ref in refs.items()},
        **{f"{name}_agent": ref.identity for name, ref in refs.items()},
        **{name: getattr(checkin, name) for name in _OWN},
    }


_OWN = ("state", "nominal", "due", "created", "changed")
"""Columns that are fields of the same name, after all others."""


def _checkin_of(row: Mapping[str, Any]) -> Checkin:
    """Return the check-in that a row of the table holds."""
    return Checkin(
        id=row["id"],
        name=row["name"],
        to=Address(
            row["target"], row["agent"], PaneId(row["server"], row["pane"], row["pane_pid"])
        ),
        note=row["note"],
        trigger=Trigger(*(row[name] for name in Trigger._fields)),
        bounds=Bounds(*(row[name] for name in Bounds._fields)),
        condition=row["condition"],
        fallback=_ref_in(row, "fallback"),
        parent=_ref_in(row, "parent"),
        creator=_ref_in(row, "creator"),
        **{name: row[name] for name in _OWN} | {"state": CheckinState(row["state"])},
    )


def _ref_in(row: Mapping[str, Any], name: str) -> AgentRef:
    return AgentRef(row[name], row[f"{name}_agent"])
