"""The settings of what is done for agents by itself: the table ``[health]`` of ``config.toml``."""

from typing import Any, NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.roster.rest import rest_of
from torch_cli.settings import read_table, unknown, wrong


class HealthSettings(NamedTuple):
    """``resurrect``: the daemon brings agents back when it starts, if their tmux server is gone.

    ``continue_after_limit``: it tells an agent that a usage limit has cut off to go on.
    ``hibernate``: after so many seconds it hibernates an idle agent, ``None`` for never.
    """

    resurrect: bool = False
    continue_after_limit: bool = True
    hibernate: float | None = None


def load_health_settings() -> HealthSettings:
    """Return the user's settings; raises ``RefusedError`` for a file that is wrong."""
    return HealthSettings(**dict(_setting(*item) for item in read_table("health").items()))


def _setting(name: str, value: Any) -> tuple[str, Any]:
    if name not in HealthSettings._fields:
        raise unknown("health", name, HealthSettings._fields)
    if name == "hibernate":
        return name, _time(value)
    if not isinstance(value, bool):
        raise wrong(f"'health.{name}' must be true or false")
    return name, value


def _time(value: Any) -> float | None:
    try:
        return rest_of(value if isinstance(value, str) else "")
    except RefusedError as error:
        raise wrong(f"'health.hibernate': {error.message}", error.hint) from error
