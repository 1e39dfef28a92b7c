"""How far a message has come, and which status may follow which: one table that every write obeys.

A message's status is its ``state``, which the receipt shows, and its ``step``, from which the next
process continues. Nothing else in Torch writes the two columns.
"""

import enum
from collections.abc import Mapping
from typing import NamedTuple


class Step(enum.StrEnum):
    """How far the delivery of a message came."""

    ACCEPTED = "accepted"
    """Saved; nothing of it was typed."""
    ATTEMPTING = "attempting"
    """About to be pasted; it may be in the box."""
    SEEN = "seen"
    """It was in the box, and no key was pressed for it, or it came back after one."""
    SUBMITTING = "submitting"
    """A submit key may have been pressed."""
    DONE = "done"
    """Settled: nothing more is typed or pressed for it."""


class Status(NamedTuple):
    """A message's state and step."""

    state: str
    step: str


OPEN_STATES: Mapping[Step, tuple[str, ...]] = {
    Step.ACCEPTED: ("queued", "held"),
    Step.ATTEMPTING: ("queued", "held"),
    Step.SEEN: ("queued", "held", "unknown"),
    Step.SUBMITTING: ("queued", "held", "unknown"),
}
"""The states that a message can have at each step before it is settled."""

SETTLED_STATES = ("submitted", "confirmed", "failed", "unknown")
"""The states of a settled message."""

NEXT_STEPS: Mapping[Step, tuple[Step, ...]] = {
    Step.ACCEPTED: (Step.ACCEPTED, Step.ATTEMPTING, Step.DONE),
    # Back to accepted if the gate let nothing through.
    Step.ATTEMPTING: (Step.ACCEPTED, Step.ATTEMPTING, Step.SEEN, Step.DONE),
    Step.SEEN: (Step.SEEN, Step.SUBMITTING, Step.DONE),
    Step.SUBMITTING: (Step.SEEN, Step.SUBMITTING, Step.DONE),
}
"""The steps that may follow each step of an unsettled message, in any state."""

AFTER_SETTLED: Mapping[Status, tuple[Status, ...]] = {
    # A person, or the same idempotency key, sends it again.
    Status("failed", Step.DONE): (Status("queued", Step.ACCEPTED),),
    # The same, or it was found in the program's own records later.
    Status("unknown", Step.DONE): (
        Status("queued", Step.ACCEPTED),
        Status("confirmed", Step.DONE),
    ),
}
"""What may follow a settled status. Nothing may follow the settled statuses that are not listed."""


def statuses() -> list[Status]:
    """Return every status that a message can have."""
    found = [Status(state, step) for step, states in OPEN_STATES.items() for state in states]
    return found + [Status(state, Step.DONE) for state in SETTLED_STATES]


def may_follow(before: Status, after: Status) -> bool:
    """Return whether a message may go from the status ``before`` to the status ``after``."""
    if after not in _ALL:
        return False
    if before.step == Step.DONE:
        return after in AFTER_SETTLED.get(before, ())
    return before in _ALL and after.step in NEXT_STEPS[Step(before.step)]


def before(after: Status) -> list[Status]:
    """Return every status that ``after`` may follow. Raises ``ValueError`` if there is none."""
    found = [status for status in _ALL if may_follow(status, after)]
    if not found:
        raise ValueError(f"no message can be {after.state} at the step {after.step}")
    return found


def steps_before(step: str) -> list[Step]:
    """Return the steps that ``step`` may follow while the state stays as it is."""
    return [at for at, then in NEXT_STEPS.items() if step in then]


_ALL = statuses()
