"""Turns that begin and end between two looks: the program's hooks tell both, no screen does.

Each report counts once. A turn that the history has is left to it; what follows from the others is
returned as changes of state, for the history to write.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from torch_cli.programs.state import AT_REST, AT_WORK, ENDED, AgentState, State
from torch_cli.programs.trouble import error_of, trouble_words
from torch_cli.programs.turn import BEGINS, ENDS
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import Event, since_of
from torch_cli.store.hooks import HookReport

CHANGES_COMPARED = 20
"""Changes of state that are read to find out whether the history has a turn: a turn of many
questions has two for each."""

MOST_TURNS = 100
"""Turns of one agent that one look writes at most, the newest: no scheduler may have run
for days."""

_EXIT = "exited"


class ReportedTurn(NamedTuple):
    """A turn that a program reported: it ``began`` and ``ended`` then (epoch seconds).

    ``begin`` and ``end`` are the names of the reports. ``failed`` is the error with which it ended.
    """

    began: float
    ended: float
    begin: str
    end: str
    failed: AgentState | None = None


class ReportedChange(NamedTuple):
    """An agent has come to be in ``state`` ``since`` then, by its hooks."""

    state: AgentState
    since: float


class _OpenTurn(NamedTuple):
    """A turn that has begun, in the conversation ``session``, '' if any may end it."""

    at: float
    session: str
    name: str


class _HeardTurns(NamedTuple):
    """What is known of one agent: its newest report, the open turn, and ``turns`` to be settled."""

    report: int
    open: _OpenTurn | None = None
    turns: tuple[ReportedTurn, ...] = ()


class Turns:
    """Follows the reports of all agents. A history has one."""

    def __init__(self) -> None:
        self._heard: dict[str, _HeardTurns] = {}
        self._meanings: dict[str, Mapping[str, str]] = {}

    def keep(self, identities: Collection[str]) -> None:
        """Forget all other agents."""
        self._heard = {one: it for one, it in self._heard.items() if one in identities}

    def steps(
        self,
        store: Store,
        agent: Agent,
        newest: int,
        seen: AgentState,
        written: tuple[str, float] | None,
    ) -> list[ReportedChange]:
        """Return the changes of state that no look saw, in order.

        ``newest`` is the number of the newest report from the pane of ``agent`` that ``seen`` rests
        on, 0 if there is none. ``written`` is the state that the history has, and since when.
        Without new reports this reads nothing.
        """
        before = self._heard.get(agent.identity)
        if seen.state in (*ENDED, State.HIBERNATED) and (
            before is None or (written is not None and written[0] not in _ALIVE)
        ):
            # What is reported from there may be another program's.
            self._heard[agent.identity] = _HeardTurns(newest)
            return []
        heard = before or _HeardTurns(0, _open_in(written))
        if newest and newest != heard.report:
            # Numbers begin again once all reports have been deleted.
            known = before is not None and newest > heard.report
            since, after = (0.0, heard.report) if known else (_at(written), 0)
            heard = self._hear(store, agent, newest, heard._replace(report=after), written, since)
        if not heard.turns:
            self._heard[agent.identity] = heard
            return _asked_in_turn(heard.open, seen, written)
        turns = _untold(heard.turns, store.events.last_states(agent.identity, CHANGES_COMPARED))
        found, left = _steps(turns, heard.open, seen, written)
        self._heard[agent.identity] = heard._replace(turns=tuple(left))
        return found

    def begun(self, identity: str, since: float) -> float:
        """Return when the turn began that the screen of that agent shows, if its end was reported
        already (epoch seconds, not before ``since``), else 0.
        """
        heard = self._heard.get(identity)
        if heard is None or heard.open is not None or not heard.turns:
            return 0.0
        return max(since, heard.turns[-1].began)

    def _hear(
        self,
        store: Store,
        agent: Agent,
        newest: int,
        heard: _HeardTurns,
        written: tuple[str, float] | None,
        since: float,
    ) -> _HeardTurns:
        """Take the reports up to ``newest`` in; at the first look those after ``since``."""
        says = self._says(agent.profile)
        since = max(since, agent.created)  # an older server had a pane of that name, too
        reports = store.hooks.between(
            *(agent.server, agent.pane, list(says), heard.report, newest, since)
        )
        opened, turns = heard.open, [*heard.turns]
        # A turn that has no reported end is over if the agent was seen at rest later.
        rested = written[1] if written is not None and written[0] in _RESTS else 0.0
        for report in reports:
            said = says[report.name]
            if said in BEGINS:
                if opened is None or opened.at <= rested:
                    opened = _OpenTurn(report.at, report.session, report.name)
            elif opened is not None and _is_same(opened, report):
                if said != _EXIT:
                    failed = _failure(store, report) if said == "failed" else None
                    turns.append(
                        ReportedTurn(opened.at, report.at, opened.name, report.name, failed)
                    )
                opened = None
        return _HeardTurns(newest, opened, tuple(turns[-MOST_TURNS:]))

    def _says(self, profile: str) -> Mapping[str, str]:
        if profile not in self._meanings:
            events = profile_named(profile).hooks.events
            self._meanings[profile] = {
                name: said for name, said in events.items() if said in (*BEGINS, *ENDS)
            }
        return self._meanings[profile]


_ALIVE = frozenset(State) - {*ENDED, State.HIBERNATED}
_MID_TURN = (*AT_WORK, State.WAITING)
_RESTS = (*AT_REST, State.ERROR)


def _at(written: tuple[str, float] | None) -> float:
    return written[1] if written is not None else 0.0


def _open_in(written: tuple[str, float] | None) -> _OpenTurn | None:
    """Return the turn that the history left open."""
    if written is None or written[0] not in _MID_TURN:
        return None
    return _OpenTurn(written[1], "", written[0])


def _is_same(opened: _OpenTurn, report: HookReport) -> bool:
    """Return whether ``report`` is of the conversation of that turn.

    A program that an agent runs in its own pane reports its turns from there, too.
    """
    return not opened.session or not report.session or opened.session == report.session


def _failure(store: Store, report: HookReport) -> AgentState:
    """Return the state after a turn that ended with an error."""
    told = store.hooks.detail(report.id)
    words = str(told.get("last_assistant_message") or told.get("error") or report.name)
    trouble = error_of(words, str(told.get("error") or ""), "hook")
    return AgentState(State.IDLE, trouble_words(trouble), "hook", trouble=trouble)


def _untold(turns: Sequence[ReportedTurn], states: Sequence[Event]) -> list[ReportedTurn]:
    """Return those of ``turns`` that the history does not have, with their ends.

    ``states`` are the last changes of state, the newest first.
    """
    spans = [
        (since_of(one), since_of(after))
        for after, one in pairwise(states)
        if one.detail.get("state") in AT_WORK
    ]
    return [
        turn
        for turn in turns
        if turn.begin != State.WAITING
        and not any(began <= turn.ended and turn.began < ended for began, ended in spans)
    ]


def _asked_in_turn(
    opened: _OpenTurn | None, seen: AgentState, written: tuple[str, float] | None
) -> list[ReportedChange]:
    """Return the beginning of a turn whose first sight is a question."""
    if opened is None or seen.state is not State.WAITING or written is None:
        return []
    if written[0] not in _RESTS or opened.at <= written[1]:
        return []
    return [ReportedChange(_working(opened.name), opened.at)]


def _steps(
    turns: Sequence[ReportedTurn],
    opened: _OpenTurn | None,
    seen: AgentState,
    written: tuple[str, float] | None,
) -> tuple[list[ReportedChange], list[ReportedTurn]]:
    """Return what is to be written of ``turns``, and those that cannot be settled yet."""
    found: list[ReportedChange] = []
    working = written is not None and written[0] in AT_WORK
    rests, begun = seen.shown in _RESTS, opened is not None
    for turn in turns:
        last = turn is turns[-1] and not begun
        if last and seen.shown in AT_WORK:
            return found, [turn]  # the screen still shows that turn, or the next
        if last and rests and working and not found:
            return found, [turn]  # the history knows this turn, and sees its end
        if not working:
            found.append(ReportedChange(_working(turn.begin), turn.began))
        working = last and seen.state is State.LIMITED
        if not working:
            found.append(ReportedChange(_ended(turn, seen if last and rests else None), turn.ended))
    if begun and opened is not None and seen.state is State.WAITING:
        found.append(ReportedChange(_working(opened.name), opened.at))
    return _in_order(found, _at(written)), []


def _in_order(steps: Sequence[ReportedChange], since: float) -> list[ReportedChange]:
    """Return ``steps``, none of them before ``since`` or before the one that precedes it."""
    return list(_later(steps, since))


def _later(steps: Sequence[ReportedChange], since: float) -> Iterator[ReportedChange]:
    for step in steps:
        since = max(since, step.since)
        yield step._replace(since=since)


def _working(name: str) -> AgentState:
    return AgentState(State.WORKING, f"hook: {name}", "hook")


def _ended(turn: ReportedTurn, seen: AgentState | None) -> AgentState:
    """Return the state after ``turn``: as it is ``seen``, if it is the last one."""
    if seen is not None and seen.shown is State.ERROR:
        return seen
    return turn.failed or AgentState(State.IDLE, f"hook: {turn.end}", "hook")
