"""When a person last looked: at an agent, or at anything that has to do with Torch."""

import time
from typing import NamedTuple

from torch_cli.store.database import Database

ANYTHING = ""
"""What is looked at by a command, or a key in an attached terminal."""

AWAY_SECONDS = 600.0
"""Seconds without a look after which a person counts as away. Ten minutes are long enough to read
what an agent has written, and shorter than any absence that a summary is worth."""

LOOK_RECORDED_SECONDS = 30.0
"""Seconds for which a look need not be recorded again."""


class Look(NamedTuple):
    """The last look was at ``at``; the last one before the person was away at ``before``.

    Both are in seconds since the epoch; ``before`` is 0 if they were never away.
    """

    at: float
    before: float


class Looks:
    """Reads and writes the table. What is looked at is an agent's identity, or ``ANYTHING``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self, what: str) -> Look | None:
        """Return the last look at ``what``, ``None`` if there was none."""
        rows = self._database.query("SELECT at, before FROM looks WHERE what = ?", what)
        return Look(*rows[0]) if rows else None

    def all(self) -> dict[str, float]:
        """Return when each thing was looked at last (epoch seconds)."""
        return {row[0]: row[1] for row in self._database.query("SELECT what, at FROM looks")}

    def note(self, what: str, at: float) -> None:
        """Record a look at ``what`` at ``at`` (epoch seconds), which may be over."""
        # A look in the future was noted before the clock was set back.
        self._database.write(
            "INSERT INTO looks VALUES (?1, ?2, 0) ON CONFLICT (what) DO UPDATE SET"
            " before = CASE WHEN ?2 - at > ?4 THEN at ELSE before END,"
            " at = CASE WHEN at > ?3 THEN ?2 ELSE max(at, ?2) END",
            *(what, at, time.time(), AWAY_SECONDS),
            durable=False,
        )
