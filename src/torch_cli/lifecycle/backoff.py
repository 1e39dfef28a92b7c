"""When something that has ended is started again, and when it is given up.

One rule for all: agents, and the members of teams. What counts as an end against its policy is not
decided here.
"""

import enum
import random
from typing import NamedTuple

from torch_cli.store import Store
from torch_cli.store.restarts import GIVEN_UP, Restart

FIRST, LONGEST = 2.0, 60.0
"""Seconds before the first restart, and the longest wait. Each wait is twice the one before."""

JITTER = 0.2
"""Each wait is longer or shorter by up to this part, so that not all start at once."""

MOST, WITHIN = 5, 600.0
"""After this many restarts within this many seconds Torch gives up, until a person starts it."""

HEALTHY_SECONDS = 300.0
"""Restarts are forgotten of what has run for this many seconds."""


class RestartStep(enum.StrEnum):
    """What is done next for something that has ended."""

    RESTART = "restart"
    WAIT = "wait"
    GIVE_UP = "give-up"


class Decision(NamedTuple):
    """What is done next, and why."""

    what: RestartStep
    why: str


def decide(store: Store, team: str, name: str, ended: str, now: float) -> Decision | None:
    """Decide at ``now`` (epoch seconds) about something that has ended as ``ended`` says.

    ``team`` and ``name`` are its key in the table of restarts. Notes its next restart there.
    ``None`` if it was given up before: that is decided once.
    """
    if store.restarts.is_given_up(team, name):
        return None
    history = store.restarts.of(team, name)
    pending = next((one for one in history if one.at is None), None)
    done = [one.at for one in history if one.at is not None and now - one.at < WITHIN]
    if len(done) >= MOST:
        why = f"{ended}, after {len(done)} restarts in {WITHIN / 60:.0f} min"
        store.restarts.add(Restart(team, name, now, GIVEN_UP))
        return Decision(RestartStep.GIVE_UP, why)
    if pending is None:
        wait = min(LONGEST, FIRST * 2 ** len(done)) * random.uniform(1 - JITTER, 1 + JITTER)
        pending = Restart(team, name, now, now + wait)
        store.restarts.add(pending)
    what = RestartStep.RESTART if now >= pending.due else RestartStep.WAIT
    return Decision(what, f"{ended}; restart {len(done) + 1} of {MOST}")
