"""Time zones by the IANA's names, and that of this machine."""

import datetime
import functools
import os
from collections.abc import Iterator

from torch_cli.errors import RefusedError


def check_zone(name: str) -> None:
    """Raise ``RefusedError`` unless ``name`` is a time zone of the IANA's."""
    zone_named(name)


@functools.lru_cache(maxsize=64)
def zone_named(name: str) -> datetime.tzinfo:
    """Return the time zone named ``name``; raises ``RefusedError`` if the IANA has none."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RefusedError(
            f"no time zone named '{name}'",
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
