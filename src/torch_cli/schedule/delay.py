"""Why something came late: from the times in which no scheduler could fire."""

from torch_cli import duration
from torch_cli.store import Store

LATE = 60.0
"""Seconds after which a run is called late: cron's tick comes once a minute."""

_WORDS = {
    "asleep": "the machine was asleep for %s",
    "rebooted": "the machine was restarted, and no scheduler ran for %s",
    "stopped": "the scheduler was stopped for %s",
    "absent": "no scheduler ran for %s",
    "clock": "the clock was set forward by up to %s",
}


def delay(store: Store, due: float, fired: float) -> str:
    """Return why what was ``due`` came only at ``fired`` (epoch seconds), '' if nobody knows."""
    outages = store.lease.outages(due, fired)
    covering = [one for one in outages if one.began <= due] or outages
    if not covering:
        return ""
    worst = covering[0]
    if worst.began <= 0:
        return "no scheduler ran until then"
    return _WORDS[worst.kind] % duration.words(worst.ended - worst.began)


def lateness(seconds: float, why: str) -> str:
    """Return in words how late something is, '' if it is not: ``2 h 5 min late: …``."""
    if seconds < LATE:
        return ""
    return f"{duration.words(seconds)} late" + (f": {why}" if why else "")
