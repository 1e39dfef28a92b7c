"""When a usage limit ends, by the words in which a program says it.

Claude Code writes ``2:54am (UTC)``, ``3pm (Europe/Berlin)`` or ``Oct 28, 3pm (UTC)``, Codex ``3:04
PM``, ``Jul 5th, 2026 8:19 PM`` or ``5 days 22 hours 11 minutes``. All other words say nothing that
can be relied on.
"""

import datetime
import re

ROUNDED_SECONDS = 60.0
"""A time is written without its seconds: the limit may begin so long after the minute it names."""

_UNITS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "m": 60, "hour": 3600, "h": 3600}
_UNITS |= {"day": 86_400, "d": 86_400}
_PART = r"\d{1,4} ?(?:days?|hours?|minutes?|min|seconds?|sec|[dhms])"
_SPAN = re.compile(rf"(?:in )?({_PART}(?:,? (?:and )?{_PART})*)", re.IGNORECASE)
_ONE = re.compile(r"(\d{1,4}) ?([a-z]{1,7}?)s?\b", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MOMENT = re.compile(
    r"(?:(?P<month>[a-z]{3})[a-z]* (?P<day>\d{1,2})(?:st|nd|rd|th)?(?:,? (?P<year>20\d\d))?"
    r",?(?: at)? )?"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d\d))? ?(?P<half>[ap]m)?"
    r"(?: ?\((?P<zone>[A-Za-z0-9_+/-]{1,60})\))?",
    re.IGNORECASE,
)


def reset_at(words: str, seen: float) -> float | None:
    """Return when (epoch seconds) the limit ends that said ``words`` at ``seen`` (epoch seconds).

    A time of day is the next one. Without a zone it is that of this machine. ``None`` for words
    that name no moment, or one that is over.
    """
    span = _SPAN.fullmatch(words.strip())
    if span is not None:
        parts = _ONE.findall(span[1])
        return seen + sum(int(number) * _UNITS[unit.lower()] for number, unit in parts)
    found = _MOMENT.fullmatch(words.strip())
    if found is None or not (found["minute"] or found["half"]):
        return None
    try:
        return _next(found, seen)
    except (KeyError, ValueError, OverflowError, OSError):  # no such hour, day or zone
        return None


def without_zone(words: str) -> str:
    """Return ``words`` without a zone: Claude Code says one moment with it and without it."""
    return re.sub(r" ?\([^()]*\)$", "", words)


def _next(found: re.Match[str], seen: float) -> float | None:
    from zoneinfo import ZoneInfo  # 3 to 8 ms, at each look at agents

    zone = ZoneInfo(found["zone"]) if found["zone"] else None
    began = datetime.datetime.fromtimestamp(seen, zone)
    clock = datetime.time(_hour(int(found["hour"]), found["half"]), int(found["minute"] or 0))
    for date in _dates(found, began.date()):
        at = datetime.datetime.combine(date, clock, zone).timestamp()
        if at > seen - ROUNDED_SECONDS:
            return at
    return None


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if half.lower() == "pm" else 0)


def _dates(found: re.Match[str], began: datetime.date) -> list[datetime.date]:
    """Return the days that may be meant, in order."""
    if not found["month"]:
        return [began, began + datetime.timedelta(days=1)]
    month, day = _MONTHS.index(found["month"].lower()) + 1, int(found["day"])
    if found["year"]:
        return [datetime.date(int(found["year"]), month, day)]
    return [datetime.date(year, month, day) for year in (began.year, began.year + 1)]
