"""What a team file has started: which agents and processes belong to the team."""

import enum
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch_cli.store.database import Database


class MemberKind(enum.StrEnum):
    """What a member of a team is."""

    AGENT = "agent"
    PROCESS = "process"


class Started(NamedTuple):
    """A member of a team that was started, or that was found running and added to the team.

    ``team`` is the path of the file. ``spec`` is what the file said about the member then.
    ``agent`` is an agent's identity, '' for a process, which is identified by its pane. While the
    member starts, neither is known. ``ours`` says that Torch started it for this team: ``torch
    down`` ends nothing else. ``started`` is seconds since the epoch.
    """

    team: str
    name: str
    kind: MemberKind
    spec: Mapping[str, Any]
    agent: str = ""
    socket: str = ""
    server: str = ""
    pane: str = ""
    pane_pid: int = 0
    directory: str = ""
    ours: bool = True
    started: float = 0.0


class Accepted(NamedTuple):
    """The file of a team as a person accepted it: digest, text, and when (epoch seconds).

    ``torch_cli.teams.trust`` makes the digest. Only the digest is compared. ``rules`` are those of
    the file that answer permission requests, as ``torch_cli.rules.rule`` packs them.
    """

    digest: str
    text: str
    at: float
    rules: str = ""


class Teams:
    """Reads and writes the table of what teams have started."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def members(self, team: str) -> dict[str, Started]:
        """Return the members that were started, by name, in the order of their start."""
        rows = self._database.query(
            "SELECT * FROM team_members WHERE team = ? ORDER BY started, rowid", _key(team)
        )
        found = (_started(dict(row)) for row in rows)
        return {one.name: one for one in found}

    def add(self, started: Started) -> None:
        """Record that a member was started. Replaces earlier records of it.

        This includes records of the same agent under another name.
        """
        with self._database.transaction():
            self.put(started)

    def put(self, started: Started) -> None:
        """Record the same, as part of the caller's transaction."""
        row = started._asdict() | {"started": started.started or time.time()}
        row |= {"team": _key(started.team), "directory": os.fsencode(started.directory)}
        row |= {"spec": json.dumps(started.spec)}
        self._database.query(
            "DELETE FROM team_members WHERE team = ? AND agent = ? AND agent <> ''",
            *(_key(started.team), started.agent),
        )
        self._database.insert("team_members", row, replace=True)

    def remove(self, team: str, name: str) -> None:
        """Remove a member that has ended."""
        self._database.write(
            "DELETE FROM team_members WHERE team = ? AND name = ?", _key(team), name
        )

    def processes(self) -> list[Started]:
        """Return the processes of all teams that were started."""
        rows = self._database.query(
            "SELECT * FROM team_members WHERE kind = ? AND pane <> ''", MemberKind.PROCESS
        )
        return [_started(dict(row)) for row in rows]

    def paths(self) -> list[str]:
        """Return the paths of the team files that have members."""
        rows = self._database.query("SELECT DISTINCT team FROM team_members ORDER BY team")
        return [os.fsdecode(row[0]) for row in rows]

    def accept(self, team: str, accepted: Accepted) -> None:
        """Record that a person has accepted the team's file."""
        columns = "(team, digest, text, at, rules)"
        sql = f"INSERT OR REPLACE INTO team_accepted {columns} VALUES (?, ?, ?, ?, ?)"
        text = accepted.text.encode("utf-8", "surrogateescape")
        values = (accepted.digest, text, accepted.at, accepted.rules)
        self._database.write(sql, _key(team), *values)

    def accepted(self, team: str) -> Accepted | None:
        """Return the team's file as it was last accepted, ``None`` if it never was."""
        columns = "digest, text, at, rules"
        sql = f"SELECT {columns} FROM team_accepted WHERE team = ? AND digest <> ''"
        rows = self._database.query(sql, _key(team))
        if not rows:
            return None
        digest, text, at, rules = rows[0]
        return Accepted(digest, os.fsdecode(text), at, rules)

    def tell(self, team: str, digest: str) -> bool:
        """Record that people are told of a changed file with this digest, '' for an accepted file.

        Returns whether this is new.
        """
        changed = self._database.write(
            "INSERT INTO team_accepted (team, digest, text, at, told) VALUES (?, '', '', 0, ?)"
            " ON CONFLICT (team) DO UPDATE SET told = excluded.told WHERE told <> excluded.told",
            *(_key(team), digest),
        )
        return changed == 1

    def enforce(self, team: str, may_message: Mapping[str, Sequence[str]] | None) -> None:
        """Enforce ``may_message`` in the team; ``None`` ends that."""
        if may_message is None:
            if self.any_enforced():
                self._database.write("DELETE FROM team_rules WHERE team = ?", _key(team))
            return
        rules = json.dumps({name: list(allowed) for name, allowed in may_message.items()})
        sql = "INSERT OR REPLACE INTO team_rules (team, may_message) VALUES (?, ?)"
        self._database.write(sql, _key(team), rules)

    def enforced(self, team: str) -> Mapping[str, Sequence[str]] | None:
        """Return the enforced ``may_message`` of the team, ``None`` if it is not enforced."""
        sql = "SELECT may_message FROM team_rules WHERE team = ?"
        rows = self._database.query(sql, _key(team)) if team and self.any_enforced() else []
        return json.loads(rows[0][0]) if rows else None

    def any_enforced(self) -> bool:
        """Return whether any team enforces ``may_message``."""
        return bool(self._database.query("SELECT EXISTS (SELECT 1 FROM team_rules)")[0][0])

    def member_of(self, agent: str) -> Started | None:
        """Return the member of a team that the agent of that identity is, ``None`` if none."""
        rows = self._database.query("SELECT * FROM team_members WHERE agent = ?", agent)
        return _started(dict(rows[0])) if rows and agent else None


def _key(team: str) -> bytes:
    return os.fsencode(team)


def _started(row: dict[str, Any]) -> Started:
    row |= {"team": os.fsdecode(row["team"]), "directory": os.fsdecode(row["directory"])}
    row |= {"spec": json.loads(row["spec"]), "ours": bool(row["ours"])}
    row |= {"kind": MemberKind(row["kind"])}
    return Started(**row)
