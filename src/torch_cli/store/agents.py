"""The registered agents."""

import functools
import json
import os
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.pane_id import PaneId
from torch_cli.procs import Process
from torch_cli.store.database import Database, storable
from torch_cli.tmux.panes import Pane

SENDS_SECONDS = 600.0
"""Seconds in which a message that is not kept may still be on its way. The sender of an older one
was killed."""


class Agent(NamedTuple):
    """A named program in a pane.

    ``server`` distinguishes tmux servers that used the same socket in turn. ``program_pid`` and
    ``program_started`` identify the program's process. ``origin`` is ``spawned`` or ``adopted``:
    Torch ends only what it spawned. ``hooks`` and ``chord`` say that the program has Torch's hooks
    and knows the submit chord. ``version`` is what its screen said. ``ready`` is when its input was
    first ready. Times are seconds since the epoch. ``identity`` stays with an agent that is
    renamed, or started again after it was lost. Another agent that gets the name later has its own
    identity. ``parent_agent`` is the identity of the agent that had the name ``parent`` when it
    became the parent. ``conversation`` is the id of the conversation that its program has, '' if it
    is not known. ``arguments`` and the names of ``variables`` are those that it was started with.
    ``frozen`` is since when nothing is done to it until a person thaws it, ``None`` if it is not
    frozen. ``hibernated`` is when Torch saw the end of its program, which it had asked to end until
    somebody needs it, ``None`` if it is not hibernated. ``hibernating`` is when it was asked,
    ``None`` once the end was seen, or if it continues.
    """

    name: str
    profile: str
    origin: str
    socket: str
    server: str
    pane: str
    pane_pid: int
    session: str
    window: str
    directory: str
    program_pid: int
    program_started: str
    role: str = ""
    parent: str = ""
    hooks: bool = False
    chord: bool = False
    version: str = ""
    created: float = 0.0
    ready: float | None = None
    stopped: float | None = None
    identity: str = ""
    parent_agent: str = ""
    conversation: str = ""
    arguments: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    frozen: float | None = None
    hibernated: float | None = None
    hibernating: float | None = None

    @property
    def at(self) -> PaneId:
        """The pane of the agent, and the process in it."""
        return PaneId(self.server, self.pane, self.pane_pid)

    @classmethod
    def of(cls, pane: Pane, program: Process, **known: Any) -> "Agent":
        """Return an agent for ``program`` in ``pane``. ``known`` are the other fields."""
        return cls(
            socket=pane.socket_path,
            server=pane.server,
            pane=pane.id,
            pane_pid=pane.pid,
            session=pane.session,
            window=pane.window,
            program_pid=program.pid,
            program_started=program.started,
            **known,
        )


class Agents:
    """Reads and writes the table of agents."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._all: list[Agent] = []
        self._mark: tuple[int, int] | None = None

    def get(self, name: str) -> Agent | None:
        """Return the agent named ``name``, stopped or not."""
        return self._one("name = ?", name)

    def in_pane(self, server: str, pane: str, pane_pid: int) -> Agent | None:
        """Return the agent that lives in that pane with that process."""
        where = "server = ? AND pane = ? AND pane_pid = ? AND stopped IS NULL"
        return self._one(where, server, pane, pane_pid)

    def ever_in(self, at: PaneId) -> bool:
        """Say whether an agent, also one that was stopped, is recorded in that very pane."""
        sql = "SELECT 1 FROM agents WHERE server = ? AND pane = ? AND pane_pid = ?"
        return bool(self._database.query(sql, at.server, at.pane, at.pid))

    def on_terminal(self, socket: str, pane: str) -> list[Agent]:
        """Return the agents in the pane ``pane`` of a server at ``socket``, the newest first.

        More than one if earlier servers used the same socket.
        """
        rows = self._database.query(
            "SELECT * FROM agents WHERE socket = ? AND pane = ? AND stopped IS NULL"
            " ORDER BY created DESC",
            *(socket, pane),
        )
        return [_agent(row) for row in rows]

    def among(self, pids: Sequence[int]) -> list[Agent]:
        """Return the agents whose pane's process or program has one of these numbers."""
        marks = ", ".join("?" for _ in pids)
        rows = self._database.query(
            "SELECT * FROM agents WHERE stopped IS NULL"
            f" AND (pane_pid IN ({marks}) OR program_pid IN ({marks})) ORDER BY created DESC",
            *(*pids, *pids),
        )
        return [_agent(row) for row in rows]

    def has_server(self, pids: Sequence[int]) -> bool:
        """Say whether an agent is in a pane of a tmux server with one of these numbers."""
        rows = self._database.query("SELECT DISTINCT server FROM agents WHERE stopped IS NULL")
        return any(int(row[0].rsplit("|", 2)[1]) in pids for row in rows)

    def any(self) -> bool:
        """Say whether there is any agent that was not stopped."""
        sql = "SELECT EXISTS (SELECT 1 FROM agents WHERE stopped IS NULL)"
        return bool(self._database.query(sql)[0][0])

    def all(self) -> list[Agent]:
        """Return the agents that were not stopped, by name. Nothing is read twice."""
        mark = self._database.mark()
        if mark is None or mark != self._mark:
            rows = self._database.query("SELECT * FROM agents WHERE stopped IS NULL ORDER BY name")
            self._all, self._mark = [_agent(row) for row in rows], mark
        return [*self._all]

    def add(self, agent: Agent, *, instead_of: Agent | None = None) -> Agent:
        """Register ``agent``. It replaces a stopped agent of that name, and ``instead_of``.

        If ``instead_of`` was lost and not stopped, and ran the same program in the same directory,
        the new agent counts as the same one. Raises ``RefusedError`` if another living agent has
        the name, or if ``instead_of`` was stopped meanwhile.
        """
        identity = f"a-{os.urandom(4).hex()}"
        if instead_of and _is_again(agent, instead_of):
            identity = instead_of.identity
            agent = agent._replace(frozen=instead_of.frozen)
            if not agent.role and not agent.parent:  # nobody named others
                agent = agent._replace(
                    role=instead_of.role,
                    parent=instead_of.parent,
                    parent_agent=instead_of.parent_agent,
                )
        created = agent.created or time.time()
        with self._database.transaction():
            above = self._one("name = ?", agent.parent) if agent.parent else None
            parent = agent.parent_agent or (above.identity if above else "")
            agent = agent._replace(created=created, identity=identity, parent_agent=parent)
            agent = agent._replace(directory=storable(agent.directory))
            self._check_free(agent.name, instead_of)
            if instead_of is not None and instead_of.stopped is None:
                self._check_not_stopped(instead_of)
            before = self._one("name = ?", agent.name)
            if before and _is_same(agent, before):  # the agents below it stay below it
                self.succeed(before.identity, agent)
            self._database.insert("agents", _row(agent), replace=True)
        return agent

    def known_as(self, identity: str) -> Agent | None:
        """Return the agent with that identity; ``None`` if another agent has its name now."""
        return self._one("identity = ?", identity)

    def rename(self, agent: Agent, new: str) -> Agent:
        """Rename ``agent`` to ``new``, here and in its own messages; return it.

        It replaces a stopped agent of that name. Raises ``RefusedError`` if a living agent has the
        name, ``NotFoundError`` if ``agent`` was stopped or renamed since it was read.
        """
        with self._database.transaction():
            now = self._one("name = ? AND stopped IS NULL", agent.name)
            if now is None or now.created != agent.created:
                raise NotFoundError(
                    f"agent '{agent.name}' no longer exists; nothing was changed",
                    hint="'torch ps' lists them.",
                    code="no-agent",
                )
            self._check_free(new)
            self._database.query("DELETE FROM agents WHERE name = ?", new)
            self._database.query("UPDATE agents SET name = ? WHERE name = ?", new, agent.name)
            self._database.query(
                "UPDATE agents SET parent = ? WHERE parent = ? AND parent_agent IN ('', ?)",
                *(new, agent.name, agent.identity),
            )
            for column in ("sender", "recipient"):
                self._database.query(
                    f"UPDATE messages SET {column} = ? WHERE {column} = ? AND created >= ?",
                    *(new, agent.name, agent.created),
                )
            self._database.query(
                "UPDATE checkins SET target = ? WHERE agent = ?", new, agent.identity
            )
            for column in ("fallback", "parent", "creator"):
                sql = f"UPDATE checkins SET {column} = ? WHERE {column} = ? AND {column}_agent = ?"
                self._database.query(sql, new, agent.name, agent.identity)
            # Messages that waited while it was lost are older than its present registration.
            sql = "UPDATE messages SET recipient = ? WHERE agent = ? AND step <> 'done'"
            self._database.query(sql, new, agent.identity)
        return agent._replace(name=new)

    def describe(self, name: str, *, role: str, parent: str) -> None:
        """Record the new role and parent of the agent ``name``."""
        above = self._one("name = ?", parent) if parent else None
        sql = "UPDATE agents SET role = ?, parent = ?, parent_agent = ? WHERE name = ?"
        self._database.write(sql, role, parent, above.identity if above else "", name)

    def succeed(self, before: str, now: Agent) -> None:
        """Put the agents below the one of the identity ``before`` below ``now`` instead.

        This is part of the caller's transaction.
        """
        sql = "UPDATE agents SET parent = ?, parent_agent = ? WHERE parent_agent = ?"
        self._database.query(sql, now.name, now.identity, before)

    def converses(self, agent: Agent, conversation: str) -> None:
        """Record the conversation that the program of ``agent`` has now."""
        self._database.write(
            "UPDATE agents SET conversation = ? WHERE name = ? AND created = ?",
            *(conversation, agent.name, agent.created),
        )

    def freeze(self, agent: Agent, at: float | None) -> bool:
        """Record since when ``agent`` is frozen (epoch seconds), ``None`` for not any more.

        Returns whether that has changed.
        """
        with self._database.transaction():
            now = self.known_as(agent.identity)
            if now is None or now.stopped is not None or (now.frozen is None) == (at is None):
                return False
            sql = "UPDATE agents SET frozen = ? WHERE identity = ?"
            self._database.query(sql, at, agent.identity)
        return True

    def is_frozen(self, identity: str) -> bool:
        """Return whether the agent of that identity is frozen now."""
        sql = "SELECT 1 FROM agents WHERE identity = ? AND frozen IS NOT NULL AND stopped IS NULL"
        return bool(self._database.query(sql, identity))

    def hibernating(self, agent: Agent, at: float) -> bool:
        """Record that the program of ``agent`` is asked to end at ``at``, to hibernate it.

        Returns whether that was done: not if it was stopped or started again since it was read,
        or has an unsettled message that it would not get.
        """
        with self._database.transaction():
            now = self.known_as(agent.identity)
            if now is None or now.stopped is not None or now.created != agent.created:
                return False
            sql = (
                "SELECT 1 FROM messages WHERE agent = ? AND step <> 'done'"
                " AND (kept = 1 OR created > ?)"
            )
            recent = time.time() - SENDS_SECONDS
            if self._database.query(sql, agent.identity, recent):
                return False
            sql = "UPDATE agents SET hibernating = ? WHERE identity = ?"
            self._database.query(sql, at, agent.identity)
        return True

    def hibernated(self, agent: Agent, at: float) -> bool:
        """Record that the program of ``agent``, which was asked, has ended at ``at``.

        Returns whether that was done: not if it was stopped, started again, or kept awake since.
        """
        with self._database.transaction():
            now = self.known_as(agent.identity)
            if now is None or now.stopped is not None or now.created != agent.created:
                return False
            if now.hibernating is None:
                return False
            sql = "UPDATE agents SET hibernated = ?, hibernating = NULL WHERE identity = ?"
            self._database.query(sql, at, agent.identity)
        return True

    def not_hibernated(self, agent: Agent) -> None:
        """Record that ``agent`` is not hibernated, as part of the caller's transaction."""
        sql = "UPDATE agents SET hibernated = NULL WHERE identity = ?"
        self._database.query(sql, agent.identity)

    def not_hibernating(self, agent: Agent) -> bool:
        """Record that the program of ``agent`` is not being ended; return whether it was."""
        with self._database.transaction():
            now = self.known_as(agent.identity)
            if now is None or now.created != agent.created or now.hibernating is None:
                return False
            sql = "UPDATE agents SET hibernating = NULL WHERE identity = ?"
            self._database.query(sql, agent.identity)
        return True

    def in_window(self, name: str, window: str) -> None:
        """Record the name of the window of the agent ``name``."""
        self._database.write("UPDATE agents SET window = ? WHERE name = ?", window, name)

    def placed(self, pane: Pane) -> None:
        """Record the session and window of the agent in ``pane``."""
        self._database.write(
            "UPDATE agents SET session = ?, window = ?"
            " WHERE server = ? AND pane = ? AND pane_pid = ? AND stopped IS NULL",
            *(pane.session, pane.window, pane.server, pane.id, pane.pid),
        )

    def ready(self, name: str, version: str) -> None:
        """Record that the program was seen ready, and its version."""
        sql = "UPDATE agents SET ready = ?, version = ? WHERE name = ?"
        self._database.write(sql, time.time(), version, name)

    def stopped(self, name: str) -> None:
        """Record that the agent has ended and that its name is free."""
        self._database.write("UPDATE agents SET stopped = ? WHERE name = ?", time.time(), name)

    def _check_free(self, name: str, instead_of: Agent | None = None) -> None:
        taken = self._one("name = ? AND stopped IS NULL", name)
        if taken and not (instead_of and instead_of.created == taken.created):
            raise RefusedError(
                f"agent '{name}' already exists, in pane {taken.pane} "
                f"({taken.session}:{taken.window})",
                hint=f"Choose another name, or end it first: torch stop {name}",
                code="name-taken",
            )

    def _check_not_stopped(self, agent: Agent) -> None:
        now = self.known_as(agent.identity)
        if now is not None and now.stopped is not None:
            raise RefusedError(
                f"agent '{agent.name}' was stopped meanwhile",
                hint=f"Start it again: torch spawn {agent.name}",
                code="stopped",
            )

    def _one(self, where: str, *values: object) -> Agent | None:
        sql = f"SELECT * FROM agents WHERE {where} ORDER BY created DESC LIMIT 1"
        rows = self._database.query(sql, *values)
        return _agent(rows[0]) if rows else None


def _is_again(agent: Agent, lost: Agent) -> bool:
    return _is_same(agent, lost) and lost.stopped is None


def _is_same(agent: Agent, other: Agent) -> bool:
    return (agent.profile, storable(agent.directory)) == (other.profile, storable(other.directory))


def _row(agent: Agent) -> dict[str, object]:
    words = {name: json.dumps(getattr(agent, name)) for name in ("arguments", "variables")}
    return {**agent._asdict(), **words, "directory": storable(agent.directory)}


def _agent(row: sqlite3.Row) -> Agent:
    return _agent_of(tuple(row.keys()), tuple(row))


@functools.lru_cache(512)
def _agent_of(columns: tuple[str, ...], values: tuple[object, ...]) -> Agent:
    """Return the agent of a row. A scheduler reads the same rows several times a second."""
    row = dict(zip(columns, values, strict=True))
    row["hooks"], row["chord"] = bool(row["hooks"]), bool(row["chord"])
    for name in ("arguments", "variables"):
        written = str(row[name])
        row[name] = () if written == "[]" else tuple(json.loads(written))
    return Agent(**row)  # type: ignore[arg-type]
