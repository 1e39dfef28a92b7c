"""The hours of a day in which a person wants to hear nothing."""

import re
import time
from typing import NamedTuple

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")

_DAY_SECONDS = 86_400.0


class Quiet(NamedTuple):
    """From ``begins`` until ``ends``, in seconds after midnight by the clock on the wall.

    Hours that end before they begin go on after midnight; hours of no length are none.
    """

    begins: float = 0.0
    ends: float = 0.0

    def left(self, now: float) -> float:
        """Return the seconds from ``now`` (epoch seconds) until the quiet hours end, 0 outside.

        On a day when the clocks change it can be an hour wrong: ask again before it is over.
        """
        clock = time.localtime(now)
        at = clock.tm_hour * 3600.0 + clock.tm_min * 60.0 + clock.tm_sec
        if (at - self.begins) % _DAY_SECONDS < (self.ends - self.begins) % _DAY_SECONDS:
            return (self.ends - at) % _DAY_SECONDS
        return 0.0


def parse_quiet(text: str) -> Quiet:
    """Return the hours that ``text`` means, for example ``22:00-07:00``; raises ``ValueError``."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(text)
    begins, ends = (
        int(hour) * 3600.0 + int(minute) * 60.0
        for hour, minute in (found.group(1, 2), found.group(3, 4))
    )
    if begins == ends:
        raise ValueError(text)
    return Quiet(begins, ends)
