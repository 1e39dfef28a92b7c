"""Waiting until a pane is in a state, woken by what it writes."""

import time
from collections.abc import Callable, Collection

from torch_cli.errors import NotFoundError, RefusedError, TimedOutError, TurnFailedError
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AT_WORK, ENDED, AgentState, State
from torch_cli.programs.trouble import trouble_object
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

_NOTHING = Screen((), 0, 0)


def wait_until(
    store: Store,
    socket: Socket,
    target: str,
    words: Collection[str],
    seconds: float,
    on_wait: Callable[[str], None] = lambda step: None,
) -> StateOf:
    """Wait until ``target`` is in one of the states in ``words``; return that state.

    Raises ``RefusedError`` for an unknown state, and what ``wait_for`` raises.
    """
    strange = [word for word in words if word not in set(State)]
    if strange or not words:
        from torch_cli.programs.reader import nearest  # for an error only

        near = nearest(strange[0], [state.value for state in State]) if strange else ""
        hint = f"{near} States: {', '.join(State)}.".lstrip()
        if {"vanished", "gone"} & set(strange):
            hint += " An agent whose pane is gone is 'dead'."
        said = f"unknown state '{', '.join(strange)}'" if strange else "no state was named"
        raise RefusedError(said, hint=hint, code="usage")
    wanted = [State(word) for word in words]
    try:
        found = find(store, socket, target)
    except NotFoundError as missing:
        ended = _ended(wanted)
        gone = state_of_gone(store, target, missing, ended) if ended else None
        if gone is None:
            raise
        return gone
    with ControlClient(found.socket, found.pane.session_id) as client:
        profile = profile_of(client, store, found)
        sight = wait_for(client, store, found, profile, wanted, seconds, on_wait)
    return remember(store, found, sight)


def wait_for(
    client: ControlClient,
    store: Store,
    found: Found,
    profile: Profile,
    wanted: Collection[State],
    seconds: float,
    on_wait: Callable[[str], None] = lambda step: None,
) -> Sight:
    """Return the first sight of the pane in one of the ``wanted`` states.

    An agent that tries again, or makes no progress, is ``working``, too. ``on_wait`` is told each
    time in which other state it is, and may raise. A pane that is gone counts as ``dead`` or
    ``exited``, whichever is wanted. If neither is wanted, raises ``NotFoundError``, and also for a
    program that has ended, unless it may be about to be ``hibernated``. Raises
    ``TurnFailedError`` if it is to be ``idle`` and its last turn ended with an error, and
    ``TimedOutError``, with the present state, after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while True:
        heard = client.output.get(found.pane.id, 0)
        try:
            sight = observe(
                client, store, found.pane, profile, since=found.started, program=found.program
            )
        except NotFoundError as missing:
            gone = f"pane {found.pane.id} is gone"
            ended = _ended(wanted)
            if ended is None:
                raise NotFoundError(f"'{found.name}': {gone}", code="vanished") from missing
            return Sight(_NOTHING, AgentState(ended, gone, "gone"))
        said = with_report(store, found.pane, sight.state, sight.screen.said)
        sight = sight._replace(state=said)
        if found.agent is not None:
            sight = sight._replace(state=_known(store, found.agent, sight.state))
        if sight.state.state is State.HIBERNATED and State.IDLE in wanted:
            return sight
        if sight.state.shown in wanted or _goes_on(sight.state, wanted):
            return sight
        if sight.state.state in ENDED and not {*ENDED, State.HIBERNATED} & set(wanted):
            raise _has_ended(found, sight.state)
        if sight.state.shown is State.ERROR and State.IDLE in wanted:
            raise _ended_with_error(found, sight.state)
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimedOutError(
                f"'{found.name}' was not {' or '.join(sorted(wanted))} within {seconds:g} s: it is "
                f"{sight.state.shown} ({sight.state.evidence})"
            )
        on_wait(f"waiting for {found.name}: it is {sight.state.shown}")
        client.wait_output(found.pane.id, heard, min(left, SILENT_SECONDS))


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
