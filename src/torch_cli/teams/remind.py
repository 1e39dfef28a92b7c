"""Reminding agents of their breaches of the agreement: first the agents, then their parents."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from torch_cli.delivery.post import word_to
from torch_cli.duration import words as in_words
from torch_cli.errors import TorchError
from torch_cli.roster.membership import superior
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.reminders import Reminder
from torch_cli.teamfile.described import Team
from torch_cli.teams.agreement import CHECKED_SECONDS, Breach, check

MESSAGE_RULES = ("may_message", "one_topic")
"""The rules that a message breaks. Such a breach cannot be fixed, only not repeated."""

BREACH_ADVICE: Mapping[str, str] = {
    "may_message": "Do not do it again: write only to the agents you may write to.",
    "ack_within": "Run 'torch ack' when you have read your briefing.",
    "blocked_at_most": "Say what you need: torch send {parent} --kind escalation -",
    "exchanges_at_most": "Stop, and let another agent decide: torch send {parent} --kind "
    "escalation -",
    "uncommitted_at_most": "Commit what works: torch commit",
    "research_after": "Ask before you try again: torch send {parent} --kind question -",
    "one_topic": "Send one message for each task.",
}
"""The advice to an agent about a breach."""


class Reminded(NamedTuple):
    """A breach and who was told of it. ``told`` is the agent, its parent, or '' for people."""

    agent: Agent
    told: str
    words: str


def remind(store: Store, team: Team, now: float) -> Iterator[Reminded]:
    """Tell each breach of the agreement to the agent, and after ``parent_after`` to its parent.

    ``now`` is epoch seconds. A breach by a message is told to the parent when it is repeated.
    """
    known = {_key(one): one for one in store.reminders.of(team.path)}
    for breach in _grouped(check(store, team, now)):
        agent = store.agents.get(breach.agent)
        if agent is None:
            continue
        subject, seen = _subject(breach)
        fresh = Reminder(team.path, breach.rule, agent.identity, subject, seen, now)
        before = known.pop(_key(fresh), None)
        if before is None:
            yield from _remind_agent(store, agent, breach, fresh)
        elif before.parent_at is None and _goes_on(team, before, fresh):
            yield from _tell_parent(store, agent, breach, before, now)
    for gone in known.values():
        if gone.rule not in MESSAGE_RULES or now - gone.at > CHECKED_SECONDS:
            store.reminders.remove(gone)


def _key(one: Reminder) -> tuple[str, str, str]:
    return one.rule, one.agent, one.subject


def _grouped(breaches: list[Breach]) -> list[Breach]:
    """Return the breaches, for one agent and one rule of messages only the newest."""
    newest = {(one.rule, one.agent): one for one in breaches if one.rule in MESSAGE_RULES}
    return [*(one for one in breaches if one.rule not in MESSAGE_RULES), *newest.values()]


def _subject(breach: Breach) -> tuple[str, str]:
    """Return the subject of the breach, and its present evidence."""
    evidence = breach.evidence
    if breach.rule in MESSAGE_RULES:
        return "", str(evidence["message"])
    if "messages" in evidence:
        return str(evidence["messages"][0]), str(evidence["messages"][-1])
    subject = str(evidence.get("task") or evidence.get("dir") or evidence.get("message"))
    return subject, subject


def _goes_on(team: Team, before: Reminder, fresh: Reminder) -> bool:
    if before.rule in MESSAGE_RULES:
        return before.seen != fresh.seen
    return fresh.at - before.at >= team.agreement.parent_after


def _remind_agent(
    store: Store, agent: Agent, breach: Breach, fresh: Reminder
) -> Iterator[Reminded]:
    above = superior(store, agent)
    advice = BREACH_ADVICE[breach.rule].format(parent=above.name if above else "a person")
    if above is not None and above.name == breach.evidence.get("other"):
        advice = "Stop, and let a person decide: say so in your own pane."
    text = f"The team's agreement ({breach.rule}): '{agent.name}' {breach.words}.\n{advice}"
    if _post(store, agent, text, fresh):
        yield Reminded(agent, agent.name, f"{breach.rule}: {breach.words}")


def _tell_parent(
    store: Store, agent: Agent, breach: Breach, before: Reminder, now: float
) -> Iterator[Reminded]:
    parent = superior(store, agent)
    again = "it was done again" if breach.rule in MESSAGE_RULES else "it still holds"
    text = (
        f"The team's agreement ({breach.rule}): '{agent.name}' {breach.words}.\n"
        f"It was reminded {in_words(now - before.at)} ago, and {again}."
    )
    if _post(store, parent, text, before._replace(parent_at=now)):
        told = parent.name if parent else ""
        yield Reminded(agent, told, f"{breach.rule}: {breach.words}")


def _post(store: Store, to: Agent | None, text: str, reminder: Reminder) -> bool:
    """Put the text into the outbox of ``to``, if any, and record the reminder, both or neither."""
    try:
        message = word_to(to, text, None) if to else None
    except TorchError:  # for example, its profile is gone; it is tried again
        return False
    with store.database.transaction():
        if message is not None:
            store.messages.insert(message)
        store.reminders.put(reminder)
    return True
