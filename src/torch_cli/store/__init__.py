"""One SQLite file in the state directory: what Torch knows, and everything that happened.

All access goes through ``Store``. Each group of tables has its own module.
"""

from typing import TYPE_CHECKING

from torch_cli.store.agents import Agents
from torch_cli.store.database import Database, StoreError
from torch_cli.store.events import Events
from torch_cli.store.hooks import HookReports
from torch_cli.store.messages import Messages
from torch_cli.store.observations import Observations
from torch_cli.store.windows import Windows

if TYPE_CHECKING:
    from torch_cli.store.arrangements import Arrangements
    from torch_cli.store.briefings import Briefings
    from torch_cli.store.checkins import Checkins
    from torch_cli.store.health import Health
    from torch_cli.store.lease import Lease
    from torch_cli.store.limits import UsageLimits
    from torch_cli.store.looks import Looks
    from torch_cli.store.reminders import Reminders
    from torch_cli.store.restarts import Restarts
    from torch_cli.store.retention import Retention
    from torch_cli.store.stalls import Stalls
    from torch_cli.store.tasks import Tasks
    from torch_cli.store.teams import Teams
    from torch_cli.store.watches import Watches

__all__ = ["Store", "StoreError"]


class Store:
    """The open state file. Each group of tables is an attribute. Use it as a context manager.

    ``moves`` says that threads use it in turn, one at a time.
    """

    def __init__(self, *, create: bool = True, moves: bool = False) -> None:
        self.database = Database(create=create, moves=moves)
        self.agents = Agents(self.database)
        self.events = Events(self.database)
        self.hooks = HookReports(self.database)
        self.messages = Messages(self.database)
        self.observations = Observations(self.database)
        self.windows = Windows(self.database)

    @property
    def arrangements(self) -> "Arrangements":
        """How windows and panes were arranged at each tmux server."""
        from torch_cli.store.arrangements import Arrangements

        return Arrangements(self.database)

    @property
    def briefings(self) -> "Briefings":
        """Which agents were briefed, and which have acknowledged it."""
        from torch_cli.store.briefings import Briefings

        return Briefings(self.database)

    @property
    def checkins(self) -> "Checkins":
        """The check-ins and their runs. Sending a message does not load them."""
        from torch_cli.store.checkins import Checkins

        return Checkins(self.database)

    @property
    def health(self) -> "Health":
        """The restart policies of agents, and the kills for want of memory around them."""
        from torch_cli.store.health import Health

        return Health(self.database)

    @property
    def lease(self) -> "Lease":
        """The right to be the scheduler."""
        from torch_cli.store.lease import Lease

        return Lease(self.database)

    @property
    def limits(self) -> "UsageLimits":
        """Usage limits that are over."""
        from torch_cli.store.limits import UsageLimits

        return UsageLimits(self.database)

    @property
    def looks(self) -> "Looks":
        """When a person last looked, and at what."""
        from torch_cli.store.looks import Looks

        return Looks(self.database)

    @property
    def reminders(self) -> "Reminders":
        """Who was reminded of the team's agreement."""
        from torch_cli.store.reminders import Reminders

        return Reminders(self.database)

    @property
    def restarts(self) -> "Restarts":
        """Restarts of agents and of members of teams."""
        from torch_cli.store.restarts import Restarts

        return Restarts(self.database)

    @property
    def retention(self) -> "Retention":
        """How long Torch keeps old rows."""
        from torch_cli.store.retention import Retention

        return Retention(self.database)

    @property
    def stalls(self) -> "Stalls":
        """What was done for agents that made no progress."""
        from torch_cli.store.stalls import Stalls

        return Stalls(self.database)

    @property
    def tasks(self) -> "Tasks":
        """Tasks and their history."""
        from torch_cli.store.tasks import Tasks

        return Tasks(self.database)

    @property
    def teams(self) -> "Teams":
        """What team files have started."""
        from torch_cli.store.teams import Teams

        return Teams(self.database)

    @property
    def watches(self) -> "Watches":
        """The directories that are watched for checkpoints."""
        from torch_cli.store.watches import Watches

        return Watches(self.database)

    def overdue(self) -> int:
        """Return how many runs of check-ins found no agent; it loads nothing of check-ins."""
        sql = "SELECT count(*) FROM runs WHERE state = 'overdue'"
        return int(self.database.query(sql)[0][0])

    def ahead(self) -> int:
        """Return how many check-ins are still to come; it loads nothing of check-ins."""
        sql = "SELECT count(*) FROM checkins WHERE state = 'active' AND due IS NOT NULL"
        return int(self.database.query(sql)[0][0])

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.database.close()
