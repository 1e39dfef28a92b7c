"""Directories that are watched for checkpoints, and the outcome of the last attempt."""

import os
import time
from typing import NamedTuple

from torch_cli.store.database import Database


class Watch(NamedTuple):
    """What is known of a worktree, by its top directory.

    ``every`` is seconds between two checkpoints, 0 for none, and ``on_idle`` whether one is made
    when an agent there goes idle; ``None`` is for what the settings say. ``commit_every`` is
    seconds between two commits on the branch, 0 for none. ``attempted`` and ``committed`` are when
    that was tried last (epoch seconds, 0 for never), ``said`` and ``commit_said`` what was said of
    it, ``checkpoint`` the last one's id.
    """

    worktree: str
    every: float | None = None
    on_idle: bool | None = None
    commit_every: float = 0.0
    changed: float = 0.0
    attempted: float = 0.0
    failed: bool = False
    said: str = ""
    checkpoint: str = ""
    committed: float = 0.0
    commit_said: str = ""

    @property
    def wanted(self) -> bool:
        """Whether somebody has asked for it, besides what the settings say."""
        return bool(self.every or self.on_idle or self.commit_every)


class Watches:
    """Reads and writes the table of watched worktrees."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, Watch]:
        """Return every watch, by its worktree."""
        rows = self._database.query("SELECT * FROM watches ORDER BY worktree")
        return {watch.worktree: watch for watch in (_watch(dict(row)) for row in rows)}

    def get(self, worktree: str) -> Watch:
        """Return the watch of ``worktree``, one that says nothing if there is none."""
        rows = self._database.query("SELECT * FROM watches WHERE worktree = ?", _key(worktree))
        return _watch(dict(rows[0])) if rows else Watch(worktree)

    def has_any(self) -> bool:
        """Say whether there is anything to watch: an agent, or a watch."""
        sql = (
            "SELECT EXISTS (SELECT 1 FROM agents WHERE stopped IS NULL)"
            " OR EXISTS (SELECT 1 FROM watches)"
        )
        return bool(self._database.query(sql)[0][0])

    def version(self) -> tuple[object, ...]:
        """Return what is another whenever an agent comes or goes, or a watch is set."""
        sql = (
            "SELECT (SELECT count(*) FROM agents WHERE stopped IS NULL),"
            " (SELECT max(created) FROM agents), (SELECT max(changed) FROM watches)"
        )
        return tuple(self._database.query(sql)[0])

    def set(self, worktree: str, *, every: float | None, on_idle: bool | None) -> None:
        """Note how often ``worktree`` gets a checkpoint; ``None`` as the settings say."""
        self._upsert(worktree, every=every, on_idle=on_idle, changed=time.time())

    def set_commits(self, worktree: str, every: float) -> None:
        """Note how often ``worktree`` gets a commit on its branch, counted from now."""
        now = time.time()
        self._upsert(worktree, commit_every=every, committed=now, changed=now)

    def attempted(self, worktree: str, at: float, *, failed: bool, said: str, made: str) -> None:
        """Note the outcome of an attempt; ``made`` is the checkpoint's id, '' for none."""
        facts: dict[str, object] = {"attempted": at, "failed": failed, "said": said}
        self._upsert(worktree, **facts, **({"checkpoint": made} if made else {}))

    def committed(self, worktree: str, at: float, said: str) -> None:
        """Note the outcome of a commit on the branch."""
        self._upsert(worktree, committed=at, commit_said=said)

    def _upsert(self, worktree: str, **facts: object) -> None:
        columns, marks = ", ".join(facts), ", ".join("?" for _ in facts)
        sets = ", ".join(f"{column} = excluded.{column}" for column in facts)
        self._database.write(
            f"INSERT INTO watches (worktree, {columns}) VALUES (?, {marks})"
            f" ON CONFLICT (worktree) DO UPDATE SET {sets}",
            *(_key(worktree), *facts.values()),
        )


def _key(worktree: str) -> bytes:
    return os.fsencode(worktree)  # a directory's name need not be UTF-8


def _watch(row: dict[str, object]) -> Watch:
    worktree = os.fsdecode(row.pop("worktree"))  # type: ignore[arg-type]
    idle = row.pop("on_idle")
    row |= {"on_idle": None if idle is None else bool(idle), "failed": bool(row["failed"])}
    return Watch(worktree, **row)  # type: ignore[arg-type]
