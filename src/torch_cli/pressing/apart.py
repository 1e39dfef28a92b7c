"""Keys that interrupt, as events: two of them too soon after each other end some programs.

Each is recorded before it is pressed, so that another process knows of it, also if this one ends.
"""

from typing import NamedTuple

from torch_cli.programs.profile import Launch
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import FREEZE, NOT_PRESSED, PRESS

KEY_MARGIN_SECONDS = 0.5
"""Seconds that are added to what a profile says: the program may count from a little later on."""

UNHEARD_KEY_SECONDS = 60.0
"""Seconds in which a key whose effect nobody has seen may still take effect: an overloaded machine
has shown a frame after 90 s, but the key of a terminal interrupts as soon as the program runs."""


class EarlierKey(NamedTuple):
    """A key that was pressed before. Until ``free`` (epoch seconds) a second one is not safe.

    ``seen`` says that it has ended a turn; else it may still do something.
    """

    at: float
    free: float
    seen: bool


def record(store: Store, agent: Agent, launch: Launch) -> None:
    """Record that the key is about to be pressed."""
    detail = {"keys": list(launch.interrupt), "why": FREEZE}
    store.events.add(PRESS, agent.name, detail, agent=agent.identity)


def withdraw(store: Store, agent: Agent, launch: Launch) -> None:
    """Record that the key that was recorded last was not pressed."""
    detail = {"keys": list(launch.interrupt), "why": FREEZE}
    store.events.add(NOT_PRESSED, agent.name, detail, agent=agent.identity)


def earlier(store: Store, agent: Agent, launch: Launch, now: float) -> EarlierKey | None:
    """Return the last such key that makes a second one unsafe at ``now`` (epoch seconds).

    ``None`` if there is none, or the program takes two of them for nothing else.
    """
    if not launch.interrupt_apart:
        return None
    events = store.events.read(
        name=agent.name,
        agent=agent.identity,
        verbs=[PRESS, NOT_PRESSED, FREEZE],
        since=max(now - UNHEARD_KEY_SECONDS, agent.created),  # not what another program heard
    )
    last: EarlierKey | None = None
    before: EarlierKey | None = None
    for event in events:
        if event.verb == FREEZE:
            if last is not None and event.detail.get("interrupted"):
                free = event.at + launch.interrupt_apart + KEY_MARGIN_SECONDS
                last = EarlierKey(last.at, free, seen=True)
        elif not set(launch.interrupt) & set(event.detail.get("keys") or ()):
            continue
        elif event.verb == PRESS:
            before, last = last, EarlierKey(event.at, event.at + UNHEARD_KEY_SECONDS, seen=False)
        else:
            last = before
    return last if last is not None and now < last.free else None
