"""For how long each kind of row is kept: the table ``[retention]`` of ``config.toml``."""

from typing import Any, NamedTuple

from torch_cli import duration
from torch_cli.errors import RefusedError
from torch_cli.number import LARGEST_NUMBER
from torch_cli.settings import read_table, unknown, wrong

DAY_SECONDS = 86_400.0

HISTORY_KEPT_SECONDS = 90 * DAY_SECONDS
"""Seconds that messages, runs of check-ins and events are kept. A key is remembered as long as its
message."""

STATES_KEPT_SECONDS = 14 * DAY_SECONDS
"""Seconds that changes of agents' states are kept: there are more of them than of all the rest."""

MOST_STATES = 200_000
"""How many of them are kept at most, some 60 MB; 64 busy agents make 30,000 a day."""

REPORTS_KEPT_SECONDS = 7 * DAY_SECONDS
"""Seconds that reports of hooks are kept."""

PROMPTS_KEPT_SECONDS = DAY_SECONDS
"""Seconds that reports keep the text of prompts and answers. This text shows whether a typed
message was submitted. So as long as a message is not settled, the later reports keep theirs."""

APPEND_ONLY_SECONDS = 30 * DAY_SECONDS
"""Seconds in which nothing can delete an event, but for changes of states: the database refuses."""


class Keeping(NamedTuple):
    """Seconds that rows are kept, and the number of changes of states (``most_states``)."""

    messages: float = HISTORY_KEPT_SECONDS
    runs: float = HISTORY_KEPT_SECONDS
    events: float = HISTORY_KEPT_SECONDS
    states: float = STATES_KEPT_SECONDS
    most_states: int = MOST_STATES
    hook_reports: float = REPORTS_KEPT_SECONDS
    prompts: float = PROMPTS_KEPT_SECONDS


_LEAST = {
    "messages": (DAY_SECONDS, "1d"),
    "runs": (DAY_SECONDS, "1d"),
    "events": (APPEND_ONLY_SECONDS, "30d"),
    "states": (3600.0, "1h"),
    "hook_reports": (DAY_SECONDS, "1d"),
    "prompts": (3600.0, "1h"),
}
"""The shortest time of each: a delivery, its proof and its notice may need what is younger."""


def load_keeping() -> Keeping:
    """Return the user's settings; raises ``RefusedError`` for a file that is wrong."""
    given = {name: _setting(name, value) for name, value in read_table("retention").items()}
    return Keeping(**given)


def _setting(name: str, value: Any) -> Any:
    if name == "most_states":
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LARGEST_NUMBER:
            raise wrong(f"'retention.most_states' must be a number, 1 to {LARGEST_NUMBER}")
        return value
    if name not in _LEAST:
        raise unknown("retention", name, Keeping._fields)
    least, written = _LEAST[name]
    words = f"'retention.{name}' must be a duration of at least {written}, for example \"45d\""
    try:
        seconds = duration.parse(value) if isinstance(value, str) else 0.0
    except RefusedError as error:
        raise wrong(words) from error
    if seconds < least:
        raise wrong(words)
    return seconds
