"""After how long an idle agent is hibernated, as people write it."""

from torch_cli import duration
from torch_cli.errors import RefusedError
from torch_cli.store.health import DEFAULT, NEVER

LEAST_REST_SECONDS = 60.0
"""An agent is not hibernated sooner: a start of its program takes some seconds each time."""


def rest_of(words: str) -> float | None:
    """Return after how many seconds of idleness an agent is hibernated, ``None`` for never.

    Raises ``RefusedError`` for anything but a time, of at least a minute, or ``never``.
    """
    if words == NEVER:
        return None
    hint = f'Write a time of at least 1m, for example 1h, or "{NEVER}".'
    try:
        seconds = duration.parse(words)
    except RefusedError as error:
        raise RefusedError(error.message, hint=hint, code="bad-duration") from error
    if seconds < LEAST_REST_SECONDS:
        raise RefusedError(f"'{words}' is less than 1m", hint=hint, code="bad-duration")
    return seconds


def policy_of(words: str) -> str:
    """Return ``words`` as the policy of an agent has them: seconds, ``never``, ``default``, or ''.

    Raises as ``rest_of`` does.
    """
    if words in ("", NEVER, DEFAULT):
        return words
    return f"{rest_of(words):.0f}"
