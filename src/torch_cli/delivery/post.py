"""Notices from Torch itself to an agent. They go into its outbox; this module types nothing."""

from torch_cli.delivery.text import prepare
from torch_cli.roster.registry import profile_named
from torch_cli.store.agents import Agent
from torch_cli.store.messages import NOTICE, PRIORITIES, Message, new_id, new_message

SENDER = "torch"


def word_to(
    to: Agent, body: str, key: str | None, *, kind: str = NOTICE, urgent: bool = False
) -> Message:
    """Return a message from Torch to an agent, ready to be typed, for the outbox.

    Messages with the same ``key`` are delivered once. Raises ``NotFoundError`` if the agent's
    profile is gone, ``RefusedError`` for a text that its program cannot take.
    """
    identity = new_id()
    headed = f"[from {SENDER} · {kind} · {identity}]\n{body}"
    prepared = prepare(headed, profile_named(to.profile), clean=True)
    return new_message(
        identity,
        key=key,
        sender=SENDER,
        recipient=to.name,
        kind=kind,
        body=body,
        typed=prepared.typed,
        **to.at.columns,
        evidence=prepared.changes,
        agent=to.identity,
        kept=True,
        priority=PRIORITIES["high" if urgent else "normal"],
    )
