"""A check-in and a run of it as values: what is said to whom, by which trigger, how often."""

import enum
import os
from typing import NamedTuple

from torch_cli.pane_id import PaneId


class CheckinState(enum.StrEnum):
    """The states of a check-in: it fires, is paused, has nothing left to fire, or was removed."""

    ACTIVE = "active"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class RunState(enum.StrEnum):
    """The states of a run."""

    SENT = "sent"
    """Its message is in the outbox, or has left it."""
    OVERDUE = "overdue"
    """No agent is there to take it yet."""
    MISSED = "missed"
    """It came later than its grace."""
    SUPERSEDED = "superseded"
    """A later run replaced it before it was typed."""
    FAILED = "failed"
    """It cannot be sent."""


class Trigger(NamedTuple):
    """A rule for moments.

    ``kind`` is ``at``, ``every`` or ``cron``; ``expression`` the moment in seconds since the epoch,
    the seconds between two, or the cron expression; ``zone`` the name of the time zone in which it
    is read and shown; ``start`` when it began to count (epoch seconds).
    """

    kind: str
    expression: str
    zone: str
    start: float


class Address(NamedTuple):
    """Whom a note is for: the ``name`` and identity of an ``agent``, and the pane that it was in.

    The identity is '' for the program in a pane that was never registered; it is known by its pane.
    """

    name: str
    agent: str
    at: PaneId


class Bounds(NamedTuple):
    """How long and how often a check-in may fire, and how late; ``None`` means without a limit.

    ``until`` is the last moment (epoch seconds), ``remaining`` how many runs are left. Each firing
    is put off by up to ``jitter`` seconds, and dropped if it came more than ``grace`` seconds late.
    """

    until: float | None = None
    remaining: int | None = None
    jitter: float = 0.0
    grace: float | None = None


class AgentRef(NamedTuple):
    """An agent by its name and the identity that it had; '' for none.

    Another agent that has the name later has another identity, and is not meant.
    """

    name: str = ""
    identity: str = ""


class Checkin(NamedTuple):
    """A message that is sent later.

    ``note`` is what it says, ``condition`` whether it waits until the agent is ``idle``, or
    ``always`` goes. If nobody is at ``to``, the ``fallback`` gets it, else the agent's ``parent``.
    ``nominal`` is when the trigger is next due, ``due`` when it will fire for that, with jitter and
    snooze; both are ``None`` when nothing is left. Moments are seconds since the epoch.
    """

    id: str
    name: str
    to: Address
    note: str
    trigger: Trigger
    bounds: Bounds = Bounds()
    condition: str = "always"
    fallback: AgentRef = AgentRef()
    parent: AgentRef = AgentRef()
    creator: AgentRef = AgentRef()
    state: CheckinState = CheckinState.ACTIVE
    nominal: float | None = None
    due: float | None = None
    created: float = 0.0
    changed: float = 0.0


class Run(NamedTuple):
    """One firing: of which check-in, when it was ``due`` and when it ``fired`` (epoch seconds).

    ``delay`` says why it was late. ``coalesced`` counts the earlier moments that it includes.
    ``message`` is the id of the message to ``recipient``. ``token`` is that of the lease.
    """

    id: str
    checkin: str
    due: float
    fired: float
    state: RunState
    reason: str = ""
    delay: str = ""
    coalesced: int = 0
    message: str = ""
    recipient: str = ""
    token: int = 0


def new_id(kind: str) -> str:
    """Return a new id for a check-in (``ci``) or a run (``r``).

    Earlier versions gave check-ins ids with ``c``, as checkpoints still have.
    """
    return f"{kind}-{os.urandom(6).hex()}"
