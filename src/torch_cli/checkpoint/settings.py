"""The settings of checkpoints: the table ``[checkpoint]`` of ``config.toml``."""

from typing import Any, NamedTuple

from torch_cli import duration
from torch_cli.errors import RefusedError
from torch_cli.number import LARGEST_NUMBER
from torch_cli.settings import read_table, unknown, wrong

MIB = 1024 * 1024


class Settings(NamedTuple):
    """What is kept, how often, and for how long.

    ``every`` is seconds between two checkpoints of an agent's directory, 0 for none. ``max_file``
    and ``quota`` are bytes, ``max_new`` a number of files. ``allow`` and ``deny`` are globs, whose
    ``*`` matches slashes; a glob without a slash matches the name alone.
    """

    every: float = 1800.0
    on_idle: bool = False
    max_file: int = 10 * MIB
    max_new: int = 2000
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    hourly_days: int = 7
    daily_days: int = 90
    quota: int = 1024 * MIB


def load_settings() -> Settings:
    """Return the user's settings; raises ``RefusedError`` for a file that is wrong."""
    return Settings(**dict(_setting(*item) for item in read_table("checkpoint").items()))


def _setting(name: str, value: Any) -> tuple[str, Any]:
    """Return the field that a key of the file sets, and its value."""
    reader = _READERS.get(name)
    if reader is None:
        raise unknown("checkpoint", name, _READERS)
    field, kind, reads, wanted = reader
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise wrong(f"'checkpoint.{name}' must be {wanted}")
    try:
        return field, reads(value)
    except (RefusedError, ValueError) as error:
        raise wrong(f"'checkpoint.{name}' must be {wanted}") from error


def _interval(value: str) -> float:
    return 0.0 if value.strip() == "0" else duration.parse(value)


def _number(value: int) -> int:
    if not 0 <= value <= LARGEST_NUMBER:
        raise ValueError(value)
    return value


def _globs(value: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(glob, str) for glob in value):
        raise ValueError(value)
    return tuple(value)


_COUNT = (int, _number, f"a number, 0 to {LARGEST_NUMBER}")
_GLOBS = (list, _globs, 'a list of globs, for example ["*.sqlite"]')
_SIZE = (int, lambda value: _number(value) * MIB, f"a number of MiB, 0 to {LARGEST_NUMBER}")
_READERS: dict[str, tuple[str, type, Any, str]] = {
    "every": ("every", str, _interval, 'a duration, for example "30m", or "0" for never'),
    "on_idle": ("on_idle", bool, bool, "true or false"),
    "max_file_mib": ("max_file", *_SIZE),
    "max_new_files": ("max_new", *_COUNT),
    "allow": ("allow", *_GLOBS),
    "deny": ("deny", *_GLOBS),
    "hourly_days": ("hourly_days", *_COUNT),
    "daily_days": ("daily_days", *_COUNT),
    "quota_mib": ("quota", *_SIZE),
}
