"""What a scheduler does for teams: briefing again, giving out tasks, pools, and reminders."""

import contextlib
import time
from collections.abc import Iterator

from torch_cli.delivery.post import word_to
from torch_cli.errors import TorchError
from torch_cli.intervals import INTERVALS
from torch_cli.lifecycle.did import Did
from torch_cli.roster.actor import TORCH
from torch_cli.roster.membership import team_of
from torch_cli.roster.project import project_of_team
from torch_cli.store import Store
from torch_cli.tasks.assignment import Rules, decide, give_out
from torch_cli.tasks.text import order
from torch_cli.tasks.title import show_task
from torch_cli.teamfile.described import Team
from torch_cli.teamfile.load import load_team
from torch_cli.teams.act import TeamAct
from torch_cli.teams.background import TeamCommand
from torch_cli.teams.pool import decide as decide_pools
from torch_cli.teams.rebrief import brief_all_due
from torch_cli.teams.remind import Reminded, remind
from torch_cli.teams.restart import fallen
from torch_cli.teams.trust import Trust, TrustState, trust_of


class Upkeep:
    """Looks after all teams. Remembers running commands, and what it has reported already."""

    def __init__(self) -> None:
        self.waits = False
        self._reminded = 0.0
        self._going: dict[str, TeamCommand] = {}
        self._rest: dict[str, float] = {}
        self._said: dict[str, str] = {}

    def run(self, store: Store, now: float) -> Iterator[Did]:
        """Do what is due at ``now`` (epoch seconds), and yield what was done.

        ``waits`` says afterwards whether a command runs, or is due before the next regular look.
        """
        self.waits = False
        yield from self._guarded("briefings", self._brief(store, now))
        remind_now = not 0 <= now - self._reminded < INTERVALS.remind
        if remind_now:
            self._reminded = now
        for path in store.teams.paths():
            yield from self._guarded(path, self._look_after(store, path, now, remind_now))
        self.waits = self.waits or bool(self._going)

    def _guarded(self, subject: str, doing: Iterator[Did]) -> Iterator[Did]:
        """Run ``doing``. An error is reported once, and concerns ``subject`` alone."""
        try:
            yield from doing
        except TorchError as error:
            yield from self._once(subject, Did(TeamAct.TEAM, subject, error.message, error))
        except Exception as error:  # an error of one team must not stop the others
            words = f"{subject}: {type(error).__name__}: {error}"
            unforeseen = TorchError(words, code="unforeseen")
            yield from self._once(subject, Did(TeamAct.TEAM, subject, words, unforeseen))

    def _brief(self, store: Store, now: float) -> Iterator[Did]:
        for again, message in brief_all_due(store, now):
            did = Did(TeamAct.BRIEF, again.agent.name, f"{again.last.name}: {again.why}")
            if message:
                yield did
            else:
                yield from self._once(again.key, did._replace(words="it cannot be briefed again"))

    def _look_after(self, store: Store, path: str, now: float, remind_now: bool) -> Iterator[Did]:
        team = load_team(path)
        trust = trust_of(store, team)
        self._said.pop(path, None)
        if trust.state is not TrustState.SAME:
            if store.teams.tell(path, trust.digest):
                yield _untrusted(store, team, trust)
            yield from self._finished(path, now)
            return
        store.teams.tell(path, "")
        if remind_now and team.agreement.remind:
            yield from map(_reminded, remind(store, team, now))
        if team.route:
            yield from _route(store, team)
        yield from self._begin(store, team, now)

    def _begin(self, store: Store, team: Team, now: float) -> Iterator[Did]:
        """Begin restarts and changes of pools, and report how earlier ones have ended.

        A team has one of them at a time, because only one ``torch up`` runs at a time.
        """
        yield from self._finished(team.path, now)
        if team.path in self._going:
            return
        for one in fallen(store, team, now):
            did = Did(one.what, one.name, one.why, socket=one.socket)
            if one.what is TeamAct.GIVE_UP:
                store.events.add(TeamAct.GIVE_UP, one.name, {"why": one.why})
                yield did._replace(people=True)
            elif one.what is TeamAct.RESTART and team.path not in self._going:
                store.restarts.begin(team.path, one.name, now)
                store.events.add(TeamAct.RESTART, one.name, {"why": one.why})
                self._start(store, team, TeamAct.RESTART, one.name)
                yield did
            self.waits = self.waits or one.what is TeamAct.WAIT
        if team.path not in self._going and self._rest.get(team.path, 0.0) <= now:
            yield from self._pools(store, team, now)

    def _pools(self, store: Store, team: Team, now: float) -> Iterator[Did]:
        for change in decide_pools(store, team, now):
            did = Did(change.what, change.name, change.why)
            if not change.name:
                yield from self._once(f"{team.path}:{change.pool.names[0]}", did)
            elif team.path not in self._going:
                self._start(store, team, change.what, change.name)
                yield did

    def _start(self, store: Store, team: Team, what: TeamAct, name: str) -> None:
        up = ["up", "--as-accepted", "--only", name, "--dir", team.root]
        words = ["retire", name] if what is TeamAct.SHRINK else up
        self._going[team.path] = TeamCommand(store, team, what, name, words)

    def _finished(self, path: str, now: float) -> Iterator[Did]:
        if path in self._going:
            yield from self._ended(path, now)

    def _ended(self, path: str, now: float) -> Iterator[Did]:
        going = self._going[path]
        if not going.ended:
            return
        del self._going[path]
        if going.error is not None:
            if going.what is not TeamAct.RESTART:
                self._rest[path] = now + INTERVALS.pools_again
            did = Did(going.what, going.name, "", going.error)
            yield from self._once(f"{path}:{going.name}", did)

    def finish(self, now: float, deadline: float) -> Iterator[Did]:
        """Wait for running commands until ``deadline`` (monotonic clock); report their errors."""
        for path, going in list(self._going.items()):
            going.wait(deadline - time.monotonic())
            yield from self._ended(path, now)

    def _once(self, subject: str, did: Did) -> Iterator[Did]:
        """Yield it unless the last report about the subject was the same."""
        said = did.error.message if did.error else did.words
        if self._said.get(subject) != said:
            self._said[subject] = said
            yield did


def _reminded(one: Reminded) -> Did:
    agent = one.agent
    what = TeamAct.REMIND if one.told == agent.name else TeamAct.TELL_PARENT
    return Did(what, agent.name, one.words, socket=agent.socket, people=not one.told)


def _untrusted(store: Store, team: Team, trust: Trust) -> Did:
    known = store.teams.members(team.path).values()
    socket = next((one.socket for one in known if one.socket), "")
    words = f"{trust.words}; the daemon does not act on it until 'torch up' or 'torch trust --dir "
    return Did(TeamAct.UNTRUSTED, team.path, f"{words}{team.root}'", socket=socket, people=True)


def _route(store: Store, team: Team) -> Iterator[Did]:
    """Give tasks to the idle agents of the team, and send them the tasks."""
    agents = [one for one in store.agents.all() if team_of(store, one) == team.path]
    choices = decide(store, agents, Rules.of(team), project_of_team(team.path))
    for choice, task in give_out(store, choices, TORCH):
        agent = store.agents.known_as(task.agent) if task else None
        if task is None or agent is None:
            continue
        with contextlib.suppress(TorchError):  # the agent has the task nevertheless
            key = f"task:{task.id}:{task.attempts}"
            store.messages.accept(word_to(agent, order(task), key, kind="task"))
        show_task(store, agent.identity)
        yield Did(TeamAct.ROUTE, agent.name, f"{task.id}: {choice.why}")


def is_needed(store: Store) -> bool:
    """Return whether there is any team, or any agent that was briefed."""
    return bool(store.teams.paths() or store.briefings.any())
