"""The settings of notices: the table ``[notify]`` of ``config.toml``."""

from typing import Any, NamedTuple
from urllib.parse import urlsplit

from torch_cli import duration
from torch_cli.attention.quiet import Quiet, parse_quiet
from torch_cli.attention.told import SEVERITIES
from torch_cli.errors import RefusedError
from torch_cli.settings import read_table, unknown, wrong


class NotifySettings(NamedTuple):
    """By which ways a person is told, and when. Durations are in seconds.

    ``tmux`` shows a notice in the status line of every attached terminal, ``bell`` rings there,
    ``desktop`` shows it on the desktop, where there is one. ``command`` is a program and its
    arguments, which gets the notice on its standard input. ``webhook`` and ``ntfy`` are addresses
    to which it is posted, ``apprise`` the addresses of services for the library of that name. What
    has not ended after ``timeout`` is killed.

    A question is told when it has stood for ``dwell``, and the same agent again not before
    ``cooldown`` is over; nothing is told in the hours of ``quiet``, and nothing that is less severe
    than ``severity``. The parent of an agent is told after ``parent``.
    """

    tmux: bool = True
    bell: bool = True
    desktop: bool = True
    command: tuple[str, ...] = ()
    webhook: str = ""
    ntfy: str = ""
    apprise: tuple[str, ...] = ()
    dwell: float = 3.0
    cooldown: float = 30.0
    timeout: float = 10.0
    quiet: Quiet = Quiet()
    severity: str = SEVERITIES[0]
    parent: float = 300.0


def load_notify_settings() -> NotifySettings:
    """Return the user's settings; raises ``RefusedError`` for a file that is wrong."""
    return NotifySettings(
        **{name: _value(name, read) for name, read in read_table("notify").items()}
    )


def _value(name: str, value: Any) -> Any:
    if name not in _READERS:
        raise unknown("notify", name, _READERS)
    kind, reads, wanted = _READERS[name]
    if not isinstance(value, kind):
        raise wrong(f"'notify.{name}' must be {wanted}")
    try:
        return reads(value)
    except (RefusedError, ValueError) as error:
        raise wrong(f"'notify.{name}' must be {wanted}") from error


def _words(value: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(word, str) and "\0" not in word for word in value) or value[:1] == [""]:
        raise ValueError(value)
    return tuple(value)


def _address(value: str) -> str:
    """Return an address that can be posted to. urllib would also open files."""
    parts = urlsplit(value)
    _ = parts.port  # raises ValueError if it is not a number
    plain = value.isascii() and value.isprintable() and " " not in value
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or not plain:
        raise ValueError(value)
    return value


def _severity(value: str) -> str:
    if value not in SEVERITIES:
        raise ValueError(value)
    return value


_SWITCH = (bool, bool, "true or false")
_DURATION = (str, duration.parse, 'a duration, for example "5s"')
_ADDRESS = (
    str,
    _address,
    'an address of http or https without a user, for example "https://ntfy.sh/my-topic"',
)
_READERS: dict[str, tuple[type, Any, str]] = {
    "tmux": _SWITCH,
    "bell": _SWITCH,
    "desktop": _SWITCH,
    "command": (
        list,
        _words,
        'a program and its arguments, for example ["mail", "-s", "Torch", "me"]',
    ),
    "webhook": _ADDRESS,
    "ntfy": _ADDRESS,
    "apprise": (list, _words, 'addresses for apprise, for example ["mailto://me:pw@example.org"]'),
    "dwell": _DURATION,
    "cooldown": _DURATION,
    "timeout": _DURATION,
    "quiet": (str, parse_quiet, 'hours of the day, for example "22:00-07:00"'),
    "parent": _DURATION,
    "severity": (str, _severity, "one of " + ", ".join(SEVERITIES)),
}
