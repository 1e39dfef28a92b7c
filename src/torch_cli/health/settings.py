"""The settings of what is done for agents by itself: the table ``[health]`` of ``config.toml``."""

from typing import Any, NamedTuple

from torch_cli.settings import read_table, unknown, wrong


class HealthSettings(NamedTuple):
    """``resurrect``: the daemon brings agents back when it starts, if their tmux server is gone.

    ``continue_after_limit``: it tells an agent that a usage limit has cut off to go on.
    """

    resurrect: bool = False
    continue_after_limit: bool = True


def load_health_settings() -> HealthSettings:
    """Return the user's settings; raises ``RefusedError`` for a file that is wrong."""
    return HealthSettings(**dict(_setting(*item) for item in read_table("health").items()))


def _setting(name: str, value: Any) -> tuple[str, Any]:
    if name not in HealthSettings._fields:
        raise unknown("health", name, HealthSettings._fields)
    if not isinstance(value, bool):
        raise wrong(f"'health.{name}' must be true or false")
    return name, value
