"""What a scheduler does for agents that nobody needs: it hibernates those that are idle for long.

It begins ``torch hibernate``, which looks again at each of them, under the lock of its pane.
"""

import time
from collections.abc import Iterator

from torch_cli.background import Background
from torch_cli.errors import TorchError
from torch_cli.health.settings import load_health_settings
from torch_cli.lifecycle.did import Did
from torch_cli.lifecycle.hibernate import never, not_now
from torch_cli.procs import Process
from torch_cli.programs.record import wrote_at
from torch_cli.programs.state import State
from torch_cli.roster.asleep import is_falling_asleep, is_stale, is_without_program, stay_awake
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import since_of
from torch_cli.store.health import NEVER, AgentPolicy
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.terminals import is_shown

ENDED_AT_ONCE = 2
"""So many agents are hibernated at the same time: each takes a process of Torch."""

REFUSED_SECONDS = 60.0
"""After an agent could not be hibernated, until that is tried again."""


def rest_seconds(policy: AgentPolicy, default: float | None) -> float | None:
    """Return after how many seconds an agent with ``policy`` is hibernated, ``None`` for never."""
    if policy.hibernate == NEVER:
        return None
    return float(policy.hibernate) if policy.hibernate else default


def attended(store: Store, agent: Agent, pane: Pane, seconds: float) -> str:
    """Return why ``agent``, in ``pane``, is not left alone for ``seconds``, '' if it is."""
    left = _rested(store, agent, time.time()) - seconds
    if left < 0:
        return f"it has not been idle and unseen for {seconds:g} s"
    socket = Socket(path=agent.socket)
    with ControlClient(socket, pane.session_id) as client:
        if is_shown(client, pane):
            return "a terminal shows it"
    return ""


def _rested(store: Store, agent: Agent, now: float) -> float:
    """Return for how many seconds ``agent`` was idle and nobody has looked at it, 0 if it was not.

    That it is idle is what the history says, which a scheduler keeps.
    """
    last = store.events.last_state(agent.identity)
    if last is None or last.detail.get("state") != State.IDLE:
        return 0.0
    look = store.looks.last(agent.identity)
    looked = look.at if look is not None else 0.0
    return max(0.0, now - max(since_of(last), looked, agent.created, _moved(store, agent)))


def _moved(store: Store, agent: Agent) -> float:
    """Return when the agent has last done something that the history may have missed."""
    report = store.hooks.latest(agent.server, agent.pane, since=agent.created)
    messages = store.messages.latest(recipient=agent.name, agent=agent.identity, limit=1)
    program = Process(agent.program_pid, agent.program_started)
    wrote = wrote_at(profile_named(agent.profile).answer.transcript, program)
    return max(wrote, report.at if report else 0.0, *(one.updated for one in messages), 0.0)


def why_awake(store: Store, agent: Agent, seconds: float | None) -> str:
    """Return why ``agent`` is not hibernated now, in words for a person."""
    if seconds is None:
        return "nobody has asked for it"
    why = never(agent) or not_now(store, agent)
    left = seconds - _rested(store, agent, time.time())
    return why or (f"it must be idle and unseen for {left:.0f} s more" if left > 0 else "")


class Hibernation:
    """Hibernates agents by their policies. One scheduler has one."""

    def __init__(self) -> None:
        self._going: dict[str, tuple[Agent, Background]] = {}
        self._tried: dict[str, float] = {}

    def run(self, store: Store, now: float) -> Iterator[Did]:
        """Begin what is due at ``now`` (epoch seconds), and yield what was done."""
        yield from self._ended(store)
        policies = store.health.policies()
        try:
            default = load_health_settings().hibernate
        except TorchError as error:
            yield Did("hibernate", "", error.message, error)
            return
        for agent in store.agents.all():
            seconds = rest_seconds(policies.get(agent.identity, AgentPolicy()), default)
            try:
                self._look_after(store, agent, seconds, now)
            except TorchError as error:
                yield Did("hibernate", agent.name, error.message, error)
            except OSError as error:  # no memory for a process, or too many of them
                failed = TorchError(f"agent '{agent.name}' was not hibernated: {error}")
                yield Did("hibernate", agent.name, failed.message, failed)

    def _look_after(self, store: Store, agent: Agent, seconds: float | None, now: float) -> None:
        if is_stale(agent):
            stay_awake(store, agent)
        one = agent.identity
        if seconds is None or len(self._going) >= ENDED_AT_ONCE or one in self._going:
            return
        if self._is_due(store, agent, seconds, now):
            words = ["hibernate", agent.name, "--idle", f"{seconds:g}"]
            self._going[one] = (agent, Background(words, environment={}))

    def _is_due(self, store: Store, agent: Agent, seconds: float, now: float) -> bool:
        if agent.frozen is not None or is_without_program(agent) or is_falling_asleep(agent):
            return False
        if 0 <= now - self._tried.get(agent.identity, 0.0) < REFUSED_SECONDS:
            return False
        if _rested(store, agent, now) < seconds:
            return False
        self._tried[agent.identity] = now
        return not (never(agent) or not_now(store, agent))

    def _ended(self, store: Store) -> Iterator[Did]:
        for one, (agent, command) in list(self._going.items()):
            if command.ended:
                del self._going[one]
                now = store.agents.known_as(one)
                if now is not None and is_without_program(now):
                    yield Did("hibernate", agent.name, "it was idle, and nobody looked at it")

    def finish(self, deadline: float) -> None:
        """Wait for what was begun until ``deadline`` (monotonic clock)."""
        for _, command in self._going.values():
            command.wait(deadline - time.monotonic())
