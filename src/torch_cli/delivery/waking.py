"""Waking a hibernated agent for a message, by ``torch wake`` in a process of its own.

So it goes on if the sender ends meanwhile. Where several do this, one starts the program, and the
others find it started.
"""

import time

from torch_cli.errors import TorchError
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import Message
from torch_cli.tmux.socket import Socket

ASLEEP = "hibernated"
"""How the reason begins of a message that waits for its agent to be woken."""

STARTS_SECONDS = 30.0
"""Seconds in which the command has come so far that its program starts, on a loaded machine."""


AGAIN_SECONDS = 30.0
"""After an agent could not be woken, until that is tried again."""


_FAILED: dict[str, tuple[float, str]] = {}
"""Which agents this process could not wake: until when that holds (monotonic), and why."""


def sleeper(store: Store, socket: Socket, target: str) -> Agent | None:
    """Return the agent named ``target`` if it is hibernated and a message may wake it.

    It may not if it is frozen, or somebody may have closed its window.

    Raises ``TorchError`` if it is asleep, and tmux does not answer.
    """
    agent = store.agents.get(target)
    if agent is not None and socket.demanded and not socket.leads_to(agent.socket):
        return None
    return _asleep(store, agent)


def sleeper_for(store: Store, message: Message) -> Agent | None:
    """Return the recipient of ``message`` if it is such an agent; raises as ``sleeper`` does."""
    return _asleep(store, store.agents.known_as(message.agent) if message.agent else None)


def _asleep(store: Store, agent: Agent | None) -> Agent | None:
    if agent is None or agent.hibernated is None or agent.frozen is not None:
        return None
    from torch_cli.watch.asleep import Rest, rest_of  # a message needs it seldom

    return agent if rest_of(store, agent) is Rest.ASLEEP else None


def wake(agent: Agent, seconds: float | None = None) -> str:
    """Wake ``agent``; return why it is not ready, '' if it is.

    Waits for at most ``seconds``, by default as long as its program may take to be ready. After
    that the start goes on. What has failed is not tried again before ``AGAIN_SECONDS``.
    """
    until, why = _FAILED.get(agent.identity, (0.0, ""))
    if time.monotonic() < until:
        return why
    why, over = _wake(agent, seconds)
    if why and over:
        _FAILED[agent.identity] = (time.monotonic() + AGAIN_SECONDS, why)
    return why


def _wake(agent: Agent, seconds: float | None) -> tuple[str, bool]:
    """Return why ``agent`` is not ready, '' if it is, and whether the attempt is over."""
    from torch_cli.background import Background  # a message needs it seldom

    try:
        limit = profile_named(agent.profile).launch.ready_timeout + STARTS_SECONDS
        command = Background(["wake", agent.name], environment={})
    except (TorchError, OSError) as error:
        return f"{ASLEEP}: it could not be woken: {error}", True
    command.wait(limit if seconds is None else min(limit, seconds))
    if not command.ended:
        return f"{ASLEEP}: it is being woken", False
    return f"{ASLEEP}: {command.failure}" if command.failure else "", True
