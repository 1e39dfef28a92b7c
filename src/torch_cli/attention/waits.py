"""How long an agent has waited for one answer, and the words about that in its parent's outbox."""

from torch_cli.delivery.ending import NOTHING_TYPED
from torch_cli.delivery.post import SENDER
from torch_cli.programs.state import State
from torch_cli.store import Store
from torch_cli.store.events import Event

DEALT_WITH = f"it was dealt with before{NOTHING_TYPED}"
"""Why words about a wait left the outbox."""

WAIT_KEY = "waits:"
"""How the keys of words about a wait begin; the agent and the parent follow, by their identities,
and the event with which the wait began."""

WAIT_CHANGES_READ = 20
"""Changes of state that are read to find how a wait began."""


def take_out(store: Store) -> None:
    """Take the words about waits that are over out of the outbox, unless they are being typed."""
    for message in store.messages.untyped(WAIT_KEY):
        if message.sender != SENDER or message.author:
            continue  # a person has chosen that key
        _, agent, _, began = (message.key or "").split(":")
        wait = wait_of(store, agent)
        if wait is None or str(wait.id) != began:
            store.messages.withdraw(message.id, DEALT_WITH, told=True)


def wait_of(store: Store, agent: str) -> Event | None:
    """Return the event with which the agent of that identity began to wait for the answer that it
    waits for now; ``None`` if it waits for none, or was stopped.

    A look that could not tell, between two that saw the same question, ends no wait. An answer
    does, also if the same is asked again so soon that no look saw anything else.
    """
    known = store.agents.known_as(agent)
    if known is None or known.stopped is not None:
        return None
    began: Event | None = None
    for event in store.events.last_states(agent, WAIT_CHANGES_READ):
        state = event.detail.get("state")
        if state == State.UNKNOWN and began is not None:
            continue
        if state != State.WAITING or (began is not None and _asked(event) != _asked(began)):
            break
        began = event
    if began is None:
        return None
    answers = store.events.read(
        after=began.id, name=known.name, agent=agent, verbs=["answer"], newest=True, limit=1
    )
    return answers[0]._replace(detail=began.detail | {"since": answers[0].at}) if answers else began


def _asked(event: Event) -> object:
    return event.detail.get("asked")
