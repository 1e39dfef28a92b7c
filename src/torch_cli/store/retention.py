"""Deleting old rows, in small transactions and the oldest first, so that nobody waits long. Rows
that are not settled, or that others refer to, stay at any age.
"""

import select
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

from torch_cli.store.database import Database
from torch_cli.store.keeping import Keeping, load_keeping

BATCH_ROWS = 200
"""Rows of one transaction: some milliseconds."""

PAUSE_SECONDS = 0.02
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
_OLD_RUNS = (
    "fired < ?1 AND state <> 'overdue'"
    " AND rowid NOT IN (SELECT max(rowid) FROM runs GROUP BY checkin)"
    " AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = runs.message AND m.step <> 'done')"
)
_OLD_MESSAGES = f"{_SETTLED} AND NOT ({' OR '.join(_REFERRED)})"
_NO_LAST_STATE = (  # by which it is known what was written last of an agent that lives
    "id NOT IN (SELECT coalesce((SELECT max(id) FROM events WHERE verb = 'state'"
    " AND agent = a.identity), 0) FROM agents a WHERE a.stopped IS NULL)"
)
# The newest stays, for the next has its number.
_OLD_EVENTS = f"at < ?1 AND {_NO_LAST_STATE} AND id < (SELECT max(id) FROM events)"
_OPEN = "step <> 'done' AND step <> 'accepted'"

HAS_TEXT = "(prompt <> '' OR instr(detail, 'last_assistant_message') > 0)"
"""Which reports contain text. An index has the same condition."""

_RUNS = f"DELETE FROM runs WHERE rowid IN ({{rows}}) AND {_OLD_RUNS}"
_MESSAGES = (
    f"DELETE FROM messages AS m WHERE rowid IN ({{rows}}) AND {_OLD_MESSAGES}"
    " AND id NOT IN (SELECT message FROM runs)"
)
_EVENTS = f"DELETE FROM events WHERE id IN ({{rows}}) AND {_OLD_EVENTS}"
_STATES = f"SELECT id FROM events WHERE verb = 'state' AND at < ? AND {_NO_LAST_STATE}"
_REPORTS = "DELETE FROM hook_events WHERE id IN ({rows}) AND at < ?1"
_WORDS = (
    "UPDATE hook_events SET prompt = '', detail ="
    " CASE WHEN json_valid(detail) THEN json_remove(detail, '$.last_assistant_message')"
    " ELSE '{{}}' END WHERE id IN ({rows})"
)


_LIVING = "SELECT identity FROM agents WHERE stopped IS NULL"
_OF_AGENTS = (
    ("policies", "agent"),
    ("memory_kills", "agent"),
    ("restarts", "team = X'' AND name"),
)
"""What is kept of an agent while it is registered: an agent that ended has its identity for good,
and another agent of its name has one of its own.
"""


class Retention:
    """Deletes old rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sweep(
        self,
        now: float,
        until: Callable[[], bool] = lambda: False,
        keeping: Keeping | None = None,
    ) -> Counter[str]:
        """Delete rows that are too old at ``now`` (epoch seconds); return how many, by their kind.

        Stops when ``until`` returns true. The next sweep continues. The settings are those of the
        user unless given; raises ``RefusedError`` if they are wrong.
        """
        keeping = keeping or load_keeping()
        keeps = self._newest_reports()
        reports, runs = now - keeping.hook_reports, now - keeping.runs
        messages, events = now - keeping.messages, now - keeping.events
        steps = (
            ("prompts", self._cut(self._cut_before(now, keeping))),
            ("hook_reports", self._old("hook_events", "id", "at", reports, _REPORTS, keeps)),
            ("runs", self._old("runs", "rowid", "fired", runs, _RUNS)),  # before the messages that
            ("messages", self._old("messages", "rowid", "created", messages, _MESSAGES)),  # they
            ("states", self._states(self._states_before(now, keeping))),  # refer to
            ("events", self._old("events", "id", "at", events, _EVENTS)),
        )
        deleted = Counter[str]()
        for name, step in steps:
            for number in step:
                if number:
                    deleted[name] += number
                if until():
                    return deleted
                if number:
                    select.select([], [], [], PAUSE_SECONDS)
        for table, moment in (
            ("observations", "seen"),
            ("looks", "at"),
            ("limits_over", "at"),
            ("stalls", "nudged"),
        ):
            sql = f"DELETE FROM {table} WHERE {moment} < ?"
            self._database.write(sql, events, durable=False)
        for table, whose in _OF_AGENTS:
            sql = f"DELETE FROM {table} WHERE {whose} NOT IN ({_LIVING})"
            self._database.write(sql, durable=False)
        return deleted

    def count(self, now: float, keeping: Keeping | None = None) -> Counter[str]:
        """Return what a sweep at ``now`` would delete. Nothing is changed."""
        keeping = keeping or load_keeping()
        keeps = ", ".join(map(str, self._newest_reports())) or "-1"
        # A message to which only runs refer that are deleted with it goes, too.
        runs = _OLD_RUNS.replace("?1", "?2")
        asked = {
            "prompts": (f"hook_events WHERE at < ? AND {HAS_TEXT}", self._cut_before(now, keeping)),
            "hook_reports": (
                f"hook_events WHERE at < ? AND id NOT IN ({keeps})",
                now - keeping.hook_reports,
            ),
            "runs": (f"runs WHERE {_OLD_RUNS}", now - keeping.runs),
            "messages": (
                f"messages AS m WHERE {_OLD_MESSAGES}"
                f" AND id NOT IN (SELECT message FROM runs WHERE NOT ({runs}))",
                now - keeping.messages,
            ),
            "states": (
                f"events WHERE verb = 'state' AND {_OLD_EVENTS}",
                self._states_before(now, keeping),
            ),
            "events": (f"events WHERE verb <> 'state' AND {_OLD_EVENTS}", now - keeping.events),
        }
        counted = Counter[str]()
        for name, (what, before) in asked.items():
            values = (before, now - keeping.runs) if "?2" in what else (before,)
            number = self._database.query(f"SELECT count(*) FROM {what}", *values)[0][0]
            if number:
                counted[name] = number
        return counted

    def _newest_reports(self) -> set[int]:
        """Return the newest report of each living agent, and the newest of all.

        An agent's newest report shows what its program does. The newest of all keeps the numbering.
        """
        newest = (
            "SELECT max(id) FROM hook_events WHERE socket = ? AND pane = ?"
            " AND (server IS NULL OR server = ?)"  # as HookReports reads them
        )
        living = "SELECT socket, pane, server FROM agents WHERE stopped IS NULL"
        rows = self._database.query("SELECT max(id) FROM hook_events")
        for socket, pane, server in self._database.query(living):
            pid = int(server.rsplit("|", 2)[1]) if server.count("|") > 1 else 0
            rows += self._database.query(newest, socket, pane, pid)
        return {row[0] for row in rows if row[0] is not None}

    def _states_before(self, now: float, keeping: Keeping) -> float:
        """Return before when changes of state are deleted: by their age, and by their number."""
        newest = "SELECT at FROM events WHERE verb = 'state' ORDER BY at DESC LIMIT 1 OFFSET ?"
        rows = self._database.query(newest, keeping.most_states)
        before = now - min(keeping.states, keeping.events)
        return max(before, *(row[0] for row in rows)) if rows else before

    def _states(self, before: float) -> Iterator[int]:
        """Delete changes of state from before."""
        sql = f"{_STATES} ORDER BY at LIMIT {BATCH_ROWS}"
        while found := [row[0] for row in self._database.query(sql, before)]:
            yield self._write(_EVENTS, found, before)
            if len(found) < BATCH_ROWS:
                return

    def _cut_before(self, now: float, keeping: Keeping) -> float:
        """Return before when reports lose their text: not those that may prove a message."""
        typed = self._database.query(f"SELECT min(updated) FROM messages WHERE {_OPEN}")[0][0]
        before = now - keeping.prompts
        return before if typed is None else min(before, typed)

    def _cut(self, before: float) -> Iterator[int]:
        """Delete the text of older reports."""
        sql = (
            f"SELECT id FROM hook_events WHERE at < ? AND {HAS_TEXT} ORDER BY at LIMIT {BATCH_ROWS}"
        )
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
        next_ = f"SELECT {columns} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT {BATCH_ROWS}"
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
