"""Check-ins, which are messages that are sent later, and their runs."""

import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.store.agents import Agent
from torch_cli.store.database import Database

ACTIVE, PAUSED, DONE, CANCELLED = "active", "paused", "done", "cancelled"
"""The states of a check-in."""

SENT, OVERDUE, MISSED, SUPERSEDED, FAILED = "sent", "overdue", "missed", "superseded", "failed"
"""The states of a run, in this order: its message is in the outbox, or has left it; no agent is
there to take it yet; it came later than its grace; a later run replaced it before it was typed; it
cannot be sent."""


class Checkin(NamedTuple):
    """A message that is sent later.

    ``target`` is the recipient's name, ``agent`` its identity, '' for a pane that is not a
    registered agent: that is ``server``, ``pane`` and ``pane_pid``. ``kind``, ``expression``,
    ``zone`` and ``start`` are its trigger. ``until`` is the last moment at which it may fire,
    ``remaining`` how many runs are left, ``jitter`` and ``grace`` are seconds; ``None`` means no
    limit. ``fallback`` and ``parent`` are names, and ``…_agent`` the identities of these agents, so
    that another agent that gets the name later gets nothing. ``nominal`` is when the trigger is
    next due. ``due`` is when it will fire for that, with jitter and snooze. Both are ``None`` if
    nothing is left. Moments are seconds since the epoch.
    """

    id: str
    name: str
    target: str
    agent: str
    server: str
    pane: str
    pane_pid: int
    note: str
    kind: str
    expression: str
    zone: str
    start: float
    until: float | None = None
    remaining: int | None = None
    jitter: float = 0.0
    grace: float | None = None
    condition: str = "always"
    fallback: str = ""
    parent: str = ""
    creator: str = ""
    state: str = ACTIVE
    nominal: float | None = None
    due: float | None = None
    created: float = 0.0
    changed: float = 0.0
    fallback_agent: str = ""
    parent_agent: str = ""
    creator_agent: str = ""


class Run(NamedTuple):
    """One firing: of which check-in, when it was ``due`` and when it ``fired`` (epoch seconds).

    ``delay`` says why it was late. ``coalesced`` counts the earlier moments that it includes.
    ``message`` is the id of the message to ``recipient``. ``token`` is that of the lease.
    """

    id: str
    checkin: str
    due: float
    fired: float
    state: str
    reason: str = ""
    delay: str = ""
    coalesced: int = 0
    message: str = ""
    recipient: str = ""
    token: int = 0


def new_id(kind: str) -> str:
    """Return a new id for a check-in (``ci``) or a run (``r``).

    Earlier versions gave check-ins ids with ``c``, as checkpoints still have.
    """
    return f"{kind}-{os.urandom(6).hex()}"


class Checkins:
    """Reads and writes the tables of check-ins and runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, checkin: Checkin) -> None:
        """Save a new check-in; raises ``RefusedError`` if an active or paused one has its name."""
        marks = ", ".join("?" for _ in checkin)
        with self._database.transaction():
            taken = self.named(checkin.name)
            if taken is not None:
                raise RefusedError(
                    f"check-in '{checkin.name}' already exists, for {taken.target}",
                    hint=f"Choose another --name, or first: torch checkin remove {checkin.name}",
                    code="name-taken",
                )
            self._database.query(
                f"INSERT INTO checkins ({', '.join(checkin._fields)}) VALUES ({marks})", *checkin
            )

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
        """Change fields of ``checkin`` if it is still as it was read; return whether it was.

        Call it within a transaction.
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

    def last_runs(self) -> dict[str, Run]:
        """Return the newest run of every check-in that has had one, by the check-in's id."""
        rows = self._runs("rowid IN (SELECT max(rowid) FROM runs GROUP BY checkin)")
        return {run.checkin: run for run in rows}

    def _one(self, where: str, *values: object) -> Checkin | None:
        found = self._where(where, *values)
        return found[0] if found else None

    def _where(self, clause: str, *values: object) -> list[Checkin]:
        columns = ", ".join(Checkin._fields)
        rows = self._database.query(f"SELECT {columns} FROM checkins WHERE {clause}", *values)
        return [Checkin(*row) for row in rows]

    def _runs(self, clause: str, *values: object) -> list[Run]:
        columns = ", ".join(Run._fields)
        rows = self._database.query(f"SELECT {columns} FROM runs WHERE {clause}", *values)
        return [Run(*row) for row in rows]
