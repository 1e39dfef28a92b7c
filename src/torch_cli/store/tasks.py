"""Tasks: the work, who does it, and its outcome."""

import enum
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch_cli.store.database import Database
from torch_cli.store.events import Events


class TaskState(enum.StrEnum):
    """The states of a task. From ``claimed`` to ``blocked`` it has an agent."""

    OPEN = "open"
    CLAIMED = "claimed"
    ACTIVE = "active"
    BLOCKED = "blocked"
    DONE = "done"
    FAILED = "failed"


TASK_HELD = (TaskState.CLAIMED, TaskState.ACTIVE, TaskState.BLOCKED)
"""The states in which a task has an agent."""

TASK_ENDED = (TaskState.DONE, TaskState.FAILED)

TAKEN = ("claim", "assign")
"""What the history says when a task gets an agent."""


class Task(NamedTuple):
    """A task.

    ``check`` is the command, as an argument list, that must exit with 0 for the task to be done;
    empty if there is none. ``directory`` is where it belongs, '' for anywhere. ``depends`` are ids
    of tasks that must be done before. ``agent`` is the identity of its agent, '' in the pool, and
    ``holder`` that agent's name. ``creator_agent`` is the identity of the agent ``creator``.
    ``lease`` is the seconds without activity after which it returns to the pool, ``active_at`` the
    last activity that the task itself saw. Times are seconds since the epoch.
    """

    id: str
    title: str
    body: str = ""
    criteria: str = ""
    check: tuple[str, ...] = ()
    priority: int = 0
    skills: tuple[str, ...] = ()
    directory: str = ""
    depends: tuple[str, ...] = ()
    creator: str = ""
    state: TaskState = TaskState.OPEN
    agent: str = ""
    holder: str = ""
    attempts: int = 0
    lease: float = 1800.0
    active_at: float = 0.0
    reason: str = ""
    evidence: Mapping[str, Any] = {}
    created: float = 0.0
    changed: float = 0.0
    creator_agent: str = ""


class TaskEvent(NamedTuple):
    """A line of a task's history: ``verb`` was done at ``at`` by ``actor``, '' for a person.

    ``agent`` is the identity of its ``holder`` then.
    """

    task: str
    at: float
    actor: str
    verb: str
    holder: str
    words: str
    agent: str = ""


_LISTS = ("check", "skills", "depends")


class Tasks:
    """Reads and writes the tables of tasks."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, task: Task) -> Task:
        """Add a task; return it with its id."""
        now = time.time()
        identity = f"t-{os.urandom(4).hex()}"
        task = task._replace(id=identity, created=now, changed=now)
        row = _row(task)
        columns, marks = ", ".join(map(_quoted, row)), ", ".join("?" for _ in row)
        with self.database.transaction():
            self.database.query(f"INSERT INTO tasks ({columns}) VALUES ({marks})", *row.values())
            self.log(task, task.creator, "add", task.title)
        return task

    def get(self, identity: str) -> Task | None:
        """Return the task of that id."""
        rows = self.database.query("SELECT * FROM tasks WHERE id = ?", identity)
        return _task(dict(rows[0])) if rows else None

    def beginning(self, start: str) -> list[Task]:
        """Return the tasks whose ids begin with ``start``."""
        rows = self.database.query(
            "SELECT * FROM tasks WHERE substr(id, 1, ?) = ? ORDER BY created", len(start), start
        )
        return [_task(dict(row)) for row in rows]

    def all(self, *, ended: bool = False) -> list[Task]:
        """Return the tasks that have not ended, or all: urgent ones first, then the oldest."""
        where = "" if ended else f"WHERE state NOT IN {_listed(TASK_ENDED)}"
        rows = self.database.query(f"SELECT * FROM tasks {where} ORDER BY priority DESC, created")
        return [_task(dict(row)) for row in rows]

    def save(self, task: Task, actor: str, verb: str, words: str = "") -> Task:
        """Save a changed task, in a transaction that the caller has begun."""
        task = task._replace(changed=time.time())
        row = _row(task)
        sets = ", ".join(f"{_quoted(column)} = ?" for column in row)
        self.database.query(f"UPDATE tasks SET {sets} WHERE id = ?", *row.values(), task.id)
        self.log(task, actor, verb, words)
        return task

    def touch(self, task: Task, at: float) -> None:
        """Record activity for a task."""
        sql = "UPDATE tasks SET active_at = max(active_at, ?) WHERE id = ?"
        self.database.write(sql, at, task.id, durable=False)

    def log(self, task: Task, actor: str, verb: str, words: str) -> None:
        """Write a line of the task's history."""
        self.database.query(
            "INSERT INTO task_log (task, at, actor, verb, holder, words, agent)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(task.id, time.time(), actor, verb, task.holder, words, task.agent),
        )
        detail = {"task": task.id, "what": verb, "state": task.state, "title": task.title}
        Events(self.database).insert(
            "task", task.holder, detail | {"words": words}, actor=actor, agent=task.agent
        )

    def history(self, identity: str = "") -> list[TaskEvent]:
        """Return the history of a task, or of all, the oldest first."""
        where, values = ("WHERE task = ?", (identity,)) if identity else ("", ())
        columns = ", ".join(TaskEvent._fields)
        sql = f"SELECT {columns} FROM task_log {where} ORDER BY id"
        return [TaskEvent(*row) for row in self.database.query(sql, *values)]

    def pass_on(self, before: str, now: str) -> None:
        """Give the tasks and history of the agent of the identity ``before`` to ``now``.

        This is part of the caller's transaction.
        """
        self.database.query("UPDATE task_log SET agent = ? WHERE agent = ?", now, before)
        sql = "UPDATE tasks SET creator_agent = ? WHERE creator_agent = ?"
        self.database.query(sql, now, before)

    def any_held(self) -> bool:
        """Return whether any task has an agent."""
        sql = f"SELECT EXISTS (SELECT 1 FROM tasks WHERE state IN {_listed(TASK_HELD)})"
        return bool(self.database.query(sql)[0][0])

    def unmet(self, task: Task) -> list[Task]:
        """Return the tasks that this one depends on and that are not done."""
        found = [self.get(identity) for identity in task.depends]
        return [one for one in found if one is not None and one.state != TaskState.DONE]


def _listed(states: Sequence[TaskState]) -> str:
    """Return two or more states as a list of SQL."""
    return str(tuple(map(str, states)))


def _quoted(column: str) -> str:
    return f'"{column}"'  # "check" is a keyword of SQL


def _row(task: Task) -> dict[str, object]:
    row: dict[str, object] = task._asdict()
    row |= {name: json.dumps(getattr(task, name)) for name in _LISTS}
    return row | {"evidence": json.dumps(task.evidence)}


def _task(row: dict[str, Any]) -> Task:
    row |= {name: tuple(json.loads(row[name])) for name in _LISTS}
    row |= {"state": TaskState(row["state"]), "evidence": json.loads(row["evidence"])}
    return Task(**row)


def skills_fit(wanted: Sequence[str], has: Sequence[str]) -> bool:
    """Return whether ``has`` contains every skill in ``wanted``; upper and lower case are equal."""
    known = {skill.casefold() for skill in has}
    return all(skill.casefold() in known for skill in wanted)
