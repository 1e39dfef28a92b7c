"""What is known of a usage limit beyond the screen: when it ends, and what it has cut off.

A program leaves the words about a limit on its screen after the reset. That the limit is over is
decided by a scheduler, and kept in the store (``store.limits``); without one, by the time alone.
"""

import time
from itertools import dropwhile
from typing import NamedTuple

from torch_cli.intervals import INTERVALS
from torch_cli.procs import Process
from torch_cli.programs.figures import reset_by_figures
from torch_cli.programs.profile import Profile
from torch_cli.programs.reset import reset_at, without_zone
from torch_cli.programs.state import AT_WORK, AgentState, State
from torch_cli.programs.turn import BEGINS
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import Event, since_of

OVER = "limit over"
"""The name of the rule for a screen that still shows a limit that is over."""

LIMIT_CHANGES_READ = 20
"""Changes of state that are read to find out how a limit began."""

TURN_BEGINS_SECONDS = 10.0
"""Seconds after a message was submitted in which the screen may still show the limit before it."""


class Limit(NamedTuple):
    """The usage limit that an agent was last seen to have, by the history of its states.

    ``reset`` are the program's words, ``since`` is when it began, ``until`` when it ends, ``None``
    if neither the words nor the program's own figures say; both are seconds since the epoch.
    ``cut`` says that the agent was in the middle of a turn. ``figure`` is when it ends by the
    program's own figures, to the second, ``None`` if it has none.
    """

    reset: str
    since: float
    until: int | None
    cut: bool
    figure: float | None = None

    @property
    def said(self) -> str:
        """When it ends, for people: in the program's words, else by its figure; '' if not known."""
        if self.reset or self.figure is None:
            return self.reset
        return time.strftime("%m-%d %H:%M", time.localtime(self.figure))

    @property
    def due(self) -> float | None:
        """When it counts as over if the agent has not moved, ``None`` if nobody knows."""
        if self.until is None:
            return None
        return max(self.until, self.figure or 0.0) + INTERVALS.limit_over


def limit_of(store: Store, agent: Agent, profile: Profile, now: float) -> Limit | None:
    """Return the limit of ``agent`` as of ``now`` (epoch seconds), ``None`` if it has none.

    The history of its states must say that it is limited, or was until that counted as over and it
    has got no message since.
    """
    known = store.events.last_states(agent.identity, LIMIT_CHANGES_READ)
    states = list(dropwhile(_says_nothing, known))
    if not states or not _is_limited(states[0]) or states[0].at < agent.created:
        return None
    reset, began = str(states[0].detail.get("reset") or ""), since_of(states[0])
    earlier = dropwhile(lambda one: _is_limited(one) or _says_nothing(one), states)
    before = next(earlier, None)
    rested = max(agent.created, since_of(before) if before is not None else 0.0)
    asked = _submitted(store, agent, profile, rested)
    settled = [at for at in asked if at <= now - TURN_BEGINS_SECONDS]
    over = [since_of(one) for one in known if one.id > states[0].id and _is_over(one)]
    if over and any(at > min(over) for at in settled):
        return None
    # A turn can be so short that nobody saw it.
    cut = before is not None and before.detail.get("state") in AT_WORK
    cut = cut or any(at <= began + TURN_BEGINS_SECONDS for at in asked)
    program = Process(agent.program_pid, agent.program_started)
    figure = reset_by_figures(profile.answer.transcript, program, max([rested, *settled]))
    # The words first: they are there as long as the limit is, and name one moment.
    until = _offered(states) or reset_at(reset, max([began, *settled])) or figure
    return Limit(reset, began, None if until is None else int(until), cut, figure)


def may_be_limited(newest: Event | None) -> bool:
    """Return whether an agent with this ``newest`` change of state may have a limit."""
    return newest is not None and (_is_limited(newest) or _says_nothing(newest))


def _offered(states: list[Event]) -> float | None:
    """Return when a limit ends by the dialog that a person has closed just before, if one said so.

    What Gemini CLI then leaves on its screen counts from when it asked the API, which the dialog
    may be much younger than; it is older than what it leaves (0.61.0, 2026-11-30).
    """
    before = next(iter(dropwhile(_is_limited, states)), None)
    if before is None or before.detail.get("state") != State.WAITING:
        return None
    return reset_at(str(before.detail.get("reset") or ""), since_of(before))


def _submitted(store: Store, agent: Agent, profile: Profile, since: float) -> list[float]:
    """Return when messages were submitted in the pane of ``agent``, as its hooks have reported."""
    names = [name for name, says in profile.hooks.events.items() if says in BEGINS]
    reports = store.hooks.named(agent.server, agent.pane, names, since) if names else []
    return [one.at for one in reports]


def _is_limited(event: Event) -> bool:
    return bool(event.detail.get("state") == State.LIMITED)


def _is_over(event: Event) -> bool:
    return bool(event.detail.get("rule") == OVER)


def _says_nothing(event: Event) -> bool:
    """Whether a change of state leaves open whether a limit has ended."""
    return _is_over(event) or event.detail.get("state") in (State.UNKNOWN, State.WAITING)


def unless_over(
    store: Store, agent: Agent | None, profile: Profile, state: AgentState
) -> AgentState:
    """Return ``state``, or ``idle`` if it is that of a limit of ``agent`` that is over."""
    if state.state is not State.LIMITED or agent is None:
        return state
    now = time.time()
    limit = limit_of(store, agent, profile, now)
    if (
        limit is None
        or limit.until is None
        or without_zone(limit.reset) != without_zone(state.reset or "")
    ):
        return state
    if store.limits.over(agent.identity, limit.until) is None:
        assert limit.due is not None
        if now < limit.due or store.lease.at_work() is not None:
            return state
    words = f"its usage limit is over (it was to reset: {limit.said})"
    return state._replace(state=State.IDLE, evidence=words, rule=OVER, reset=None)
