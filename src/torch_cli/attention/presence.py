"""When a person was last here, by the commands that they typed. ``looking`` knows their keys."""

import contextlib
import sys
import time

from torch_cli.errors import TorchError
from torch_cli.roster.actor import actor
from torch_cli.store import Store
from torch_cli.store.looks import ANYTHING, AWAY_SECONDS, LOOK_RECORDED_SECONDS

SHOWING_COMMANDS = frozenset({"status", "since", "why", "answer", "next", "back", "top", "daemon"})
"""Commands that show who needs a person, or begin to tell it."""

SILENT_WORDS = frozenset({"-q", "--quiet", "--json", "completion"})
"""Words of a command that is to print nothing beside its result."""

RECORD_PATIENCE_MILLISECONDS = 100
"""Milliseconds for which a command waits until it can record that a person is here."""

END_LAG_SECONDS = 1.0
"""Seconds by which the end of a turn may be dated later than its answer came: tmux tells to the
second when a window last wrote, and a report of the end follows the answer."""


def note_command() -> str:
    """Record that a person typed a command now, unless an agent did; return what they are told.

    That is who needs them, if no daemon tells it, and not more often than they are recorded.

    Nothing is made, and nothing fails: a command that cannot be recorded is run all the same.
    """
    with contextlib.suppress(TorchError), Store(create=False) as store:
        last, now = store.looks.last(ANYTHING), time.time()
        if last is not None and 0 <= now - last.at < LOOK_RECORDED_SECONDS:
            return ""
        if actor(store).agent is None:
            store.database.query(f"PRAGMA busy_timeout = {RECORD_PATIENCE_MILLISECONDS}")
            store.looks.note(ANYTHING, now)
            shows = SHOWING_COMMANDS.intersection(_verb(sys.argv[1:]))
            if not shows and not SILENT_WORDS.intersection(sys.argv):
                from torch_cli.attention.untold import untold

                return untold(store)
    return ""


def _verb(words: list[str]) -> list[str]:
    """Return the command's name in ``words``: options, also those of a server, may precede it."""
    while words and words[0].startswith("-"):
        words = words[2 if words[0] in ("-L", "-S") else 1 :]
    return words[:1]


def left_at(store: Store, now: float) -> float | None:
    """Return when a person was last here before they came back (epoch seconds).

    That is before an absence of more than ``AWAY_SECONDS``. ``None`` if there was none.
    """
    last = store.looks.last(ANYTHING)
    if last is None:
        return None
    return last.at if now - last.at > AWAY_SECONDS else last.before or None


def note_answer(agent: str) -> None:
    """Record that a person has read what ``agent`` (a name) answered: they have looked at it.

    As for ``note_command``, nothing fails, and a command of an agent does not count.
    """
    with contextlib.suppress(TorchError), Store(create=False) as store:
        known = store.agents.get(agent)
        if known is not None and actor(store).agent is None:
            store.looks.note(known.identity, time.time() + END_LAG_SECONDS)
