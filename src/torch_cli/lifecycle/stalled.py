"""Whether a stalled agent may be restarted now: only if that costs no more than its turn."""

from torch_cli.delivery.post import SENDER
from torch_cli.delivery.proof import QUEUED
from torch_cli.programs.state import AT_WORK, State
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import since_of
from torch_cli.tmux.socket import Socket
from torch_cli.watch.state import states_of

TURN_CHANGES_READ = 50
"""Changes of state that are read to find out when its turn began."""

MESSAGES_READ = 50
"""Messages that are read to find those that its program has queued."""


def objection(store: Store, agent: Agent) -> str:
    """Return why ``agent`` must not be restarted for a stall now, '' if it may be."""
    if agent.frozen is not None:
        return "it is frozen"
    (seen,) = states_of(store, Socket(path=agent.socket), [agent.name])
    state = seen.state
    if seen.error is not None or state.shown is not State.STALLED:
        return f"it is {state.shown} ({state.evidence})"
    if state.box is None or not state.box.empty:
        return "its input box holds a text, or is out of sight"
    queued = _queued(store, agent)
    return f"its program has queued what it would lose: {', '.join(queued)}" if queued else ""


def _queued(store: Store, agent: Agent) -> list[str]:
    """Return the messages of others that the program has queued in its present turn."""
    states = store.events.last_states(agent.identity, TURN_CHANGES_READ)
    rested = (since_of(one) for one in states if one.detail.get("state") not in AT_WORK)
    began = max(agent.created, next(rested, 0.0))
    latest = store.messages.latest(recipient=agent.name, agent=agent.identity, limit=MESSAGES_READ)
    return [
        one.id
        for one in latest
        if one.updated > began and one.reason == QUEUED and one.sender != SENDER
    ]
