"""What a scheduler does for agents that have ended: it notes how, and restarts some of them.

Members of a team's file are restarted by ``teams``, by the same rule. Whatever a person has stopped
or closed stays as it is.
"""

import time
from collections.abc import Iterator, Mapping

from torch_cli import procs
from torch_cli.background import Background
from torch_cli.delivery.post import word_to
from torch_cli.errors import TorchError
from torch_cli.health.policy import member_in_file
from torch_cli.lifecycle.backoff import HEALTHY_SECONDS, RestartStep, decide
from torch_cli.lifecycle.did import Did
from torch_cli.roster.asleep import is_falling_asleep, is_without_program
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.health import AgentPolicy, MemoryKills
from torch_cli.tmux.panes import pane_at
from torch_cli.watch.end import End, record_end, recorded
from torch_cli.watch.memory import kills_around


class Recovery:
    """Looks after all agents. Remembers running restarts, and the variables of living programs.

    Variables are kept in memory alone: the store keeps their names, never their values.
    """

    def __init__(self) -> None:
        self.waits = False
        self._going: dict[str, tuple[Agent, Background]] = {}
        self._variables: dict[str, tuple[float, Mapping[str, str]]] = {}
        self._ends: dict[tuple[str, float], End] = {}
        self._said: dict[str, str] = {}
        self._kills: dict[tuple[str, float], MemoryKills] = {}

    def run(self, store: Store, now: float) -> Iterator[Did]:
        """Do what is due at ``now`` (epoch seconds), and yield what was done.

        ``waits`` says afterwards whether a restart runs, or is due before the next regular look.
        """
        self.waits = False
        yield from self._ended(store)
        agents, policies = store.agents.all(), store.health.policies()
        self._around: dict[str, MemoryKills] = {}
        restarted = store.restarts.agents()
        for agent in agents:
            policy = policies.get(agent.identity, AgentPolicy())
            try:
                if self._note_life(store, agent, policy):
                    if agent.identity in restarted:
                        store.restarts.settle("", agent.identity, now - HEALTHY_SECONDS)
                    continue
                yield from self._look_after(store, agent, policy, now)
            except TorchError as error:
                yield from self._once(Did("health", agent.name, error.message, error))
        known = {(one.identity, one.created) for one in agents}
        self._ends = {key: end for key, end in self._ends.items() if key in known}
        self._kills = {key: it for key, it in self._kills.items() if key in known}
        alive = {one.identity for one in agents}
        self._variables = {key: it for key, it in self._variables.items() if key in alive}
        self.waits = self.waits or bool(self._going)

    def _look_after(
        self, store: Store, agent: Agent, policy: AgentPolicy, now: float
    ) -> Iterator[Did]:
        """Do what is due for an agent whose program does not run."""
        one = agent.identity
        if is_without_program(agent) or is_falling_asleep(agent):
            return  # it is hibernated
        end = self._end(store, agent)
        if end is None or one in self._going or not end.is_against(policy.restart):
            return
        if agent.frozen is not None:
            return
        if agent.origin != "spawned" or member_in_file(store, agent) is not None:
            return
        if pane_at(agent.socket, agent.server, agent.pane, agent.pane_pid) is None:
            return  # a person has closed it since, or its server has ended
        yield from self._decide(store, agent, end, now)

    def _decide(self, store: Store, agent: Agent, end: End, now: float) -> Iterator[Did]:
        decided = decide(store, "", agent.identity, end.words, now)
        if decided is None:
            return
        did = Did(decided.what, agent.name, decided.why, socket=agent.socket)
        if decided.what is RestartStep.GIVE_UP:
            give_up(store, agent, decided.why)
            yield did._replace(people=True)
        elif decided.what is RestartStep.RESTART:
            store.restarts.begin("", agent.identity, now)
            self.begin(agent, ["--ended", decided.why])
            yield did
        else:
            self.waits = True

    def begin(self, agent: Agent, options: list[str]) -> None:
        """Restart ``agent`` in the background, with these options of ``torch restart``."""
        known = self._variables.get(agent.identity)
        variables = known[1] if known is not None else _kept(agent) or {}
        words = ["restart", agent.name, *options]
        self._going[agent.identity] = (agent, Background(words, environment=variables))

    def _end(self, store: Store, agent: Agent) -> End | None:
        """Return how the agent has ended, and record it when it is first seen."""
        key = (agent.identity, agent.created)
        if key not in self._ends:
            end = recorded(store, agent) or record_end(store, agent)
            if end is None:
                return None
            self._ends[key] = end
        return self._ends[key]

    def _note_life(self, store: Store, agent: Agent, policy: AgentPolicy) -> bool:
        """Note what will be needed when the program of ``agent`` ends; return whether it lives."""
        if not procs.alive(procs.Process(agent.program_pid, agent.program_started)):
            return False
        key, kills = (agent.identity, agent.created), kills_around(agent.program_pid, self._around)
        if kills.file and kills != self._kills.get(key):
            self._kills[key] = kills
            if kills != store.health.kills(agent.identity):
                store.health.note_kills(agent.identity, kills)
        if policy.restart == "never":
            return True
        known = self._variables.get(agent.identity)
        if known is None or known[0] != agent.created:
            kept = _kept(agent)
            if kept is not None:
                self._variables[agent.identity] = (agent.created, kept)
        return True

    def _ended(self, store: Store) -> Iterator[Did]:
        for one, (agent, command) in list(self._going.items()):
            if not command.ended:
                continue
            del self._going[one]
            if command.failure:
                detail = {"why": command.failure}
                store.events.add("not-restarted", agent.name, detail, agent=one)
                error = TorchError(
                    f"'{agent.name}' was not restarted: {command.failure}", code="restart"
                )
                yield from self._once(Did("restart", agent.name, "", error))
            else:
                self._said.pop(agent.name, None)

    def finish(self, deadline: float) -> Iterator[Did]:
        """Wait for running restarts until ``deadline`` (monotonic clock); report their errors."""
        for _, command in self._going.values():
            command.wait(deadline - time.monotonic())
        if self._going:
            with Store() as store:
                yield from self._ended(store)

    def _once(self, did: Did) -> Iterator[Did]:
        """Yield it unless the last report about the agent was the same."""
        said = did.error.message if did.error else did.words
        if self._said.get(did.agent) != said:
            self._said[did.agent] = said
            yield did


def _kept(agent: Agent) -> dict[str, str] | None:
    """Return the variables of a living program that are needed to start it again.

    ``None`` if they cannot be known now, or it has ended: another process may have its number.
    """
    program = procs.Process(agent.program_pid, agent.program_started)
    given = procs.environment(program.pid) if procs.alive(program) else None
    if given is None:
        return None
    wanted = ("PATH", *(one for one in agent.variables if not one.startswith("TORCH_")))
    return {name: given[name] for name in wanted if name in given}


def give_up(store: Store, agent: Agent, why: str) -> None:
    """Record that an agent is not restarted any more, and tell its parent, if there is one."""
    store.events.add("give-up", agent.name, {"why": why}, agent=agent.identity)
    parent = store.agents.known_as(agent.parent_agent) if agent.parent_agent else None
    if parent is None or parent.stopped is not None:
        return
    text = (
        f"'{agent.name}' is not restarted any more: {why}. 'torch health {agent.name} --explain' "
        f"says more, 'torch restart {agent.name}' tries again."
    )
    store.messages.accept(word_to(parent, text, f"give-up:{agent.identity}:{agent.created:.3f}"))
