"""The working agreement of a team: rules that are data, and each breach with its evidence."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch_cli.duration import words
from torch_cli.errors import TorchError
from torch_cli.git.filters import guarded
from torch_cli.git.worktree import locate
from torch_cli.roster.edges import forbidden
from torch_cli.roster.membership import team_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import Message
from torch_cli.store.tasks import TASK_HELD, Task, TaskState
from torch_cli.store.teams import MemberKind
from torch_cli.tasks.life import CHECK_FAILED
from torch_cli.teamfile.described import Agreement, Team

CHECKED_SECONDS = 86_400.0
"""Messages of the last so many seconds are checked."""


class Breach(NamedTuple):
    """A rule that an agent has broken: the agent, a sentence, and the evidence."""

    rule: str
    agent: str
    words: str
    evidence: Mapping[str, Any]


class _Facts(NamedTuple):
    """What the rules look at: the living agents of the team, by name, and their messages.

    ``names`` has these names by identity. The messages carry the present names.
    """

    store: Store
    rules: Agreement
    agents: Mapping[str, Agent]
    names: Mapping[str, str]
    messages: Sequence[Message]
    now: float


def check(store: Store, team: Team, now: float) -> list[Breach]:
    """Return every breach of the team's agreement at ``now`` (epoch seconds), rule by rule.

    Only rules in the file are checked, and only agents that are up.
    """
    listed = {member.name for member in team.members if member.kind == MemberKind.AGENT}
    agents = {
        one.name: one
        for one in store.agents.all()
        if one.name in listed or team_of(store, one) == team.path
    }
    names = {one.identity: one.name for one in agents.values()}
    said = [
        one._replace(sender=names[one.author], recipient=names[one.agent])
        for one in store.messages.since(now - CHECKED_SECONDS)
        if one.author in names and one.agent in names and not one.free
    ]
    facts = _Facts(store, team.agreement, agents, names, said, now)
    return [breach for rule in _RULES for breach in rule(facts)]


def _edges(facts: _Facts) -> Iterator[Breach]:
    """Check who may write to whom, by role or name, with ``parent`` and ``*``."""
    may = facts.rules.may_message
    for message in facts.messages:
        sender, recipient = facts.agents[message.sender], facts.agents[message.recipient]
        allowed = None
        if not message.permitted:  # when it was sent
            allowed = forbidden(facts.store, sender, recipient, may, message.reply_to)
        if allowed is not None:
            said = (
                f"wrote to {recipient.name}, but may write only to {', '.join(allowed) or 'nobody'}"
            )
            yield Breach("may_message", sender.name, said, {"message": message.id})


def _acknowledged(facts: _Facts) -> Iterator[Breach]:
    limit = facts.rules.ack_within
    briefed = facts.store.briefings.newest()
    for agent in facts.agents.values() if limit else ():
        last = briefed.get(agent.identity)
        waits = facts.now - last.sent if last and last.acknowledged is None else 0.0
        if last and waits > limit:
            said = f"has not acknowledged its briefing for {words(waits)}"
            yield Breach("ack_within", agent.name, said, {"message": last.message})


def _blocked(facts: _Facts) -> Iterator[Breach]:
    limit = facts.rules.blocked_at_most
    for task in _tasks(facts) if limit else ():
        since = facts.now - task.changed
        if task.state == TaskState.BLOCKED and since > limit and not _escalated(facts, task):
            said = f"has had {task.id} blocked for {words(since)}, and told nobody: {task.reason}"
            yield Breach("blocked_at_most", facts.names[task.agent], said, {"task": task.id})


def _escalated(facts: _Facts, task: Task) -> bool:
    return any(
        one.kind == "escalation" and one.author == task.agent and one.created >= task.changed
        for one in facts.messages
    )


def _tasks(facts: _Facts) -> list[Task]:
    every = facts.store.tasks.all()
    return [task for task in every if task.state in TASK_HELD and task.agent in facts.names]


def _exchanges(facts: _Facts) -> Iterator[Breach]:
    """Count the messages between two agents in one thread."""
    limit = facts.rules.exchanges_at_most
    if not limit:
        return
    by_id = {one.id: one for one in facts.messages}
    threads: dict[str, list[Message]] = {}
    for message in facts.messages:
        first = message
        while first.reply_to in by_id:
            first = by_id[first.reply_to]
        threads.setdefault(first.id, []).append(message)
    for said in threads.values():
        replies = [one for one in said if one.reply_to]
        told = any(one.kind == "escalation" for one in said)
        if len(replies) > limit and not told:
            first = said[0]
            line = f"and {first.recipient} have answered each other {len(replies)} times"
            evidence = {"messages": [one.id for one in said], "other": first.recipient}
            yield Breach("exchanges_at_most", first.sender, line, evidence)


def _uncommitted(facts: _Facts) -> Iterator[Breach]:
    """Look for the oldest change in each agent's worktree that is in no commit."""
    limit = facts.rules.uncommitted_at_most
    if not limit:
        return
    seen: set[str] = set()
    # If several agents share a worktree, it counts for the one that has been there longest.
    for since, name in sorted((_came(facts, one), one.name) for one in facts.agents.values()):
        try:
            worktree = locate(facts.agents[name].directory)
        except TorchError:  # for example not a repository: nothing can be committed
            continue
        if worktree.top in seen:
            continue
        seen.add(worktree.top)
        listed = guarded(worktree).run("ls-files", "-z", "-m", "-o", "--exclude-standard")
        paths = [path for path in os.fsdecode(listed).split("\0") if path]
        times = [(_changed_at(worktree.top, path), path) for path in paths]
        found = [(at, path) for at, path in times if at is not None]
        if not found:
            continue
        at, path = min(found)
        age = facts.now - max(at, since)  # older changes count from the time when it came
        if age > limit:
            said = f"has not committed {path} for {words(age)}"
            evidence = {"dir": worktree.top, "path": path}
            yield Breach("uncommitted_at_most", name, said, evidence)


def _came(facts: _Facts, agent: Agent) -> float:
    """Return since when the agent exists (epoch seconds). Restarts do not count."""
    member = facts.store.teams.member_of(agent.identity)
    return min(agent.created, member.started) if member else agent.created


def _changed_at(top: str, path: str) -> float | None:
    try:
        return os.lstat(os.path.join(top, path)).st_mtime
    except OSError:
        return None


def _research(facts: _Facts) -> Iterator[Breach]:
    """Check that an agent asks a question about a task that it repeatedly took or failed."""
    limit = facts.rules.research_after
    for task in _tasks(facts) if limit else ():
        asked = any(
            one.kind == "question" and one.author == task.agent and one.created >= task.created
            for one in facts.messages
        )
        history = facts.store.tasks.history(task.id)
        failed = [entry for entry in history if entry.verb == CHECK_FAILED]
        tries = task.attempts + sum(entry.actor == entry.holder for entry in failed)
        if tries >= limit and not asked:
            said = f"tries {task.id} for the {_nth(tries)} time, and has asked nobody"
            yield Breach("research_after", facts.names[task.agent], said, {"task": task.id})


def _nth(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"


def _topics(facts: _Facts) -> Iterator[Breach]:
    """Check that a message names at most one task."""
    for message in facts.messages if facts.rules.one_topic else ():
        named = sorted({w for w in _words_of(message.body) if w.startswith("t-") and len(w) == 10})
        if len(named) > 1:
            said = f"wrote one message about {' and '.join(named)}"
            yield Breach("one_topic", message.sender, said, {"message": message.id})


def _words_of(text: str) -> list[str]:
    return "".join(char if char.isalnum() or char == "-" else " " for char in text).split()


_RULES: tuple[Callable[[_Facts], Iterator[Breach]], ...] = (
    *(_edges, _acknowledged, _blocked, _exchanges, _uncommitted, _research, _topics),
)
