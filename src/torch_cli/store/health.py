"""The policies of agents, and how often memory had run out around their programs."""

from typing import NamedTuple

from torch_cli.store.database import Database

STALLED = ("tell", "nudge", "restart")
"""What can be done for an agent that makes no progress."""


NEVER, DEFAULT = "never", "default"
"""Instead of a time after which an agent is hibernated."""

_POLICY = "restart, stalled, hibernate"
"""The columns of a policy, in the order of its fields."""


class AgentPolicy(NamedTuple):
    """What Torch does for an agent whose program has ended, or makes no progress.

    ``restart`` is when it is restarted after an end: ``never``, ``on-failure`` or ``always``.
    ``stalled`` is what is done beside telling people: nothing (``tell``), a message (``nudge``), or
    a restart after a message that has changed nothing (``restart``). ``hibernate`` is after how
    many seconds of idleness its program is ended until somebody needs it, or ``never``; '' is what
    the user's settings say.
    """

    restart: str = "never"
    stalled: str = "tell"
    hibernate: str = ""


class MemoryKills(NamedTuple):
    """How often the kernel has killed a process of a group for want of memory.

    ``file`` is the one that counts, '' if none can be read.
    """

    file: str = ""
    number: int = 0


class Health:
    """Reads and writes the tables of policies and of kills, by the identities of agents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def policy(self, agent: str) -> AgentPolicy | None:
        """Return the policy of an agent, ``None`` if nobody has set one."""
        rows = self._database.query(f"SELECT {_POLICY} FROM policies WHERE agent = ?", agent)
        return AgentPolicy(*rows[0]) if rows else None

    def policies(self) -> dict[str, AgentPolicy]:
        """Return the policies that were set."""
        rows = self._database.query(f"SELECT agent, {_POLICY} FROM policies")
        return {row[0]: AgentPolicy(*row[1:]) for row in rows}

    def set_policy(self, agent: str, policy: AgentPolicy) -> None:
        """Record the policy of an agent."""
        sql = f"INSERT OR REPLACE INTO policies (agent, {_POLICY}) VALUES (?, ?, ?, ?)"
        self._database.write(sql, agent, *policy)

    def forget_policy(self, agent: str) -> None:
        """Remove the policy of an agent."""
        self._database.write("DELETE FROM policies WHERE agent = ?", agent)

    def change_policy(
        self, agent: str, restart: str, stalled: str, hibernate: str = ""
    ) -> AgentPolicy:
        """Change the policy of an agent; '' leaves a part as it is. Return it.

        ``DEFAULT`` has its ``hibernate`` follow the user's settings again.
        """
        known = self.policy(agent) or AgentPolicy()
        sleeps = "" if hibernate == DEFAULT else hibernate or known.hibernate
        policy = AgentPolicy(restart or known.restart, stalled or known.stalled, sleeps)
        self.set_policy(agent, policy)
        return policy

    def kills(self, agent: str) -> MemoryKills:
        """Return the kills around the program of an agent, as they were when it last ran."""
        rows = self._database.query("SELECT file, number FROM memory_kills WHERE agent = ?", agent)
        return MemoryKills(*rows[0]) if rows else MemoryKills()

    def note_kills(self, agent: str, kills: MemoryKills) -> None:
        """Record the kills around the program of an agent while it runs."""
        sql = "INSERT OR REPLACE INTO memory_kills (agent, file, number) VALUES (?, ?, ?)"
        self._database.write(sql, agent, *kills, durable=False)
