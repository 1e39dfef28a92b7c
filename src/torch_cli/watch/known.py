"""What the history of states knows of an agent that one look cannot tell."""

from torch_cli.programs.state import AgentState, State, Trouble
from torch_cli.store import Store


def as_known(store: Store, identity: str, state: AgentState) -> AgentState:
    """Return ``state``, seen now of the agent of that identity, as ``stalled`` if a scheduler has
    found it to make no progress, and is at work.
    """
    if state.shown is not State.WORKING:
        return state
    last = store.events.last_state(identity)
    if last is None or last.detail.get("state") != State.STALLED or store.lease.at_work() is None:
        return state
    words = str(last.detail.get("evidence", ""))
    return state._replace(trouble=Trouble(State.STALLED, words, source="history"), evidence=words)
