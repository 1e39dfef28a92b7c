"""When a check-in is due: triggers as values, and the times that follow from them.

A trigger fires ``at`` one moment, or ``every`` so many seconds from its start, or by a ``cron``
expression in a time zone. This module asks neither the database nor tmux. Moments are seconds since
the epoch.
"""

import datetime
import itertools
import re
from collections.abc import Iterator

from torch_cli import duration
from torch_cli.errors import RefusedError
from torch_cli.schedule.zone import check_zone, local_zone, zone_named
from torch_cli.store.checkin import Trigger as Trigger

AT, EVERY, CRON = "at", "every", "cron"

MOST_PASSED = 100_000
"""At most this many missed times are counted one by one. That is one a minute for 69 days."""

SAMPLED_MOMENTS = 200
"""How many moments of a cron expression are used to find the shortest time between two."""


# -- making ---------------------------------------------------------------------------------------


def make(kind: str, text: str, zone: str | None, now: float) -> Trigger:
    """Return the trigger of the ``kind`` ``in``, ``at``, ``every`` or ``cron`` for ``text``.

    ``zone`` is the name of a time zone (default: this machine's). Raises ``RefusedError`` if either
    cannot be read.
    """
    if zone is not None:
        check_zone(zone)
    zone = zone or local_zone()
    if kind == "in":
        return once_in(text, now, zone)
    makes = {"at": once_at, "every": every, "cron": cron}
    if kind not in makes:
        raise RefusedError(
            f"invalid time '{kind} {text}'",
            hint="Begin with one of: in, at, every, cron. For example: every 20m.",
            code="usage",
        )
    return makes[kind](text, zone, now)


def once_in(text: str, now: float, zone: str) -> Trigger:
    """Return a trigger that fires once, after the duration ``text`` (``30m``) from ``now``."""
    return Trigger(AT, repr(now + duration.parse(text)), zone, now)


def once_at(text: str, zone: str, now: float) -> Trigger:
    """Return a trigger that fires once, at a time such as ``2026-12-01 09:00`` or ``09:00``.

    Without an offset it is local time in ``zone``. Without a date it is the next such time. A time
    that comes twice means the first. Raises ``RefusedError`` if it cannot be read, has passed, or
    does not exist in that zone.
    """
    at = _read_time(text.strip(), zone, now)
    if at <= now:
        raise RefusedError(
            f"'{text}' has passed: it was {duration.words(now - at)} ago",
            hint=f"It is {show(now, zone)} now.",
            code="past",
        )
    if at - now > duration.LONGEST_DURATION_SECONDS:
        raise RefusedError(f"'{text}' is more than 30 years away", code="bad-time")
    return Trigger(AT, repr(at), zone, now)


def every(text: str, zone: str, now: float) -> Trigger:
    """Return a trigger that fires after every ``text`` (``20m``) of elapsed time from ``now``."""
    seconds = duration.parse(text)
    if seconds < 1:
        raise RefusedError(f"every {text} is more often than once a second", code="bad-duration")
    return Trigger(EVERY, repr(seconds), zone, now)


def cron(text: str, zone: str, now: float) -> Trigger:
    """Return a trigger for a cron expression of five fields, or a word such as ``@daily``.

    Raises ``RefusedError`` if it cannot be read, or if no such time comes.
    """
    from torch_cli.schedule import cron as crontab

    trigger = Trigger(CRON, crontab.read(text, zone), zone, now)
    if next_after(trigger, now) is None:
        raise RefusedError(
            f"'{text}' never fires: no day of the next years matches it",
            hint="Check day of month and month; 31 February, for example, does not exist.",
            code="never",
        )
    return trigger


def _read_time(text: str, zone: str, now: float) -> float:
    clock = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?", text)
    try:
        if clock:
            hour, minute, second = (int(part or 0) for part in clock.groups())
            today = datetime.datetime.fromtimestamp(now, zone_named(zone))
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
            show(moment.timestamp(), zone)  # it may be no year there
            return moment.timestamp()
        moment = moment.replace(tzinfo=zone_named(zone))
        show(moment.timestamp(), zone)
        if _exists(moment):
            return moment.timestamp()
    except (ValueError, OverflowError, OSError):
        raise RefusedError(
            f"invalid time '{text}'",
            hint="Write it as '2026-12-01 09:00', or '09:00' for the next such time.",
            code="bad-time",
        ) from None
    raise RefusedError(
        f"'{text}' does not exist in {zone}: the clock is set forward over it",
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
    return next(_cron_moments(trigger, after), None)


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
    for at in _cron_moments(trigger, after):
        if at > now or count == MOST_PASSED:
            break
        last_seen, count = at, count + 1
    return last_seen, count


def shortest_gap(trigger: Trigger, now: float) -> float | None:
    """Return the fewest seconds between two moments, ``None`` if there are no two.

    Of a cron expression the next ``SAMPLED_MOMENTS`` are compared.
    """
    if trigger.kind == AT:
        return None
    if trigger.kind == EVERY:
        return float(trigger.expression)
    moments = itertools.islice(_cron_moments(trigger, now), SAMPLED_MOMENTS)
    return min((after - at for at, after in itertools.pairwise(moments)), default=None)


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


def _cron_moments(trigger: Trigger, after: float) -> Iterator[float]:
    from torch_cli.schedule import cron as crontab

    return crontab.moments(trigger.expression, trigger.zone, max(after, trigger.start))


# -- words ---------------------------------------------------------------------------------------


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
    local = datetime.datetime.fromtimestamp(at, zone_named(zone))
    utc = datetime.datetime.fromtimestamp(at, datetime.UTC)
    if local.tzname() == "UTC":
        return f"{local:%a %Y-%m-%d %H:%M:%S} UTC"
    day = "" if utc.date() == local.date() else f"{utc:%Y-%m-%d} "
    return f"{local:%a %Y-%m-%d %H:%M:%S %Z} ({day}{utc:%H:%M:%S} UTC)"
