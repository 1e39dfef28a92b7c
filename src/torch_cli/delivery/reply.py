"""Answers to messages: who gets them, and which messages belong to one conversation."""

from torch_cli.delivery.outbox import find_message
from torch_cli.delivery.send import Request
from torch_cli.errors import RefusedError
from torch_cli.roster.actor import own_name
from torch_cli.store import Store
from torch_cli.store.messages import Message


def reply_to(store: Store, identity: str, request: Request) -> Request:
    """Return ``request`` as an answer to the message ``identity``, to the agent that sent it.

    If the caller sent the message itself, the answer goes to its recipient. Raises
    ``NotFoundError`` if there is no such message, ``RefusedError`` if a person sent it.
    """
    message = find_message(store, identity)
    if not message.sender:
        raise RefusedError(
            f"message {identity} is from a person, who has no pane for an answer",
            hint="To answer a person, print the answer in your own pane.",
            code="no-sender",
        )
    own = message.sender == own_name(store)
    target = message.recipient if own else message.sender
    return request._replace(target=target, reply_to=identity)


def thread(store: Store, identity: str) -> list[Message]:
    """Return the whole conversation that the message ``identity`` belongs to, oldest first."""
    return store.messages.thread(find_message(store, identity).id)
