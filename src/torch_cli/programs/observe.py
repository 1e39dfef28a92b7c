"""A look at a pane: what it shows, what its program last reported, and the resulting state."""

import time
from typing import NamedTuple

from torch_cli.procs import Process, alive
from torch_cli.programs.classify import classify
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AgentState, State
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
    state = classify(screen, profile, event)
    if may_hide_work(state):
        state = weighed(state, turn_of(profile, program or pane.pid, event, screen.wrote))
    state = weigh_trouble(state, event)
    if state.state is State.LIMITED:  # seldom, and its patterns cost each message 2 ms
        from torch_cli.programs.limit import unless_over

        agent = store.agents.in_pane(pane.server, pane.id, pane.pid)
        state = unless_over(store, agent, profile, state)
    state = at_home(state, profile, program or pane.pid)
    if state.state is State.WORKING and profile.answer.transcript == "gemini":
        from torch_cli.programs.attempts import with_attempt  # costs other programs' messages 1 ms

        state = with_attempt(state, profile, program or pane.pid, time.time())
    if state.state is State.IDLE and profile.answer.transcript in ("opencode", "kilo"):
        from torch_cli.programs.failed import with_failure  # as above

        state = with_failure(state, profile, program or pane.pid, event, screen.text)
    if program is not None:
        state = or_exited(state, program)
    return Sight(screen, state, reported_at(profile, report))


def or_exited(state: AgentState, program: Process) -> AgentState:
    """Return ``state``, or ``exited`` if the registered ``program`` has ended."""
    if state.state is State.DEAD or alive(program):
        return state
    return AgentState(State.EXITED, f"process {program.pid} has ended", "process")
