"""The history of states: each change of an agent's state becomes an event, once.

A scheduler looks, again and again. It keeps one connection to each tmux server, and reads all
screens that may have changed in one exchange (``watch.sweep``).
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from torch_cli.attention.looking import Looking
from torch_cli.attention.stalled import Silences
from torch_cli.attention.turns import Turns
from torch_cli.errors import NotFoundError, TorchError
from torch_cli.programs.asked import Asked, asked_by
from torch_cli.programs.reset import without_zone
from torch_cli.programs.state import AT_REST, AT_WORK, ENDED, AgentState, State
from torch_cli.programs.trouble import trouble_fields
from torch_cli.roster.asleep import is_falling_asleep
from torch_cli.store import Store, StoreError
from torch_cli.store.agents import Agent
from torch_cli.store.events import STATE, Event, since_of
from torch_cli.store.observations import Observation
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import ServerPanes, gone, unless_asleep
from torch_cli.watch.end import record_end
from torch_cli.watch.sweep import Seen, Sweep

DWELL_SECONDS = 0.3
"""Seconds that a state must stand before it counts. Programs draw with frames of 30 ms, and some
clear the screen first: ten frames. A question is told of within a second all the same."""

UNCLEAR_DWELL_SECONDS = 10 * DWELL_SECONDS
"""The same for ``unknown``: a program that starts, compacts its context or is resized shows for a
second or two what is nothing yet, and nobody can act on it sooner."""

SERVER_RETRY_SECONDS = 5.0
"""Seconds after which a tmux server that did not answer is asked again."""


class Change(NamedTuple):
    """An agent has come to be in another state, or asks something else than before.

    ``since`` is in seconds since the epoch. ``before`` is its state until then, '' if none was
    written, and ``lasted`` for how many seconds. ``quiet`` is how long it gave no sign of progress
    before it went on, in seconds, 0 if that was not long.
    """

    agent: Agent
    state: AgentState
    asked: Asked
    since: float
    before: str = ""
    lasted: float = 0.0
    quiet: float = 0.0


class _Standing(NamedTuple):
    """A state that is not written yet: first seen at ``first`` (monotonic), and since when."""

    key: str
    first: float
    since: float


class _Written(NamedTuple):
    """What was written last of an agent; ``seen`` is when it was last seen to be so."""

    key: str
    state: str
    since: float
    seen: float


class History:
    """Looks at all agents, and writes what has changed. One scheduler has one."""

    def __init__(self) -> None:
        self._sweeps: dict[str, tuple[ControlClient, Sweep]] = {}
        self._looking: dict[str, Looking] = {}
        self._away: dict[str, float] = {}
        self._standing: dict[str, _Standing] = {}
        self._written: dict[str, _Written] = {}
        self._progress = Silences()
        self.agents: Sequence[Agent] = ()
        """Those of the last look."""
        self._turns = Turns()
        self.on_leave: Callable[[str, ControlClient], None] = lambda path, client: None
        """Is called with the socket and connection of a server that has no agents any more."""

    @property
    def unsettled(self) -> bool:
        """Whether a state has been seen that counts if it stands for a moment longer."""
        return bool(self._standing)

    @property
    def states(self) -> Mapping[str, str]:
        """The state of each agent that was seen, by its identity."""
        return {one: what.state for one, what in self._written.items()}

    @property
    def rests(self) -> Mapping[str, float]:
        """Since when (epoch seconds) each agent is at rest that is, by its identity."""
        return {one: what.since for one, what in self._written.items() if what.state in AT_REST}

    @property
    def clients(self) -> dict[str, ControlClient]:
        """The open connections, by the socket of their server."""
        return {path: client for path, (client, _) in self._sweeps.items()}

    def look(self, store: Store) -> list[Change]:
        """Look at every agent, write an event for each that has changed, and return the changes.

        What cannot be looked at now is left out, and looked at again later.
        """
        self.agents = agents = store.agents.all()
        known = {agent.identity for agent in agents}
        self._standing = {one: what for one, what in self._standing.items() if one in known}
        self._written = {one: what for one, what in self._written.items() if one in known}
        self._progress.keep(known)
        self._turns.keep(known)
        looks, panes = self._all(store, agents), ServerPanes()
        return [
            change for agent, seen in looks for change in self._weigh(store, agent, seen, panes)
        ]

    def close(self) -> None:
        """Leave all tmux servers."""
        for path in list(self._sweeps):
            self._leave(path)

    # -- looking -----------------------------------------------------------------------------------

    def _all(self, store: Store, agents: Sequence[Agent]) -> Iterator[tuple[Agent, Seen | None]]:
        """Yield each agent with what is seen of it, ``None`` if its pane is gone."""
        paths = {agent.socket for agent in agents}
        for path in [*self._sweeps]:
            if path not in paths:
                self.on_leave(path, self._sweeps[path][0])
                self._leave(path)
        for path in sorted(paths):
            here = [agent for agent in agents if agent.socket == path]
            seen = self._look_at(store, path, here)
            if seen is not None:
                yield from ((agent, seen.get(agent.name)) for agent in here)

    def _look_at(self, store: Store, path: str, agents: list[Agent]) -> dict[str, Seen] | None:
        """Return what is seen at one server, ``None`` if nobody can tell."""
        if time.monotonic() - self._away.get(path, -SERVER_RETRY_SECONDS) < SERVER_RETRY_SECONDS:
            return None
        for kept in (path in self._sweeps, False):
            try:
                sweep = self._sweep(store, path)
                seen = sweep.look(agents)
                here = [agent for agent in agents if agent.name in seen]
                self._looking[path].note(store, self._sweeps[path][0], here)
                return seen
            except StoreError:
                raise
            except NotFoundError as missing:
                self._leave(path)  # the session that the connection was attached to may have gone
                if not kept:
                    self._away[path] = time.monotonic()
                    return {} if missing.code == "no-server" else None
            except TorchError:
                self._leave(path)
                self._away[path] = time.monotonic()
                return None
        return None

    def _sweep(self, store: Store, path: str) -> Sweep:
        if path not in self._sweeps:
            socket = Socket(path=path)
            client = ControlClient(socket, list_panes(socket)[0].session_id, hears=False)
            self._sweeps[path] = (client, Sweep(client, store))
            self._looking.setdefault(path, Looking())
        sweep = self._sweeps[path][1]
        sweep.store = store
        return sweep

    def _leave(self, path: str) -> None:
        if path in self._sweeps:
            self._sweeps.pop(path)[0].close()

    # -- deciding ----------------------------------------------------------------------------------

    def _weigh(
        self, store: Store, agent: Agent, seen: Seen | None, panes: ServerPanes
    ) -> Iterator[Change]:
        """Write what ``agent`` has done unseen, and its state if that is another than was written,
        and has stood.
        """
        if seen is not None and seen.error is not None:
            return  # its profile cannot be read: 'torch status' says so
        if seen is None or seen.state.state in ENDED:
            # It may have been hibernated since its row was read.
            agent = store.agents.known_as(agent.identity) or agent
            if is_falling_asleep(agent):
                return  # whoever ends its program says soon that it is hibernated
        if seen is not None:
            state = self._progress.weigh(store, agent, seen, time.monotonic())
            state = unless_asleep(agent, state)
            yield from self._catch_up(store, agent, seen.report, state)
        else:
            try:
                state = gone(store, agent, panes=panes)
            except StoreError:
                raise
            except TorchError:
                return  # tmux does not answer now; what was seen of the others counts
        change = self._stand(store, agent, seen, state)
        if change is not None:
            yield change

    def _catch_up(
        self, store: Store, agent: Agent, newest: int, state: AgentState
    ) -> Iterator[Change]:
        """Write the turns that began and ended between two looks."""
        written = self._last(store, agent)
        known = (written.state, written.since) if written is not None else None
        for one in self._turns.steps(store, agent, newest, state, known):
            change = _change(agent, one.state, one.since, self._last(store, agent))
            self._written[agent.identity] = _Written(
                key_of_state(one.state), str(one.state.shown), one.since, one.since
            )
            if write(store, change, reported=True):
                yield change

    def _stand(
        self, store: Store, agent: Agent, seen: Seen | None, state: AgentState
    ) -> Change | None:
        """Write ``state`` if it is another than was written, and has stood."""
        now, key = time.time(), key_of_state(state)
        written = self._last(store, agent)
        if written is not None and written.key == key:
            self._standing.pop(agent.identity, None)
            self._written[agent.identity] = written._replace(seen=now)
            return None
        ended = state.state in (*ENDED, State.HIBERNATED)
        moved = now if seen is None or ended else min(now, max(seen.reported, seen.wrote))
        standing = self._standing.get(agent.identity)
        if standing is None or standing.key != key:
            # It is so no longer than since another state was seen.
            since = max(moved, written.seen if written else 0.0)
            standing = self._standing[agent.identity] = _Standing(key, time.monotonic(), since)
        # tmux tells to the second when a window last wrote.
        stood = max(time.monotonic() - standing.first, now - moved - 1.0)
        if not ended and stood < (
            UNCLEAR_DWELL_SECONDS if state.state is State.UNKNOWN else DWELL_SECONDS
        ):
            return None
        del self._standing[agent.identity]
        since = standing.since
        if state.shown in AT_WORK:
            since = self._turns.begun(agent.identity, written.since if written else 0.0) or since
        quiet = self._progress.quiet(agent.identity)
        change = _change(agent, state, since, written)._replace(quiet=quiet)
        self._written[agent.identity] = _Written(key, str(state.shown), since, now)
        return change if write(store, change) else None

    def _last(self, store: Store, agent: Agent) -> _Written | None:
        if agent.identity not in self._written:
            event = store.events.last_state(agent.identity)
            if event is not None:
                since = since_of(event)
                known = _Written(key_in(event), str(event.detail.get("state", "")), since, since)
                self._written[agent.identity] = known
        return self._written.get(agent.identity)


def _change(agent: Agent, state: AgentState, since: float, written: _Written | None) -> Change:
    change = Change(agent, state, asked_by(state), since)
    if written is None:
        return change
    return change._replace(before=written.state, lasted=max(0.0, since - written.since))


def key_of(state: str, digest: str) -> str:
    """Return what tells one state of an agent from the next: also the next question does."""
    return f"{state} {digest}".rstrip()


def key_of_state(state: AgentState) -> str:
    """Return ``key_of`` for ``state`` as it is seen now."""
    return key_of(str(state.shown), digest_of(state))


def digest_of(state: AgentState) -> str:
    """Return what tells one question, error or limit from the next; '' for another state."""
    trouble = state.trouble
    if state.state is State.LIMITED:
        return without_zone(state.reset or "")
    if trouble is None or trouble.state is not State.ERROR:
        return asked_by(state).digest
    return f"{trouble.kind} {trouble.code or ''}".rstrip()


def key_in(event: Event) -> str:
    """Return ``key_of`` for the state that ``event`` wrote."""
    return key_of(str(event.detail.get("state", "")), str(event.detail.get("asked", "")))


def write(store: Store, change: Change, *, reported: bool = False) -> bool:
    """Write ``change`` as an event, unless it was written already; say whether it was not.

    A change that was ``reported`` was not seen itself.
    """
    agent, state = change.agent, change.state
    if state.state in ENDED:
        with contextlib.suppress(TorchError):  # tmux does not answer
            record_end(store, agent)
    with store.database.transaction(durable=False):  # no pane survives a power cut, either
        last = store.events.last_state(agent.identity)
        if last is not None and key_in(last) == key_of_state(state):
            return False  # another scheduler was quicker
        store.events.insert(STATE, agent.name, _detail(change), agent=agent.identity)
        if not reported or state.shown not in AT_WORK:  # what was seen last is the same, and older
            since = change.since
            where = (agent.server, agent.pane, agent.pane_pid)
            seen = Observation(*where, str(state.shown), state.evidence, wrote=since)
            store.observations.insert(seen._replace(reported=since) if reported else seen)
    return True


def _detail(change: Change) -> dict[str, object]:
    """Return what the event of ``change`` says of it."""
    state, asked = change.state, change.asked
    detail: dict[str, object] = {
        "state": str(state.shown),
        "since": round(float(change.since), 3),
        "evidence": state.evidence,
        "rule": state.rule,
    }
    if state.dialog is not None:
        detail |= {"question": asked.words, "asked": asked.digest, "dialog": state.dialog.hash}
    if state.trouble is not None:
        detail["asked"] = digest_of(state)
        detail |= trouble_fields(state.trouble)
        if state.trouble.silent:
            detail["silent"] = round(state.trouble.silent, 1)
    if state.reset:
        detail |= {"asked": digest_of(state), "reset": state.reset}
    if change.before:
        detail |= {"before": change.before, "lasted": round(float(change.lasted), 3)}
    if change.quiet:
        detail["quiet"] = round(change.quiet, 1)
    return detail
