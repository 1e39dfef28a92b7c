"""What an agent is told whose program was restarted."""

from torch_cli.delivery.ending import NOTHING_TYPED
from torch_cli.delivery.post import SENDER, word_to
from torch_cli.lifecycle.survivors import Survivor, in_words
from torch_cli.roster.actor import actor
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import Message
from torch_cli.store.tasks import TASK_HELD

OVERTAKEN = f"its program was restarted again{NOTHING_TYPED}"
"""Why the notice of a restart left the outbox."""

_KEY = "restart:"
"""How the keys of notices begin; the agent's identity and the moment of its start follow."""


def restart_notice(
    store: Store, agent: Agent, why: str, left: tuple[Survivor, ...] = ()
) -> Message:
    """Return the message that tells a restarted agent why, for its outbox.

    ``left`` is what its program before has left running.
    """
    same = (
        "This is the same conversation as before."
        if agent.conversation
        else "This is a new conversation: you do not remember the one before."
    )
    cut_off = "What was running then was cut off."
    if left:
        cut_off = f"Commands of yours from before still run, unseen by you: {in_words(left)}."
    text = (
        f"Your program was restarted: {why}. {same} {cut_off} Look at what is done before you "
        "continue, and do nothing twice."
    )
    own = [one for one in store.tasks.all() if one.agent == agent.identity]
    held = [f"- {one.id} {one.title}" for one in own if one.state in TASK_HELD]
    text += "\n\nYour open tasks:\n" + "\n".join(held) if held else ""
    key = f"{_KEY}{agent.identity}:{agent.created:.3f}"
    return word_to(agent, text, key, urgent=True)


def take_out_earlier(store: Store, agent: Agent) -> None:
    """Take the notices of earlier restarts of ``agent`` out of the outbox that were not typed.

    Its program ended before it was told, and what they say of its conversation may be wrong by now.
    """
    for message in store.messages.untyped(f"{_KEY}{agent.identity}:"):
        if message.sender == SENDER and not message.author:
            store.messages.withdraw(message.id, OVERTAKEN, told=True)


def asked_by(store: Store) -> str:
    """Return who calls, as the reason of a restart."""
    own = actor(store).agent
    return f"agent '{own.name}' asked for it" if own else "a person asked for it"
