"""An agent acknowledges its briefing, and its parent is told that the agent is there."""

import contextlib
from typing import NamedTuple

from torch_cli.delivery.kinds import compose
from torch_cli.delivery.receipt import Receipt
from torch_cli.delivery.send import Request, send
from torch_cli.errors import NotFoundError, RefusedError, TorchError
from torch_cli.git.worktree import locate
from torch_cli.roster.actor import actor
from torch_cli.roster.membership import superior
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.briefings import Briefed
from torch_cli.tasks.life import skills_of
from torch_cli.tmux.socket import Socket

INTRODUCTION_SECONDS = 3.0
"""Seconds that the parent may take for the message. After that it waits in the outbox."""


class Acknowledged(NamedTuple):
    """The agent, and the briefing that it acknowledges."""

    agent: Agent
    briefed: Briefed


def acknowledge(store: Store, words: str) -> Acknowledged:
    """Acknowledge the last briefing of the agent in whose pane this process runs.

    Raises ``RefusedError`` if it runs in none, ``NotFoundError`` if that agent was not briefed.
    """
    agent = actor(store).agent
    if agent is None:
        raise RefusedError(
            "only an agent can acknowledge its briefing, in its own pane; nothing was saved",
            code="no-agent",
        )
    briefed = store.briefings.acknowledge(agent.identity, words)
    if briefed is None:
        raise NotFoundError(f"agent '{agent.name}' has no briefing", code="no-briefing")
    store.events.add("acknowledge", agent.name, {"message": briefed.message}, actor=agent.name)
    return Acknowledged(agent, briefed)


def introduce(store: Store, done: Acknowledged) -> Receipt | None:
    """Tell the agent's parent, once in the agent's life, that the agent is there.

    Returns the receipt, ``None`` if it has no living parent or the parent was told before. Raises
    as ``send`` does.
    """
    agent = done.agent
    key = f"introduction:{agent.identity}:{agent.created:.3f}"
    parent = superior(store, agent)
    if parent is None or store.messages.with_key(key) is not None:
        return None
    role = f" ({agent.role})" if agent.role else ""
    skills = skills_of(store, agent)
    facts = [f"{agent.name}{role} is here, in {agent.directory}", *_branch(agent)]
    facts += [f"skills: {', '.join(skills)}"] if skills else []
    body = compose("ack", {"of": f"the briefing {done.briefed.name}", "words": "; ".join(facts)})
    request = Request(
        target=parent.name,
        body=body.encode(),
        timeout=INTRODUCTION_SECONDS,
        clean=True,
        key=key,
        sender=agent.name,
        kind="ack",
        free=True,
    )
    return send(Socket(path=parent.socket), request)


def _branch(agent: Agent) -> list[str]:
    with contextlib.suppress(TorchError):  # for example, it is not in a repository
        branch = locate(agent.directory).git().text("branch", "--show-current")
        return [f"branch {branch}"] if branch else []
    return []
