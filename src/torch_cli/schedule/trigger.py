"""When a check-in is due: triggers as values, and the times that follow from them.

A trigger is ``at`` one moment, ``every`` so many seconds from its start, or a ``cron`` expression
in a time zone. Nothing here knows the store or tmux. Moments are seconds since the epoch.

Cron expressions are read by APScheduler, with three things put right. Weekdays are cron's: 0 and
7 are Sunday (APScheduler 3 counts from Monday). Where both day of month and weekday are given,
either will do (crontab(5); APScheduler wants both). And on the days on which the clock is changed:

- A time that is skipped fires once, as much later as the gap is long: 02:30 in Berlin becomes
  03:30 summer time (RFC 5545, 3.3.5, has it so, and APScheduler 3.11.3).
- A time that comes twice fires the first time only, if the hour is named; where the hour is ``*``
  or a step of it, real time counts, and it fires both times (so does Debian's cron;
  APScheduler fires twice always, measured 2026-11-25).
"""

import datetime
import functools
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from torch_cli import duration
from torch_cli.errors import RefusedError

if TYPE_CHECKING:
    from apscheduler.triggers.base import BaseTrigger

AT, EVERY, CRON = "at", "every", "cron"

HORIZON = 9 * 366 * 86_400.0
"""Seconds that a cron expression is searched ahead: 29 February can be eight years away."""

_YEAR = 366 * 86_400.0

MOST_PASSED = 100_000
"""The most missed times that are counted one by one; a minute is missed so often in 69 days."""

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


class Trigger(NamedTuple):
    """A rule for moments.

    ``kind`` is ``at``, ``every`` or ``cron``; ``expression`` the moment in seconds since the epoch,
    the seconds between two, or the cron expression; ``zone`` the name of the time zone in which it
    is read and shown; ``start`` when it began to count (epoch seconds).
    """

    kind: str
    expression: str
    zone: str
    start: float


# -- making ---------------------------------------------------------------------------------------


def once_in(text: str, now: float, zone: str) -> Trigger:
    """Return the trigger for once, the duration ``text`` (``30m``) from ``now``."""
    return Trigger(AT, repr(now + duration.parse(text)), zone, now)


def once_at(text: str, zone: str, now: float) -> Trigger:
    """Return the trigger for once, at a time such as ``2026-12-01 09:00`` or ``09:00``.

    Without an offset it is local time in ``zone``; without a date the next such time. Of a time
    that comes twice the first is meant. Raises ``RefusedError`` if it cannot be read, has passed,
    or does not exist in that zone.
    """
    at = _read_time(text.strip(), zone, now)
    if at <= now:
        raise RefusedError(
            f"'{text}' has passed: it was {duration.words(now - at)} ago",
            hint=f"It is {show(now, zone)} now.",
            code="past",
        )
    if at - now > duration.LONGEST:
        raise RefusedError(f"'{text}' is more than 30 years away", code="bad-time")
    return Trigger(AT, repr(at), zone, now)


def every(text: str, zone: str, now: float) -> Trigger:
    """Return the trigger for every ``text`` (``20m``) of elapsed time, from ``now`` on."""
    seconds = duration.parse(text)
    if seconds < 1:
        raise RefusedError(f"every {text} is more often than once a second", code="bad-duration")
    return Trigger(EVERY, repr(seconds), zone, now)


def cron(text: str, zone: str, now: float) -> Trigger:
    """Return the trigger for a cron expression of five fields, or ``@daily`` and the like.

    Raises ``RefusedError`` if it cannot be read, or if no such time comes.
    """
    expression = MACROS.get(text.strip().lower(), " ".join(text.split()))
    if expression.startswith("@"):
        known = ", ".join(MACROS)
        raise RefusedError(f"'{text}' is not known; known are {known}", code="bad-cron")
    trigger = Trigger(CRON, expression, zone, now)
    _rules(expression, zone, 0)
    if next_after(trigger, now) is None:
        raise RefusedError(
            f"'{text}' never comes: no day of the next years matches it",
            hint="Look at day of month and month; 31 February, say, does not exist.",
            code="never",
        )
    return trigger


def _read_time(text: str, zone: str, now: float) -> float:
    clock = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?", text)
    try:
        if clock:
            hour, minute, second = (int(part or 0) for part in clock.groups())
            today = datetime.datetime.fromtimestamp(now, _zone(zone))
            time = datetime.time(hour, minute, second)
            for days in range(3):
                date = today.date() + datetime.timedelta(days)
                moment = datetime.datetime.combine(date, time, today.tzinfo)
                if moment.timestamp() > now and _exists(moment):
                    return moment.timestamp()
        moment = datetime.datetime.fromisoformat(text.replace("/", "-"))
        if len(text) < 12:
            raise ValueError("no time of day")
        if moment.tzinfo is not None:
            return moment.timestamp()
        moment = moment.replace(tzinfo=_zone(zone))
        if _exists(moment):
            return moment.timestamp()
    except (ValueError, OverflowError):
        raise RefusedError(
            f"'{text}' is no time",
            hint="Write it as '2026-12-01 09:00', or '09:00' for the next such time.",
            code="bad-time",
        ) from None
    raise RefusedError(
        f"'{text}' does not exist in {zone}: the clock is put forward over it",
        hint=f"It would be {show(moment.timestamp(), zone)}.",
        code="bad-time",
    )


def _exists(moment: datetime.datetime) -> bool:
    there = datetime.datetime.fromtimestamp(moment.timestamp(), moment.tzinfo)
    return there.replace(tzinfo=None) == moment.replace(tzinfo=None)


# -- times ----------------------------------------------------------------------------------------


def next_after(trigger: Trigger, after: float) -> float | None:
    """Return the first moment strictly after ``after``; ``None`` if none comes any more."""
    if trigger.kind == AT:
        at = float(trigger.expression)
        return at if at > after else None
    if trigger.kind == EVERY:
        return _moment(trigger, _number_after(trigger, after))
    return next(_cron_times(trigger, max(after, trigger.start)), None)


def passed(trigger: Trigger, after: float, now: float) -> tuple[float | None, int]:
    """Return the last moment in (``after``, ``now``], and how many there are in it.

    The work is bounded: of a cron expression at most ``MOST_PASSED`` are counted, and the last of
    these is given.
    """
    if trigger.kind == AT:
        at = next_after(trigger, after)
        return (at, 1) if at is not None and at <= now else (None, 0)
    if trigger.kind == EVERY:
        first, following = _number_after(trigger, after), _number_after(trigger, now)
        if following <= first:
            return None, 0
        return _moment(trigger, following - 1), following - first
    last_seen, count = None, 0
    for at in _cron_times(trigger, max(after, trigger.start)):
        if at > now or count == MOST_PASSED:
            break
        last_seen, count = at, count + 1
    return last_seen, count


def _moment(trigger: Trigger, number: int) -> float:
    """Return the ``number``-th moment of an interval, counted from 1."""
    return trigger.start + number * float(trigger.expression)


def _number_after(trigger: Trigger, after: float) -> int:
    """Return the number of the first moment of an interval that is strictly after ``after``."""
    number = max(1, int((after - trigger.start) / float(trigger.expression)))
    while number > 1 and _moment(trigger, number - 1) > after:
        number -= 1
    while _moment(trigger, number) <= after:
        number += 1
    return number


def _cron_times(trigger: Trigger, after: float) -> Iterator[float]:
    """Yield the moments after ``after`` in order, each once, until the horizon is reached."""
    zone = _zone(trigger.zone)
    rules = _rules(trigger.expression, trigger.zone, int(after // _YEAR))
    by_hour = "*" in trigger.expression.split()[1]
    end = after + HORIZON
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
    """Yield the moments of one rule of APScheduler's."""
    previous: datetime.datetime | None = None
    now = datetime.datetime.fromtimestamp(after + 1e-6, zone)
    while True:
        moment = rule.get_next_fire_time(previous, previous or now)
        if moment is None or moment.timestamp() > end:
            return
        yield moment
        previous = moment


def _is_second(moment: datetime.datetime) -> bool:
    """Say whether this local time was there before: the clock has been put back over it."""
    return moment.fold == 1 and moment.utcoffset() != moment.replace(fold=0).utcoffset()


@functools.lru_cache(maxsize=256)
def _rules(expression: str, zone: str, year: int) -> "tuple[BaseTrigger, ...]":
    """Return APScheduler's triggers for the expression, any of which may fire.

    They end behind the horizon of the ``year``-th year since 1970, else they would look for an
    impossible date until the year 9999. Raises ``RefusedError`` if it cannot be read.
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

    end = datetime.datetime.fromtimestamp((year + 1) * _YEAR + HORIZON, datetime.UTC)
    common = {"minute": minute, "hour": hour, "month": month, "timezone": _zone(zone)}
    # "*/2" restricts as little as "*" does here: crontab(5) looks at the first character.
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    days = (
        [{"day": day}, {"day_of_week": weekday}]
        if either
        else [{"day": day, "day_of_week": weekday}]
    )
    return tuple(CronTrigger(**common, **one, end_date=end) for one in days)


def _field(expression: str, index: int, field: str) -> str:
    """Return one field as APScheduler reads it: each number by itself, weekdays by name."""
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
        raise _bad(expression, index, part, f"is not within {lowest}-{highest}, in order")
    # APScheduler refuses a step that is longer than its range; cron takes the first of it.
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
        f"'{expression}' is no cron expression: the {_FIELDS[index]} '{part}' {why}",
        hint="For example '*/15 9-18 * * 1-5'.",
        code="bad-cron",
    )


# -- zones and words ------------------------------------------------------------------------------


def check_zone(name: str) -> None:
    """Raise ``RefusedError`` unless ``name`` is a time zone of the IANA's."""
    _zone(name)


@functools.lru_cache(maxsize=64)
def _zone(name: str) -> datetime.tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RefusedError(
            f"there is no time zone '{name}'",
            hint="Use a name such as Europe/Berlin, America/New_York or UTC.",
            code="bad-zone",
        ) from None


def local_zone() -> str:
    """Return the name of this machine's time zone.

    ``TZ``, the link ``/etc/localtime`` and ``/etc/timezone`` are asked, and tzlocal where these do
    not tell.
    """
    for name in _zone_names():
        try:
            check_zone(name)
        except RefusedError:
            continue
        return name
    import tzlocal

    return str(tzlocal.get_localzone_name() or "UTC")


def _zone_names() -> Iterator[str]:
    named = os.environ.get("TZ", "")
    if named:
        yield named.removeprefix(":")
        return
    link = os.path.realpath("/etc/localtime")
    if "/zoneinfo/" in link:
        yield link.partition("/zoneinfo/")[2]
    try:
        with open("/etc/timezone", encoding="ascii") as file:
            yield file.read().strip()
    except (OSError, UnicodeDecodeError):
        pass


def describe(trigger: Trigger) -> str:
    """Return the rule in a few words: ``once``, ``every 20 min``, the expression and its zone."""
    if trigger.kind == AT:
        return "once"
    if trigger.kind == EVERY:
        return f"every {duration.words(float(trigger.expression))}"
    return f"'{trigger.expression}' ({trigger.zone})"


def show(at: float, zone: str) -> str:
    """Return a moment as local and UTC time: ``Tue 2026-12-01 09:00:00 CET (08:00:00 UTC)``.

    Where these are the same it is said once.
    """
    local = datetime.datetime.fromtimestamp(at, _zone(zone))
    utc = datetime.datetime.fromtimestamp(at, datetime.UTC)
    if local.tzname() == "UTC":
        return f"{local:%a %Y-%m-%d %H:%M:%S} UTC"
    day = "" if utc.date() == local.date() else f"{utc:%Y-%m-%d} "
    return f"{local:%a %Y-%m-%d %H:%M:%S %Z} ({day}{utc:%H:%M:%S} UTC)"
