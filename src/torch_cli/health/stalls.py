"""What a scheduler does for agents that make no progress, if their policy says so.

People are told in any case (``attention``). ``nudge``: the agent gets a message, once for each
stall. ``restart``: if that has brought nothing, it is restarted as ``torch restart`` does. Whether
an agent has stalled is decided in ``attention.stalled``, which counts a tool that runs as progress.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from torch_cli.attention.waits import DEALT_WITH
from torch_cli.delivery.post import SENDER, word_to
from torch_cli.errors import TorchError
from torch_cli.health.recovery import give_up
from torch_cli.intervals import INTERVALS
from torch_cli.lifecycle.backoff import MOST, WITHIN
from torch_cli.lifecycle.did import Did
from torch_cli.programs.state import AT_WORK, State
from torch_cli.roster.registry import profile_named
from torch_cli.roster.safety import submit_key
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import Event
from torch_cli.store.health import AgentPolicy
from torch_cli.store.stalls import GIVEN_UP, TRIED, StallStep
from torch_cli.watch.listing import look_at

NUDGE_KEY = "nudge:"
"""How the keys of nudges begin; the agent's identity and the event that began the stall follow."""

NUDGE_SHOWS_SECONDS = 30.0
"""Seconds after a nudge was delivered in which the screen changes by it: that is no progress."""

STALL_CHANGES_READ = 50
"""Changes of state that are read to find out whether a turn has gone on since a nudge."""

MOST_RESTARTS, DAY_SECONDS = 3, 86_400.0
"""After so many restarts for a stall within a day the agent is given up: another brings nothing."""


class Stall(NamedTuple):
    """An agent has stalled, as the event says; ``step`` is what was done about it, if anything was.

    ``due`` is when it is restarted (epoch seconds), ``None`` if it is not.
    """

    event: Event
    words: str
    step: StallStep | None
    due: float | None


def stall_of(store: Store, agent: Agent, policy: AgentPolicy) -> Stall | None:
    """Return how ``agent`` has stalled, ``None`` if it has not."""
    states = store.events.last_states(agent.identity, STALL_CHANGES_READ)
    if not states or states[0].detail.get("state") != State.STALLED:
        return None
    event = states[0]
    if event.at < agent.created:
        return None  # its program was restarted since
    words = str(event.detail.get("evidence") or "no sign of progress")
    step = _same(store, states, store.stalls.last(agent.identity))
    waits = step is not None and step.ended is None and policy.stalled == "restart"
    due = step.nudged + INTERVALS.nudged if step is not None and waits else None
    return Stall(event, words, step, due)


def _same(store: Store, states: list[Event], step: StallStep | None) -> StallStep | None:
    """Return ``step`` if it was done about this stall, ``None`` if the agent has gone on since.

    That the program shows the nudge is no progress: the silence before counts on.
    """
    event = states[0]
    if step is None or step.stall == event.id:
        return step
    if any(one.at > step.nudged and one.detail.get("state") not in AT_WORK for one in states):
        return None
    silent = event.detail.get("silent")
    began = event.at - (float(silent) if isinstance(silent, int | float) else 0.0)
    try:
        arrived = store.messages.get(step.message).updated
    except KeyError:
        arrived = step.nudged
    return step if began <= max(arrived, step.nudged) + NUDGE_SHOWS_SECONDS else None


def _hears(agent: Agent) -> bool:
    """Return whether a message reaches the program at work: else it would come after the stall."""
    profile = profile_named(agent.profile)
    key = submit_key(profile, chord=agent.chord, version=agent.version)
    return profile.paste.queues and key.while_working


class StalledAgents:
    """Looks after agents that have stalled. One scheduler has one.

    ``begin`` restarts an agent in the background with these options of ``torch restart``.
    """

    def __init__(self, begin: Callable[[Agent, list[str]], None]) -> None:
        self._begin = begin

    def run(self, store: Store, now: float) -> Iterator[Did]:
        """Do what is due at ``now`` (epoch seconds), and yield what was done."""
        policies = store.health.policies()
        self._take_out(store, policies)
        if all(one.stalled == "tell" for one in policies.values()):
            return
        for agent in store.agents.all():
            policy = policies.get(agent.identity, AgentPolicy())
            if policy.stalled == "tell" or agent.frozen is not None:
                continue
            stall = stall_of(store, agent, policy)
            if stall is None:
                continue
            try:
                if stall.step is None:
                    yield from self._nudge(store, agent, stall, now)
                elif stall.due is not None and now >= stall.due:
                    yield from self._restart(store, agent, stall, stall.step, now)
            except TorchError as error:
                yield Did("stalled", agent.name, error.message, error)

    def _nudge(self, store: Store, agent: Agent, stall: Stall, now: float) -> Iterator[Did]:
        seen = look_at(store, [agent]).get(agent.name)
        if seen is None or isinstance(seen, TorchError) or seen.state.state is not State.WORKING:
            return
        text = (
            f"You have given {stall.words}. If you wait for something that does not come, stop "
            "waiting for it. Say what you wait for, and go on with what can be done without it."
        )
        message = word_to(agent, text, f"{NUDGE_KEY}{agent.identity}:{stall.event.id}", urgent=True)
        with store.database.transaction():
            last = store.stalls.last(agent.identity)
            if last is not None and last.stall >= stall.event.id:
                return  # another scheduler was quicker
            identity = store.messages.insert(message).id if _hears(agent) else ""
            store.stalls.insert(StallStep(agent.identity, stall.event.id, now, identity))
            if identity:
                detail = {"why": stall.words, "message": identity}
                store.events.insert("nudge", agent.name, detail, agent=agent.identity)
        if identity:
            yield Did("nudge", agent.name, stall.words)

    def _restart(
        self, store: Store, agent: Agent, stall: Stall, step: StallStep, now: float
    ) -> Iterator[Did]:
        lately = store.restarts.of("", agent.identity)
        done = [one for one in lately if one.at is not None and now - one.at < WITHIN]
        number = store.stalls.restarts(agent.identity, now - DAY_SECONDS)
        ends = number >= MOST_RESTARTS or len(done) >= MOST
        with store.database.transaction():
            outcome = GIVEN_UP if ends else TRIED
            if not store.stalls.end(step, now, outcome):
                return  # another scheduler was quicker
        why = f"{stall.words}, also after a message" if step.message else stall.words
        if ends:
            why = f"{why}, after {number} such restarts in a day"
            policy = store.health.policy(agent.identity) or AgentPolicy()
            # It stays so until a person sets that policy again.
            store.health.set_policy(agent.identity, policy._replace(stalled="tell"))
            give_up(store, agent, why)
            yield Did("give-up", agent.name, why, socket=agent.socket, people=True)
            return
        # It counts once its new program was started: 'torch restart' records that.
        why = f"{why}; restart {number + 1} of {MOST_RESTARTS}"
        self._begin(agent, ["--stalled", why])
        yield Did("restart", agent.name, why, socket=agent.socket)

    def _take_out(self, store: Store, policies: Mapping[str, AgentPolicy]) -> None:
        """Take nudges out of the outbox that are no longer wanted, or whose agents have gone on."""
        for message in store.messages.untyped(NUDGE_KEY):
            if message.sender != SENDER or message.author:
                continue  # a person has chosen that key
            last = store.events.last_state(message.agent)
            wanted = policies.get(message.agent, AgentPolicy()).stalled != "tell"
            if not wanted or last is None or last.detail.get("state") != State.STALLED:
                store.messages.withdraw(message.id, DEALT_WITH, told=True)
