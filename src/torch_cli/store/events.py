"""The append-only log of what happened. Other views are made from it."""

import json
import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from torch_cli.store.database import Database

STATE = "state"
"""The verb of an event that says that an agent's state has changed."""

END = "end"
"""The verb of an event that says how the program of an agent has ended."""

RESURRECT = "resurrect"
"""The verb of an event that says which agents were brought back together, and which were not."""

LIMIT_OVER = "limit-over"
"""The verb of an event that says that the usage limit of an agent counts as over."""

HEARD = "heard"
"""The verb of an event that says what became of an answer that was pressed."""

PRESS, NOT_PRESSED = "press", "not-pressed"
"""The verbs of events that say that a key was or may have been pressed, and that it was not."""

FREEZE = "freeze"
"""The verb of an event that says that an agent was frozen, and whether its turn was ended."""

RULE = "rule"
"""The verb of an event that says what a rule answered, or would have answered."""


class Event(NamedTuple):
    """One entry: at ``at`` (epoch seconds) ``actor`` did ``verb`` to ``target``.

    ``actor`` is an agent's name, or '' for a person or Torch. ``agent`` is the identity of the
    agent that it is about, '' where that was not recorded. ``id`` grows with time.
    """

    id: int
    at: float
    actor: str
    verb: str
    target: str
    detail: dict[str, Any]
    agent: str = ""


def since_of(event: Event) -> float:
    """Return since when (epoch seconds) the state has been so that ``event`` wrote."""
    since = event.detail.get("since", event.at)
    return float(since) if isinstance(since, int | float) else event.at


class Stream(NamedTuple):
    """What is known of the log: its own ``identity``, its ``newest`` event's id, 0 if there never
    was one, and the greatest id of those ``deleted``.
    """

    identity: str
    newest: int
    deleted: int


_COLUMNS = ", ".join(Event._fields)


class Events:
    """Appends to the log, and reads it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        verb: str,
        target: str,
        detail: Mapping[str, object] | None = None,
        actor: str = "",
        agent: str = "",
    ) -> None:
        """Record that ``actor`` (an agent's name, '' for a person) did ``verb`` to ``target``."""
        self._database.write(*_insert(verb, target, detail, actor, agent), durable=False)

    def insert(
        self,
        verb: str,
        target: str,
        detail: Mapping[str, object] | None = None,
        actor: str = "",
        agent: str = "",
    ) -> None:
        """As ``add``, as part of the caller's transaction."""
        self._database.query(*_insert(verb, target, detail, actor, agent))

    def last_state(self, agent: str) -> Event | None:
        """Return the newest change of state of the agent of that identity."""
        return next(iter(self.last_states(agent, 1)), None)

    def last_states(self, agent: str, limit: int) -> list[Event]:
        """Return the last changes of state of the agent of that identity, the newest first."""
        sql = f"SELECT {_COLUMNS} FROM events WHERE verb = 'state' AND agent = ?"
        rows = self._database.query(f"{sql} ORDER BY id DESC LIMIT ?", agent, limit)
        return [_event(row) for row in rows]

    def newest_states(self) -> dict[str, Event]:
        """Return the newest change of state of each agent that was not stopped, by its identity."""
        newest = "SELECT max(id) FROM events WHERE verb = 'state' AND agent = identity"
        sql = f"SELECT ({newest}) FROM agents WHERE stopped IS NULL"
        rows = self._database.query(f"SELECT {_COLUMNS} FROM events WHERE id IN ({sql})")
        return {event.agent: event for event in map(_event, rows)}

    def last_end(self, agent: str) -> Event | None:
        """Return how the program of the agent of that identity ended last, ``None`` if never."""
        sql = f"SELECT {_COLUMNS} FROM events WHERE verb IN ('spawn', 'end') AND agent = ?"
        rows = self._database.query(f"{sql} AND verb = 'end' ORDER BY id DESC LIMIT 1", agent)
        return _event(rows[0]) if rows else None

    def last_resurrection(self, since: float) -> Event | None:
        """Return the newest event on agents that were brought back since ``since`` (epoch)."""
        found = self.read(since=since, verbs=[RESURRECT], limit=1, newest=True)
        return found[0] if found else None

    def starts(self, agent: str) -> int:
        """Return how often the agent of that identity was started, as far as events are kept."""
        sql = "SELECT count(*) FROM events WHERE verb IN ('spawn', 'end') AND agent = ?"
        return int(self._database.query(f"{sql} AND verb = 'spawn'", agent)[0][0])

    def quiet_states(self, since: float) -> list[Event]:
        """Return the changes of state since ``since`` (epoch seconds) that ended a long silence."""
        sql = f"SELECT {_COLUMNS} FROM events WHERE verb = 'state' AND at >= ?"
        rows = self._database.query(sql + """ AND detail LIKE '%"quiet": %'""", since)
        return [_event(row) for row in rows]

    def targets(self, verb: str) -> list[str]:
        """Return to what or whom ``verb`` was done, as far back as events are kept."""
        rows = self._database.query("SELECT DISTINCT target FROM events WHERE verb = ?", verb)
        return [row["target"] for row in rows]

    def stream(self) -> Stream:
        """Return what is known of the log as a whole."""
        row = self._database.query(
            "SELECT identity, max(deleted, coalesce((SELECT max(id) FROM events), 0)), deleted"
            " FROM event_stream"
        )[0]
        return Stream(*row)

    def read(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        since: float = 0.0,
        name: str = "",
        agent: str = "",
        verbs: Collection[str] = (),
        limit: int = -1,
        newest: bool = False,
    ) -> list[Event]:
        """Return events in order: after the id ``after``, up to ``until``, at or after ``since``.

        ``name`` and ``agent``, its identity, keep those by or about that agent; ``verbs`` those of
        these. At most ``limit`` (-1: all), the first of them or, with ``newest``, the last.
        """
        where: list[str] = ["id > ?"]
        values: list[object] = [after]
        if until is not None:
            where, values = [*where, "id <= ?"], [*values, until]
        if since:
            where, values = [*where, "at >= ?"], [*values, since]
        if name or agent:
            # An earlier agent of that name has another identity, where that was recorded.
            where.append("(CASE agent WHEN '' THEN target = ? ELSE agent = ? END OR actor = ?)")
            values += [name, agent, name]
        if verbs:
            where.append(f"verb IN ({', '.join('?' for _ in verbs)})")
            values += verbs
        clause = f"{' AND '.join(where)} ORDER BY id {'DESC' if newest else 'ASC'} LIMIT ?"
        sql = f"SELECT {_COLUMNS} FROM events WHERE {clause}"
        rows = self._database.query(sql, *values, limit)
        found = [_event(row) for row in rows]
        return found[::-1] if newest else found

    def seen_by(self, reader: str) -> int | None:
        """Return the id of the event that ``reader`` saw last, ``None`` if it never looked."""
        rows = self._database.query("SELECT seen FROM event_readers WHERE name = ?", reader)
        return int(rows[0][0]) if rows else None

    def saw(self, reader: str, identity: int) -> None:
        """Note that ``reader`` has seen the events up to the id ``identity``."""
        sql = "INSERT OR REPLACE INTO event_readers (name, seen) VALUES (?, ?)"
        self._database.write(sql, reader, identity, durable=False)


def _insert(
    verb: str, target: str, detail: Mapping[str, object] | None, actor: str, agent: str
) -> Any:
    return (
        "INSERT INTO events (at, actor, verb, target, detail, agent) VALUES (?, ?, ?, ?, ?, ?)",
        *(time.time(), actor, verb, target, json.dumps(detail or {}, default=str), agent),
    )


def _event(row: Any) -> Event:
    known = dict(row)
    try:
        detail = json.loads(known["detail"])
    except ValueError:
        detail = {}
    return Event(**{**known, "detail": detail if isinstance(detail, dict) else {}})
