"""Waiting until a pane is in a state, woken by what it writes."""

import contextlib
import select
import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from torch_cli.errors import NotFoundError, RefusedError, TimedOutError, TurnFailedError
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AT_WORK, ENDED, AgentState, State
from torch_cli.programs.trouble import trouble_object
from torch_cli.roster.asleep import is_without_program
from torch_cli.roster.registry import Found, find
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.screen import Screen
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import unless_asleep
from torch_cli.watch.known import as_known
from torch_cli.watch.reported import with_report
from torch_cli.watch.state import StateOf, profile_of, remember, state_of_gone

SILENT_SECONDS = 1.0
"""Seconds after which a silent pane is looked at again, because hooks and exits write nothing."""

ABSENT_SECONDS = 0.2
"""Seconds after which a hibernated agent without its pane is looked for again."""

_NOTHING = Screen((), 0, 0)


class Wait(NamedTuple):
    """What is waited for: one of the states ``wanted``, until ``deadline`` (monotonic clock).

    ``seconds`` are those that the caller has given. ``on_wait`` is told each time in which other
    state it is, and may raise.
    """

    wanted: Collection[State]
    seconds: float
    deadline: float
    on_wait: Callable[[str], None]

    def check_left(self, name: str, state: AgentState) -> float:
        """Return how many seconds are left for ``name``, which is in ``state``, and say that.

        Raises ``TimedOutError`` if none are.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimedOutError(
                f"'{name}' was not {' or '.join(sorted(self.wanted))} within {self.seconds:g} s: "
                f"it is {state.shown} ({state.evidence})"
            )
        self.on_wait(f"waiting for {name}: it is {state.shown}")
        return left


class _StartedAgainError(Exception):
    """The agent has another program by now, perhaps in another pane."""


def wait_until(
    store: Store,
    socket: Socket,
    target: str,
    words: Collection[str],
    seconds: float,
    on_wait: Callable[[str], None] = lambda step: None,
) -> StateOf:
    """Wait until ``target`` is in one of the states in ``words``; return that state.

    An agent that is woken or restarted meanwhile is waited for where it is then. One that tries
    again, or makes no progress, is ``working``, too. A pane that is gone counts as ``dead`` or
    ``exited``, whichever is wanted. Raises ``RefusedError`` for an unknown state. If neither is
    wanted, raises ``NotFoundError``, and also for a program that has ended, unless it may be about
    to be ``hibernated``. Raises ``TurnFailedError`` if it is to be ``idle`` and its last turn ended
    with an error, and ``TimedOutError``, with the present state, after ``seconds``.
    """
    wait = Wait(_states(words), seconds, time.monotonic() + seconds, on_wait)
    while True:
        try:
            found = find(store, socket, target)
        except NotFoundError as missing:
            gone = _without_pane(store, target, missing, wait)
            if gone is not None:
                return gone
            continue
        with (
            contextlib.suppress(_StartedAgainError),
            ControlClient(found.socket, found.pane.session_id) as client,
        ):
            sight = _wait_for(client, store, found, profile_of(client, store, found), wait)
            return remember(store, found, sight)


def _states(words: Collection[str]) -> list[State]:
    strange = [word for word in words if word not in set(State)]
    if strange or not words:
        from torch_cli.programs.reader import nearest  # for an error only

        near = nearest(strange[0], [state.value for state in State]) if strange else ""
        hint = f"{near} States: {', '.join(State)}.".lstrip()
        if {"vanished", "gone"} & set(strange):
            hint += " An agent whose pane is gone is 'dead'."
        said = f"unknown state '{', '.join(strange)}'" if strange else "no state was named"
        raise RefusedError(said, hint=hint, code="usage")
    return [State(word) for word in words]


def _without_pane(store: Store, target: str, missing: NotFoundError, wait: Wait) -> StateOf | None:
    """Return the state of an agent without its pane if it is wanted; else wait for a moment.

    Raises ``missing`` if it has ended otherwise, or no agent is meant. One that is hibernated may
    be woken.
    """
    gone = state_of_gone(store, missing, _ended(wait.wanted) or State.DEAD)
    if gone is None or gone.error is not None:
        raise missing
    if gone.state.state is State.HIBERNATED:
        if {State.IDLE, State.HIBERNATED} & set(wait.wanted):
            return gone
    elif gone.state.state in wait.wanted:
        return gone
    else:
        raise missing
    select.select([], [], [], min(wait.check_left(target, gone.state), ABSENT_SECONDS))
    return None


def _wait_for(
    client: ControlClient, store: Store, found: Found, profile: Profile, wait: Wait
) -> Sight:
    """Return the first sight of the pane in one of the wanted states, as ``wait_until`` says.

    Raises ``_StartedAgainError`` if its agent has another program by now.
    """
    wanted = wait.wanted
    while True:
        heard = client.output.get(found.pane.id, 0)
        try:
            sight = observe(
                client, store, found.pane, profile, since=found.started, program=found.program
            )
        except NotFoundError as missing:
            _check_same(store, found, or_asleep=True)
            gone = f"pane {found.pane.id} is gone"
            ended = _ended(wanted)
            if ended is None:
                raise NotFoundError(f"'{found.name}': {gone}", code="vanished") from missing
            return Sight(_NOTHING, AgentState(ended, gone, "gone"))
        said = with_report(store, found.pane, sight.state, sight.screen.said)
        sight = sight._replace(state=said)
        if found.agent is not None:
            sight = sight._replace(state=_known(store, found.agent, sight.state))
        if sight.state.state in ENDED:
            _check_same(store, found)
        if sight.state.state is State.HIBERNATED and State.IDLE in wanted:
            return sight
        if sight.state.shown in wanted or _goes_on(sight.state, wanted):
            return sight
        if sight.state.state in ENDED and not {*ENDED, State.HIBERNATED} & set(wanted):
            raise _has_ended(found, sight.state)
        if sight.state.shown is State.ERROR and State.IDLE in wanted:
            raise _ended_with_error(found, sight.state)
        left = wait.check_left(found.name, sight.state)
        client.wait_output(found.pane.id, heard, min(left, SILENT_SECONDS))


def _check_same(store: Store, found: Found, *, or_asleep: bool = False) -> None:
    """Raise ``_StartedAgainError`` if the agent was started again since it was found.

    ``or_asleep``: also if it is hibernated, because somebody may be starting it just now.
    """
    if found.agent is None:
        return
    now = store.agents.known_as(found.agent.identity)
    if now is None or now.stopped is not None:
        return
    if now.at != found.agent.at or (or_asleep and is_without_program(now)):
        raise _StartedAgainError


def _known(store: Store, agent: Agent, state: AgentState) -> AgentState:
    """Return ``state`` with what the store knows of ``agent``, also since its row was read."""
    known = as_known(store, agent.identity, state)
    now = store.agents.known_as(agent.identity) if known.state in ENDED else None
    return unless_asleep(now or agent, known)


def _ended(wanted: Collection[State]) -> State | None:
    """Return as which of the ``wanted`` states a pane that is gone counts."""
    return next((state for state in (State.DEAD, State.EXITED) if state in wanted), None)


def _has_ended(found: Found, state: AgentState) -> NotFoundError:
    again = found.agent is not None and found.agent.origin == "spawned"
    return NotFoundError(
        f"'{found.name}' is {state.state} ({state.evidence}); it was not waited for",
        hint=f"'torch restart {found.name}' starts it again." if again else "",
        code=str(state.state),
    )


def _goes_on(state: AgentState, wanted: Collection[State]) -> bool:
    return state.shown in AT_WORK and State.WORKING in wanted


def _ended_with_error(found: Found, state: AgentState) -> TurnFailedError:
    trouble = state.trouble
    assert trouble is not None
    return TurnFailedError(
        f"'{found.name}' is idle, and its last turn ended with an error: {trouble.words}",
        hint=f"Its message arrived. To have it go on: torch send {found.name} 'Please continue.'",
        details={"error": trouble_object(trouble)},
    )
