"""Moments that have passed, as people write them: ``2h``, ``09:00``, ``yesterday``."""

import re
from datetime import datetime, timedelta

from torch_cli.duration import parse
from torch_cli.errors import RefusedError

MOMENT_HINT = (
    "Write a duration (30m, 2h, 1d), a time (09:00), a date (2026-12-01, '2026-12-01 09:00'), "
    "'today' or 'yesterday'."
)

_TIME = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ t]\d{1,2}:\d{2})?")


def passed(text: str, now: float) -> float:
    """Return the moment (epoch seconds) that ``text`` means, which is before ``now``.

    A duration is so long ago. A time is the last such time, ``today`` and ``yesterday`` begin at
    midnight, and a date without a time does. All of them are local time. Raises ``RefusedError``
    for any other text, and for a moment that has not come yet.
    """
    said = text.strip().lower()
    here = datetime.fromtimestamp(now)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    if said in ("today", "yesterday"):
        found = midnight - timedelta(days=said == "yesterday")
    elif _TIME.fullmatch(said):
        hour, minute = map(int, said.split(":"))
        found = midnight.replace(hour=hour, minute=minute)
        if found > here:
            found = (midnight - timedelta(days=1)).replace(hour=hour, minute=minute)
    elif _DATE.fullmatch(said):
        found = _date(text, said)
    elif re.search(r"[a-z]{2}|:|-", said):
        raise _invalid(text)
    else:
        return now - parse(text)
    try:
        at = found.timestamp()
    except (ValueError, OverflowError, OSError):  # out of the years that the clock knows
        raise _invalid(text) from None
    if at > now:
        raise RefusedError(f"'{text}' has not come yet", hint=MOMENT_HINT, code="bad-moment")
    return at


def _date(text: str, said: str) -> datetime:
    try:
        return datetime.fromisoformat(re.sub(r"[ t](\d):", r" 0\1:", said))
    except ValueError:
        raise _invalid(text) from None


def _invalid(text: str) -> RefusedError:
    return RefusedError(f"invalid moment '{text}'", hint=MOMENT_HINT, code="bad-moment")
