"""When a usage limit ends, by the words in which a program says it.

Claude Code writes ``2:54am (UTC)``, ``3pm (Europe/Berlin)`` or ``Oct 28, 3pm (UTC)``, Codex ``3:04
PM``, ``Jul 5th, 2026 8:19 PM`` or ``5 days 22 hours 11 minutes``, Gemini CLI ``9:17 AM UTC``,
``9:17 AM GMT+5:30`` or ``3720s``. All other words say nothing that can be relied on.
"""

import datetime
import re

ROUNDED_SECONDS = 60.0
"""A time is written without its seconds: the limit may begin so long after the minute it names."""

_UNITS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "m": 60, "hour": 3600, "h": 3600}
_UNITS |= {"day": 86_400, "d": 86_400}
_NUMBER, _UNIT = r"\d{1,6}(?:\.\d{1,9})?", "days?|hours?|minutes?|min|seconds?|sec|[dhms]"
_PART = rf"{_NUMBER} ?(?:{_UNIT})"
_SPAN = re.compile(rf"(?:in )?({_PART}(?:,? ?(?:and )?{_PART})*)", re.IGNORECASE)
_ONE = re.compile(rf"({_NUMBER}) ?({_UNIT})", re.IGNORECASE)
_ABBREVIATED = {"UTC": 0, "GMT": 0}
_ABBREVIATED |= {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8}
_ABBREVIATED |= {"PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10}
"""Hours east of UTC. JavaScript has no other short names in English; the rest are ``GMT+1``."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MOMENT = re.compile(
    r"(?:(?P<month>[a-z]{3})[a-z]* (?P<day>\d{1,2})(?:st|nd|rd|th)?(?:,? (?P<year>20\d\d))?"
    r",?(?: at)? )?"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d\d))? ?(?P<half>[ap]m)?"
    r"(?: ?\((?P<zone>[A-Za-z0-9_+/-]{1,60})\)"
    r"| (?P<short>[A-Z]{3,4})(?:(?P<east>[+-]\d{1,2})(?::(?P<more>\d\d))?)?)?",
    re.IGNORECASE,
)


def reset_at(words: str, seen: float) -> float | None:
    """Return when (epoch seconds) the limit ends that said ``words`` at ``seen`` (epoch seconds).

    A time of day is the next one. Without a zone it is that of this machine. ``None`` for words
    that name no moment, or one that is over.
    """
    words = " ".join(words.split())  # before AM and PM, JavaScript writes a space of its own
    span = _SPAN.fullmatch(words)
    if span is not None:
        return seen + sum(float(number) * _seconds(unit) for number, unit in _ONE.findall(span[1]))
    found = _MOMENT.fullmatch(words)
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
    zone = _zone(found)
    began = datetime.datetime.fromtimestamp(seen, zone)
    clock = datetime.time(_hour(int(found["hour"]), found["half"]), int(found["minute"] or 0))
    for date in _dates(found, began.date()):
        at = datetime.datetime.combine(date, clock, zone).timestamp()
        if at > seen - ROUNDED_SECONDS:
            return at
    return None


def _zone(found: re.Match[str]) -> datetime.tzinfo | None:
    """Return the zone that a moment names, ``None`` if it names none."""
    if found["short"]:
        ahead = datetime.timedelta(hours=_ABBREVIATED[found["short"].upper()])
        if found["east"]:
            minutes = int(found["more"] or 0) * (-1 if found["east"].startswith("-") else 1)
            ahead += datetime.timedelta(hours=int(found["east"]), minutes=minutes)
        return datetime.timezone(ahead)
    if not found["zone"]:
        return None
    from zoneinfo import ZoneInfo  # 3 to 8 ms, at each look at agents

    return ZoneInfo(found["zone"])


def _seconds(unit: str) -> int:
    """Return the seconds of a unit of time."""
    return _UNITS[unit.lower().rstrip("s") or "s"]


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
