"""How long old rows are kept. They are deleted in small transactions, the oldest first, so that
nobody waits long. Rows that are not settled, or that others refer to, stay at any age.
"""

import select
from collections.abc import Callable, Collection, Iterator, Sequence

from torch_cli.store.database import Database

DAY = 86_400.0

HISTORY = 90 * DAY
"""Seconds that messages, runs of check-ins and events are kept. A key is remembered as long as its
message."""

STATES = 14 * DAY
"""Seconds that changes of agents' states are kept: there are more of them than of all the rest."""

MOST_STATES = 200_000
"""How many of them are kept at most, some 60 MB; 64 busy agents make 30,000 a day."""

REPORTS = 7 * DAY
"""Seconds that reports of hooks are kept."""

PROMPTS = DAY
"""Seconds that reports keep the text of prompts and answers. This text shows whether a typed
message was submitted. So as long as a message is not settled, the later reports keep theirs."""

BATCH = 200
"""Rows of one transaction: some milliseconds."""

PAUSE = 0.02
"""Seconds between two transactions, in which others get to write."""

_SETTLED = (
    "step = 'done' AND created < ?1 AND updated < ?1"
    " AND NOT (kept = 1 AND told IS NULL AND state IN ('failed', 'unknown'))"
    # the newest stays, because new rows are numbered after it
    " AND rowid < (SELECT max(rowid) FROM messages)"
)
_OPEN_THREAD = (
    "EXISTS (WITH RECURSIVE below(id) AS (SELECT id FROM messages WHERE reply_to = m.id"
    " UNION SELECT n.id FROM messages n JOIN below ON n.reply_to = below.id)"
    " SELECT 1 FROM messages n JOIN below ON n.id = below.id"
    " WHERE n.created >= ?1 OR n.step <> 'done')"
)
_OPEN_QUESTION = (
    "(kind IN ('question', 'escalation')"
    " AND EXISTS (SELECT 1 FROM agents a WHERE a.identity = m.agent AND a.stopped IS NULL)"
    " AND NOT EXISTS (SELECT 1 FROM messages n WHERE n.reply_to = m.id))"
)
_BRIEFING = (
    "EXISTS (SELECT 1 FROM briefings b JOIN agents a ON a.identity = b.agent"
    " WHERE b.message = m.id AND a.stopped IS NULL)"
)
_OPEN_TASK = (
    "(kind = 'task' AND EXISTS (SELECT 1 FROM tasks t WHERE t.state NOT IN ('done', 'failed')"
    " AND m.key LIKE 'task:' || t.id || ':%'))"
)
_REFERRED = (_OPEN_THREAD, _OPEN_QUESTION, _BRIEFING, _OPEN_TASK)
_MESSAGES = (
    f"DELETE FROM messages AS m WHERE rowid IN ({{rows}}) AND {_SETTLED}"
    f" AND NOT ({' OR '.join(_REFERRED)})"
    " AND id NOT IN (SELECT message FROM runs)"
)
_RUNS = (
    "DELETE FROM runs WHERE rowid IN ({rows}) AND fired < ?1 AND state <> 'overdue'"
    " AND rowid NOT IN (SELECT max(rowid) FROM runs GROUP BY checkin)"
    " AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = runs.message AND m.step <> 'done')"
)
_NO_LAST_STATE = (  # by which it is known what was written last of an agent that lives
    "id NOT IN (SELECT coalesce((SELECT max(id) FROM events WHERE verb = 'state'"
    " AND agent = a.identity), 0) FROM agents a WHERE a.stopped IS NULL)"
)
_EVENTS = (
    f"DELETE FROM events WHERE id IN ({{rows}}) AND at < ?1 AND {_NO_LAST_STATE}"
    # the newest stays, for the next has its number
    " AND id < (SELECT max(id) FROM events)"
)
_STATES = f"SELECT id FROM events WHERE verb = 'state' AND at < ? AND {_NO_LAST_STATE}"
_REPORTS = "DELETE FROM hook_events WHERE id IN ({rows}) AND at < ?1"

SAID = "(prompt <> '' OR instr(detail, 'last_assistant_message') > 0)"
"""Which reports contain text. An index has the same condition."""

_WORDS = (
    "UPDATE hook_events SET prompt = '', detail ="
    " CASE WHEN json_valid(detail) THEN json_remove(detail, '$.last_assistant_message')"
    " ELSE '{{}}' END WHERE id IN ({rows})"
)


class Retention:
    """Deletes old rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sweep(self, now: float, until: Callable[[], bool] = lambda: False) -> int:
        """Delete rows that are too old at ``now`` (epoch seconds); return how many.

        Stops when ``until`` returns true. The next sweep continues.
        """
        history = now - HISTORY
        keeps = self._newest_reports()
        steps = (
            self._cut(now - PROMPTS),
            self._old("hook_events", "id", "at", now - REPORTS, _REPORTS, keeps),
            self._old("runs", "rowid", "fired", history, _RUNS),  # before the messages that
            self._old("messages", "rowid", "created", history, _MESSAGES),  # they refer to
            self._old("events", "id", "at", history, _EVENTS),
            self._states(now - STATES),
        )
        deleted = 0
        for step in steps:
            for number in step:
                deleted += number
                if until():
                    return deleted
                if number:
                    select.select([], [], [], PAUSE)
        sql = "DELETE FROM observations WHERE seen < ?"
        return deleted + self._database.write(sql, history, durable=False)

    def _newest_reports(self) -> set[int]:
        """Return the newest report of each living agent, and the newest of all.

        An agent's newest report shows what its program does. The newest of all keeps the numbering.
        """
        rows = self._database.query(
            "SELECT (SELECT max(id) FROM hook_events h WHERE h.socket = a.socket AND h.pane ="
            " a.pane) FROM agents a WHERE stopped IS NULL UNION SELECT max(id) FROM hook_events"
        )
        return {row[0] for row in rows if row[0] is not None}

    def _states(self, before: float) -> Iterator[int]:
        """Delete changes of state from before, and those beyond the number that is kept."""
        newest = "SELECT at FROM events WHERE verb = 'state' ORDER BY at DESC LIMIT 1 OFFSET ?"
        for row in self._database.query(newest, MOST_STATES):
            before = max(before, row[0])
        sql = f"{_STATES} ORDER BY at LIMIT {BATCH}"
        while found := [row[0] for row in self._database.query(sql, before)]:
            yield self._write(_EVENTS, found, before)
            if len(found) < BATCH:
                return

    def _cut(self, before: float) -> Iterator[int]:
        """Delete the text of older reports, except of those that may prove a message."""
        open_ = "step <> 'done' AND step <> 'accepted'"
        typed = self._database.query(f"SELECT min(updated) FROM messages WHERE {open_}")[0][0]
        before = before if typed is None else min(before, typed)
        sql = f"SELECT id FROM hook_events WHERE at < ? AND {SAID} ORDER BY at LIMIT {BATCH}"
        while found := [row[0] for row in self._database.query(sql, before)]:
            yield self._write(_WORDS, found, before)

    def _old(
        self,
        table: str,
        key: str,
        moment: str,
        before: float,
        sql: str,
        keeps: Collection[int] = (),
    ) -> Iterator[int]:
        """Delete older rows of a table with ``sql``, batch by batch, and yield how many.

        Rows are numbered in the order of time, so it ends with the first batch without such a row.
        """
        columns, last = f"{key}, {moment}", -1
        next_ = f"SELECT {columns} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT {BATCH}"
        while rows := self._database.query(next_, last):
            last = rows[-1][0]
            old = [row[0] for row in rows if row[1] < before]
            if not old:
                return
            chosen = [one for one in old if one not in keeps]
            yield self._write(sql, chosen, before) if chosen else 0

    def _write(self, sql: str, rows: Sequence[int], before: float) -> int:
        statement = sql.format(rows=", ".join(map(str, rows)))
        values = (before,) if "?1" in statement else ()
        return self._database.write(statement, *values, durable=False)
