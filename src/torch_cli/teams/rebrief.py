"""Briefing an agent again if it has lost its briefing: after a restart or a compacted context."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from torch_cli.delivery.post import word_to
from torch_cli.errors import NotFoundError, RefusedError, TorchError
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.briefings import Briefed
from torch_cli.store.tasks import TASK_HELD, Task
from torch_cli.tasks.text import outline
from torch_cli.teamfile import briefing
from torch_cli.teamfile.facts import facts_of

BRIEFING_GRACE_SECONDS = 60.0
"""Seconds after a restart before Torch briefs the agent, because 'torch up' and 'torch spawn
--brief' brief it themselves."""

FORGOTTEN = ("compact", "clear")
"""The sources of a session's start that mean a lost context. The hook SessionStart of Claude Code
2.1 has them, besides startup and resume."""


class Again(NamedTuple):
    """An agent to brief again: its last briefing, the reason, and the key of the message."""

    agent: Agent
    last: Briefed
    why: str
    key: str


def due(store: Store, now: float) -> Iterator[Again]:
    """Yield each agent that has lost its briefing since, at ``now`` (epoch seconds)."""
    briefed = store.briefings.newest()
    for agent in store.agents.all():
        last = briefed.get(agent.identity)
        if last is None or agent.ready is None:
            continue
        if report := _forgot(store, agent, max(last.sent, agent.created)):
            yield Again(agent, last, "your context was compacted", f"brief:{report}")
        elif agent.created > last.sent and now - agent.ready > BRIEFING_GRACE_SECONDS:
            if _was_woken(store, agent):
                continue  # it has its conversation, and the briefing in it
            key = f"brief:{agent.identity}:{agent.created:.3f}"
            yield Again(agent, last, "you were restarted", key)


def _was_woken(store: Store, agent: Agent) -> bool:
    """Return whether the present program of ``agent`` was started to wake it."""
    since, identity = agent.created, agent.identity
    return bool(store.events.read(agent=identity, verbs=["wake"], since=since, limit=1))


def _forgot(store: Store, agent: Agent, since: float) -> int:
    """Return the number of the newest report since then of a lost context, 0 if there is none."""
    try:
        events = profile_named(agent.profile).hooks.events
    except TorchError:
        return 0
    names = [name for name, said in events.items() if said in ("started", "compacted")]
    for report in reversed(store.hooks.named(agent.server, agent.pane, names, since)):
        said = events[report.name]
        if said == "compacted" or store.hooks.detail(report.id).get("source") in FORGOTTEN:
            return report.id
    return 0


def brief_again(store: Store, again: Again) -> str:
    """Put the briefing, with the agent's open tasks, into its outbox; return the message's id.

    The agent has to acknowledge it again. Raises ``TorchError`` if it cannot be sent.
    """
    agent, last = again.agent, again.last
    text = (
        f"This is your briefing again, because {again.why}.\n\n{_text(store, agent, last).rstrip()}"
    )
    text += with_tasks(store, agent)
    text += "" if "torch ack" in text else "\n\nWhen you have read this, run `torch ack`."
    message = word_to(agent, text, again.key, kind="briefing", urgent=True)
    with store.database.transaction():
        message = store.messages.insert(message)
        store.briefings.insert(message.id, agent.identity, last.name)
    detail = {"message": message.id, "briefing": last.name, "why": again.why}
    store.events.add("brief", agent.name, detail)
    return message.id


def with_tasks(store: Store, agent: Agent) -> str:
    """Return the agent's open tasks as the end of its briefing, '' if it has none."""
    own = [t for t in store.tasks.all() if t.agent == agent.identity and t.state in TASK_HELD]
    return "".join(["\n\nYour open tasks:\n", *map(_line, own)]) if own else ""


def _line(task: Task) -> str:
    return f"- {outline(task)}\n"


def _text(store: Store, agent: Agent, last: Briefed) -> str:
    """Return the present text of the briefing, or the old one if that cannot be read."""
    if last.name and last.name != "-" and "/" not in last.name:
        try:
            return briefing.render(last.name, facts_of(store, agent))
        except (NotFoundError, RefusedError):
            pass  # it was a file, or is gone
    try:
        return store.messages.get(store.briefings.first(last)).body
    except KeyError as error:
        raise NotFoundError(
            f"the briefing of '{agent.name}' is gone", code="no-briefing"
        ) from error


def brief_all_due(store: Store, now: float | None = None) -> Iterator[tuple[Again, str]]:
    """Brief again each agent that is due; yield it with the message's id, '' if sending failed."""
    for again in due(store, time.time() if now is None else now):
        try:
            yield again, brief_again(store, again)
        except TorchError:
            yield again, ""
