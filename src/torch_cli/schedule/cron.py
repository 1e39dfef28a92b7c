"""Cron expressions: what they mean, and the moments that follow from them.

APScheduler reads them, with three corrections. Weekdays are as in cron: 0 and 7 are Sunday
(APScheduler 3 counts from Monday). If both day of month and weekday are given, either is enough, as
in crontab(5) (APScheduler wants both). And on the days on which the clock changes:

- A time that is skipped fires once, later by the length of the gap: 02:30 in Berlin becomes 03:30
summer time, as in RFC 5545, 3.3.5, and in APScheduler 3.11.3.

- A time that comes twice fires only the first time if the hour is named. If the hour is ``*`` or a
step of it, real time counts, and it fires both times, as in Debian's cron (APScheduler always fires
twice, measured 2026-11-25).
"""

import datetime
import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch_cli.errors import RefusedError
from torch_cli.schedule.zone import zone_named

if TYPE_CHECKING:
    from apscheduler.triggers.base import BaseTrigger

HORIZON_SECONDS = 9 * 366 * 86_400.0
"""How many seconds ahead an expression is searched. 29 February can be eight years away."""

_YEAR_SECONDS = 366 * 86_400.0

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_FIELDS = ("minute", "hour", "day of month", "month", "weekday")
_WEEKDAY = 4
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def read(text: str, zone_name: str) -> str:
    """Return ``text`` as an expression of five fields; it may be a word such as ``@daily``.

    Raises ``RefusedError`` if it cannot be read.
    """
    expression = MACROS.get(text.strip().lower(), " ".join(text.split()))
    if expression.startswith("@"):
        known = ", ".join(MACROS)
        raise RefusedError(f"unknown '{text}'; known are {known}", code="bad-cron")
    _rules(expression, zone_name, 0)
    return expression


def moments(expression: str, zone_name: str, after: float) -> Iterator[float]:
    """Yield the moments after ``after`` in order, each once, up to the horizon."""
    zone = zone_named(zone_name)
    rules = _rules(expression, zone_name, int(after // _YEAR_SECONDS))
    by_hour = "*" in expression.split()[1]
    end = after + HORIZON_SECONDS
    streams = [_times(rule, after, end, zone) for rule in rules]
    heads = [next(stream, None) for stream in streams]
    last = after
    while any(head is not None for head in heads):
        moment = min((head for head in heads if head is not None), key=lambda one: one.timestamp())
        for index, head in enumerate(heads):
            if head is not None and head.timestamp() <= moment.timestamp():
                heads[index] = next(streams[index], None)
        if moment.timestamp() > last and (by_hour or not _is_second(moment)):
            last = moment.timestamp()
            yield last


def _times(
    rule: "BaseTrigger", after: float, end: float, zone: datetime.tzinfo
) -> Iterator[datetime.datetime]:
    """Yield the moments of one trigger of APScheduler."""
    previous: datetime.datetime | None = None
    now = datetime.datetime.fromtimestamp(after + 1e-6, zone)
    while True:
        moment = rule.get_next_fire_time(previous, previous or now)
        if moment is None or moment.timestamp() > end:
            return
        yield moment
        previous = moment


def _is_second(moment: datetime.datetime) -> bool:
    """Return whether this local time came before, because the clock was set back over it."""
    return moment.fold == 1 and moment.utcoffset() != moment.replace(fold=0).utcoffset()


@functools.lru_cache(maxsize=256)
def _rules(expression: str, zone: str, year: int) -> "tuple[BaseTrigger, ...]":
    """Return APScheduler's triggers for the expression, any of which may fire.

    They end behind the horizon of the ``year``-th year since 1970. Otherwise they would search for
    an impossible date until the year 9999. Raises ``RefusedError`` if it cannot be read.
    """
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise RefusedError(
            f"'{expression}' has {len(fields)} fields, and a cron expression has five: "
            f"{', '.join(_FIELDS)}",
            hint="For example '*/15 9-18 * * 1-5', in quotes.",
            code="bad-cron",
        )
    read = [_field(expression, index, field) for index, field in enumerate(fields)]
    minute, hour, day, month, weekday = read
    from apscheduler.triggers.cron import CronTrigger

    end = datetime.datetime.fromtimestamp(
        (year + 1) * _YEAR_SECONDS + HORIZON_SECONDS, datetime.UTC
    )
    common = {"minute": minute, "hour": hour, "month": month, "timezone": zone_named(zone)}
    # Here "*/2" does not restrict, like "*": crontab(5) looks only at the first character.
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    days = (
        [{"day": day}, {"day_of_week": weekday}]
        if either
        else [{"day": day, "day_of_week": weekday}]
    )
    return tuple(CronTrigger(**common, **one, end_date=end) for one in days)


def _field(expression: str, index: int, field: str) -> str:
    """Return one field in the form for APScheduler: single numbers, and weekdays by name."""
    parts = [_part(expression, index, part.lower()) for part in field.split(",")]
    return "*" if "*" in parts else ",".join(parts)


def _part(expression: str, index: int, part: str) -> str:
    lowest, highest = _LIMITS[index]
    found = re.fullmatch(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/([0-9]{1,4}))?", part)
    if found is None:
        raise _bad(expression, index, part, "cannot be read")
    star, first, last, step = found.groups()
    if step is not None and int(step) == 0:
        raise _bad(expression, index, part, "has a step of 0")
    if star and step is None:
        return part
    if star:
        low, high = lowest, (6 if index == _WEEKDAY else highest)
    else:
        low = _number(expression, index, part, first)
        high = _number(expression, index, part, last) if last else (highest if step else low)
        if index == _WEEKDAY and last and high == 0 < low:
            high = 7  # "sat-sun"
    if not lowest <= low <= high <= highest:
        raise _bad(expression, index, part, f"is not an ascending range within {lowest}-{highest}")
    # APScheduler refuses a step longer than its range. cron takes the first number of the range.
    chosen = range(low, high + 1, int(step or 1))
    names = [_WEEKDAYS[one] if index == _WEEKDAY else str(one) for one in chosen]
    return ",".join(dict.fromkeys(names))


def _number(expression: str, index: int, part: str, word: str) -> int:
    if word.isascii() and word.isdecimal():
        return int(word)
    if index == 3 and word[:3] in _MONTHS and len(word) == 3:
        return _MONTHS.index(word) + 1
    if index == _WEEKDAY and word in _WEEKDAYS:
        return _WEEKDAYS.index(word)
    raise _bad(expression, index, part, "cannot be read")


def _bad(expression: str, index: int, part: str, why: str) -> RefusedError:
    return RefusedError(
        f"invalid cron expression '{expression}': the {_FIELDS[index]} '{part}' {why}",
        hint="For example '*/15 9-18 * * 1-5'.",
        code="bad-cron",
    )
