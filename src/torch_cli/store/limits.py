"""Usage limits that are over, as a scheduler has decided: once for each agent and reset."""

from typing import NamedTuple

from torch_cli.store.database import Database


class LimitOver(NamedTuple):
    """The usage limit of ``agent`` (its identity) until ``until`` counts as over since ``at``.

    ``account`` is the account that the agent uses. ``message`` is the one that has the agent go on,
    '' if it got none, and ``why`` says why it got none. Times are seconds since the epoch.
    """

    agent: str
    until: int
    at: float
    account: str
    message: str = ""
    why: str = ""


class UsageLimits:
    """Reads and writes the table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def over(self, agent: str, until: int) -> LimitOver | None:
        """Return the record of that reset, ``None`` if it does not count as over yet."""
        sql = "SELECT * FROM limits_over WHERE agent = ? AND until = ?"
        rows = self._database.query(sql, agent, until)
        return LimitOver(*rows[0]) if rows else None

    def last(self, account: str) -> float | None:
        """Return when an agent of that account was last let go on (epoch seconds)."""
        sql = "SELECT max(at) FROM limits_over WHERE account = ? AND message <> ''"
        at = self._database.query(sql, account)[0][0]
        return None if at is None else float(at)

    def insert(self, over: LimitOver) -> None:
        """Record that a limit is over, as part of the caller's transaction."""
        self._database.insert("limits_over", over._asdict())
