"""What a scheduler does when the usage limits of agents are over.

An agent that has not moved two minutes after the reset counts as idle again, so that what waits
for it is delivered. If the limit has cut off a turn, a message has it go on, before all others.
Both is one record in the store: it happens once for each reset, whoever looks.
"""

from collections.abc import Iterator
from typing import NamedTuple

from torch_cli.attention.mute import muted_until
from torch_cli.attention.waits import DEALT_WITH
from torch_cli.delivery.post import SENDER, word_to
from torch_cli.errors import TorchError
from torch_cli.health.settings import load_health_settings
from torch_cli.intervals import INTERVALS
from torch_cli.lifecycle.did import Did
from torch_cli.programs.limit import OVER, Limit, limit_of, may_be_limited
from torch_cli.programs.state import AT_WORK, State
from torch_cli.roster.account import account_of
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import LIMIT_OVER
from torch_cli.store.limits import LimitOver
from torch_cli.watch.listing import look_at

LIMIT_KEY = "limit:"
"""How the keys of messages begin that have an agent go on; its identity and the reset follow."""

GO_ON_WORDS = (
    "Your usage limit was reset. It had cut off what you were doing: look at what is done, and "
    "please go on."
)
"""What the agent is told."""


class LimitProspect(NamedTuple):
    """What is done for an agent when its ``limit`` is over.

    ``over`` is what was decided, ``None`` before that. ``why_not`` says why the agent is not told
    to go on, '' if it is.
    """

    limit: Limit
    over: LimitOver | None
    why_not: str


def prospect_of(store: Store, agent: Agent, now: float) -> LimitProspect | None:
    """Return what is done when the limit of ``agent`` is over, ``None`` if it has none.

    Raises ``TorchError`` if its profile or the settings cannot be read.
    """
    limit = limit_of(store, agent, profile_named(agent.profile), now)
    if limit is None:
        return None
    over = store.limits.over(agent.identity, limit.until) if limit.until is not None else None
    return LimitProspect(limit, over, over.why if over else _why_not(store, agent, limit, now))


def limit_known(store: Store, agent: Agent, now: float) -> LimitProspect | None:
    """As ``prospect_of``; ``None`` also if that cannot be told. The scheduler says why."""
    try:
        return prospect_of(store, agent, now)
    except TorchError:
        return None


def _why_not(store: Store, agent: Agent, limit: Limit, now: float) -> str:
    if not limit.cut:
        return "it was idle before the limit"
    if agent.frozen is not None:
        return "it is frozen"
    if store.restarts.is_given_up("", agent.identity):
        return "it was given up"
    if agent.identity in muted_until(store, now):
        return "it is muted"
    if not load_health_settings().continue_after_limit:
        return "continue_after_limit = false in config.toml"
    return ""


class LimitsOver:
    """Ends the limits of agents. One scheduler has one."""

    def __init__(self) -> None:
        self.waits = False
        self._said: dict[str, str] = {}

    def run(self, store: Store, now: float) -> Iterator[Did]:
        """End what is due at ``now`` (epoch seconds), and yield which agents were let go on.

        ``waits`` says afterwards whether one is due before the next regular look.
        """
        self.waits = False
        _take_out(store)
        newest = store.events.newest_states()
        for agent in store.agents.all():
            if not may_be_limited(newest.get(agent.identity)):
                continue
            try:
                found = prospect_of(store, agent, now)
                if found is None or found.over is not None or found.limit.due is None:
                    continue
                if now < found.limit.due:
                    self.waits = self.waits or found.limit.due - now < INTERVALS.health
                    continue
                yield from self._end(store, agent, found, now)
                self._said.pop(agent.identity, None)
            except TorchError as error:
                if self._said.get(agent.identity) != error.message:
                    self._said[agent.identity] = error.message
                    yield Did("health", agent.name, error.message, error)

    def _end(self, store: Store, agent: Agent, found: LimitProspect, now: float) -> Iterator[Did]:
        """Let ``agent`` go on, unless it moves, or another of its account has just gone on."""
        limit, until = found.limit, found.limit.until
        assert until is not None
        seen = look_at(store, [agent]).get(agent.name)
        if seen is None or isinstance(seen, TorchError):
            return
        if seen.state.state is not State.LIMITED and seen.state.rule != OVER:
            return
        account, message = account_of(agent), None
        if not found.why_not:
            key = f"{LIMIT_KEY}{agent.identity}:{until}"
            message = word_to(agent, GO_ON_WORDS, key, urgent=True)
        with store.database.transaction():
            if store.limits.over(agent.identity, until) is not None:
                return  # another scheduler was quicker
            last = store.limits.last(account)
            too_soon = last is not None and 0 <= now - last < INTERVALS.limit_between
            if message is not None and too_soon:
                self.waits = True
                return
            sent = store.messages.insert(message).id if message is not None else ""
            over = LimitOver(agent.identity, until, now, account, sent, found.why_not)
            store.limits.insert(over)
            detail = {"limit": limit.said, "message": sent, "why": _words(found.why_not)}
            store.events.insert(LIMIT_OVER, agent.name, detail, agent=agent.identity)
        said = f"its limit is over ({limit.said})"
        yield Did("limit", agent.name, f"{said}; {_words(found.why_not) or 'it was told to go on'}")


def _words(why_not: str) -> str:
    return f"not told to go on: {why_not}" if why_not else ""


def _take_out(store: Store) -> None:
    """Take messages out of the outbox whose agents have moved before they were typed."""
    for message in store.messages.untyped(LIMIT_KEY):
        if message.sender != SENDER or message.author:
            continue  # a person has chosen that key
        states = store.events.last_states(message.agent, 3)
        moved = any(
            one.detail.get("state") in AT_WORK and one.at > message.created for one in states
        )
        if moved:
            store.messages.withdraw(message.id, DEALT_WITH, told=True)
