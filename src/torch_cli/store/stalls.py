"""What was done for agents that made no progress: nudges, and the restarts after them."""

from typing import NamedTuple

from torch_cli.store.database import Database

TRIED, RESTARTED, GIVEN_UP = "restart tried", "restarted", "given up"
"""What came after a nudge. A restart was refused, or goes on, until it has started the program."""


class StallStep(NamedTuple):
    """The agent of identity ``agent`` was nudged at ``nudged`` by ``message``, in the stall that
    the event ``stall`` has begun. The message is '' if its program takes none while it works.

    ``ended`` is when it was decided what comes after that, ``None`` before, and ``outcome`` what:
    ``TRIED``, ``RESTARTED`` or ``GIVEN_UP``. Times are seconds since the epoch.
    """

    agent: str
    stall: int
    nudged: float
    message: str
    ended: float | None = None
    outcome: str = ""


class Stalls:
    """Reads and writes the table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self, agent: str) -> StallStep | None:
        """Return the newest of an agent, ``None`` if it was never nudged."""
        sql = "SELECT * FROM stalls WHERE agent = ? ORDER BY stall DESC LIMIT 1"
        rows = self._database.query(sql, agent)
        return StallStep(*rows[0]) if rows else None

    def restarts(self, agent: str, since: float) -> int:
        """Return how often the agent was restarted because it stalled, since ``since``."""
        sql = "SELECT count(*) FROM stalls WHERE agent = ? AND outcome = ? AND ended > ?"
        return int(self._database.query(sql, agent, RESTARTED, since)[0][0])

    def insert(self, step: StallStep) -> None:
        """Record a nudge, as part of the caller's transaction."""
        self._database.insert("stalls", step._asdict())

    def end(self, step: StallStep, at: float, outcome: str) -> bool:
        """Record what came after a nudge, in the caller's transaction; whether that was open."""
        now = self.last(step.agent)
        if now is None or now.stall != step.stall or now.ended is not None:
            return False
        sql = "UPDATE stalls SET ended = ?, outcome = ? WHERE agent = ? AND stall = ?"
        self._database.query(sql, at, outcome, step.agent, step.stall)
        return True

    def restarted(self, agent: str) -> None:
        """Record that the restart which was tried last has started the program again."""
        self._database.write(
            "UPDATE stalls SET outcome = ? WHERE agent = ? AND outcome = ?"
            " AND stall = (SELECT max(stall) FROM stalls WHERE agent = ?)",
            *(RESTARTED, agent, TRIED, agent),
        )

    def forget(self, agent: str) -> None:
        """Forget what was done for an agent, because a person has set its policy."""
        self._database.write("DELETE FROM stalls WHERE agent = ?", agent)
