"""A look at a pane: what it shows, what its program last reported, and the resulting state.

``weigh`` is the one place where what a screen says is weighed against all other sources: for one
look here, and for the sweeps over many agents.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from torch_cli.procs import Process, alive
from torch_cli.programs.classify import classify
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AgentState, HookEvent, State
from torch_cli.programs.trouble import weigh_trouble
from torch_cli.programs.turn import (
    at_home,
    event_of,
    may_hide_work,
    reported_at,
    turn_of,
    weighed,
)
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, capture_one
from torch_cli.tmux.screen import Screen


class Sight(NamedTuple):
    """What one look found: the screen, and the state it was classified as.

    ``reported`` is when the program's hooks last said something of it (epoch seconds), 0 if the
    latest report does not.
    """

    screen: Screen
    state: AgentState
    reported: float = 0.0


def observe(
    client: ControlClient,
    store: Store,
    pane: Pane,
    profile: Profile,
    *,
    since: float = 0.0,
    program: Process | None = None,
) -> Sight:
    """Look at ``pane`` once.

    If the screen shows no work, the program's own report on its turn decides. Hook reports before
    ``since`` (epoch seconds) do not count. If a registered ``program`` has ended, the agent is
    ``exited``, whatever the pane shows now. Raises ``NotFoundError`` if the pane is gone or runs
    another process.
    """
    screen = capture_one(client, pane)
    report = store.hooks.latest(pane.server, pane.id, since=since, besides=profile.hooks.aside)
    event = event_of(store, profile, report, pane.server, pane.id, since)
    state = weigh(
        classify(screen, profile, event),
        Sources(program or pane.pid, event, screen.wrote, screen.text),
        store,
        profile,
        lambda: store.agents.in_pane(pane.server, pane.id, pane.pid),
    )
    if program is not None:
        state = or_exited(state, program)
    return Sight(screen, state, reported_at(profile, report))


class Sources(NamedTuple):
    """What says something of a state beside the rules of its screen.

    ``process`` is the program's, ``event`` its latest report, ``wrote`` is when its window last
    wrote (epoch seconds, 0 if that is not known), and ``shown`` is its screen, with colours or
    without.
    """

    process: Process | int
    event: HookEvent | None
    wrote: float
    shown: str


def weigh(
    state: AgentState,
    sources: Sources,
    store: Store,
    profile: Profile,
    agent: Callable[[], Agent | None],
) -> AgentState:
    """Return ``state``, which a screen shows, as all ``sources`` together make it.

    ``agent`` returns who is there; it is called if that matters.
    """
    process, event = sources.process, sources.event
    if may_hide_work(state):
        state = weighed(state, turn_of(profile, process, event, sources.wrote))
    state = weigh_trouble(state, event)
    if state.state is State.LIMITED:  # seldom, and its patterns cost each message 2 ms
        from torch_cli.programs.limit import unless_over

        state = unless_over(store, agent(), profile, state)
    state = at_home(state, profile, process)
    told = event is not None and event.attempt is not None
    if state.state is State.WORKING and (told or profile.answer.transcript == "gemini"):
        from torch_cli.programs.attempts import with_attempt  # costs other programs' messages 1 ms

        state = with_attempt(state, profile, process, event, time.time())
    if state.state is State.IDLE and profile.answer.transcript in ("opencode", "kilo"):
        from torch_cli.programs.failed import with_failure  # as above

        state = with_failure(state, profile, process, event, sources.shown)
    return state


def or_exited(state: AgentState, program: Process) -> AgentState:
    """Return ``state``, or ``exited`` if the registered ``program`` has ended."""
    if state.state is State.DEAD or alive(program):
        return state
    return AgentState(State.EXITED, f"process {program.pid} has ended", "process")
