"""Why a check-in came late, worked out from the times in which no scheduler could fire."""

from torch_cli import duration
from torch_cli.store import Store
from torch_cli.store.lease import OutageKind

LATE_SECONDS = 60.0
"""A run is called late after this many seconds. A tick of cron comes once a minute."""

_WORDS = {
    OutageKind.ASLEEP: "the machine was asleep for %s",
    OutageKind.REBOOTED: "the machine was restarted, and no scheduler ran for %s",
    OutageKind.STOPPED: "the scheduler was stopped for %s",
    OutageKind.ABSENT: "no scheduler ran for %s",
    OutageKind.CLOCK: "the clock was set forward by up to %s",
}


def delay(store: Store, due: float, fired: float) -> str:
    """Return why a run that was ``due`` came only at ``fired`` (epoch seconds), '' if unknown."""
    outages = store.lease.outages(due, fired)
    covering = [one for one in outages if one.began <= due] or outages
    if not covering:
        return ""
    worst = covering[0]
    if worst.began <= 0:
        return "no scheduler ran until then"
    return _WORDS[worst.kind] % duration.words(worst.ended - worst.began)


def lateness(seconds: float, why: str) -> str:
    """Say how late a run is: ``2 h 5 min late: …``. '' if it is not late."""
    if seconds < LATE_SECONDS:
        return ""
    return f"{duration.words(seconds)} late" + (f": {why}" if why else "")
