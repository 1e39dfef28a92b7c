"""The figures that a program itself has of its usage limits, in its own record.

Claude Code writes into its transcript until when the API has refused a request (``quotaLimits``,
2.1.330, 2026-11-29); its status line shows the same figure, but is a person's. Codex writes what
the API says of each window of its limits into its rollout (``rate_limits``, 0.169.0). The other
programs keep none.
"""

import datetime
from collections.abc import Callable
from typing import Any

from torch_cli.procs import Process
from torch_cli.programs.json_lines import TAILS, lines_back, object_of
from torch_cli.programs.record import rollouts_of, transcript_of_claude

USED_UP_PERCENT = 100.0
"""A window of Codex's of which so much is used has reached its limit."""


LATEST_SECONDS = 35 * 86_400.0
"""A figure that is later means something else. The longest windows are those of a month."""


def reset_by_figures(kind: str, process: Process, since: float) -> float | None:
    """Return when the limit of a running program ends (epoch seconds), by its own figures.

    ``kind`` is that of its transcript. Only what it wrote after ``since`` (epoch seconds) counts.
    ``None`` if it has written none, or they cannot be read.
    """
    try:
        if kind == "claude":
            found = _latest(transcript_of_claude(process), b'"quotaLimits"', since, _claude)
        elif kind == "codex":
            found = _latest(rollouts_of(process), b'"rate_limits"', since, _codex)
        else:
            return None
    except (OSError, ValueError):
        return None
    return found if found is not None and 0 < found - since < LATEST_SECONDS else None


def _latest(
    paths: list[str], mark: bytes, since: float, reset: Callable[[dict[str, Any]], float | None]
) -> float | None:
    """Return the reset in the newest line with ``mark`` in a file, if there is one file.

    One of several may be another program's.
    """
    if len(paths) != 1:
        return None
    for line in lines_back(paths[0], TAILS[:1]):
        if mark in line and (written := object_of(line)):
            return reset(written) if _at(written) > since else None
    return None


def _claude(written: dict[str, Any]) -> float | None:
    limits = written.get("quotaLimits")
    if not isinstance(limits, dict) or limits.get("status") != "rejected":
        return None
    return _moment(limits.get("resetsAt"))


def _codex(written: dict[str, Any]) -> float | None:
    """Return when the last of its used up windows begins again."""
    payload = written.get("payload")
    limits = payload.get("rate_limits") if isinstance(payload, dict) else None
    if not isinstance(limits, dict):
        return None
    windows = [limits[name] for name in ("primary", "secondary") if _is_used_up(limits.get(name))]
    resets = [_moment(one.get("resets_at")) for one in windows]
    return max((one for one in resets if one is not None), default=None)


def _is_used_up(window: object) -> bool:
    if not isinstance(window, dict):
        return False
    used = window.get("used_percent")
    return isinstance(used, int | float) and used >= USED_UP_PERCENT


def _moment(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _at(written: dict[str, Any]) -> float:
    """Return when a line was written (epoch seconds), 0 if it does not say."""
    try:
        return datetime.datetime.fromisoformat(str(written.get("timestamp"))).timestamp()
    except ValueError:
        return 0.0
