"""A normal working day of four agents, in a minute: none is said to stall, nothing is told twice.

The screens are those that were captured from the real programs. The day is made of what these do on
a normal day: turns of minutes, an API that does not answer for as long as they wait for it, tools
that run silently for most of an hour, questions that a person answers, and the moment between two
drawings in which a screen says nothing. Only time is not real: the clock of the modules that decide
is the day's.
"""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pytest

import test_classify as claude
import test_classify_others as others
import test_other_screens as footed
from conftest import wait_until
from dialogs import PROFILES
from test_notices import configure
from torch_cli import procs
from torch_cli.attention import history as history_module
from torch_cli.attention import notices as notices_module
from torch_cli.attention import stalled as stalled_module
from torch_cli.attention.history import History
from torch_cli.attention.notices import Notices
from torch_cli.programs.classify import classify
from torch_cli.programs.state import AgentState, State
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.screen import Screen
from torch_cli.watch.sweep import Seen

HOURS = 8
SEED = 20261129
LOOK_SECONDS, REST_SECONDS = 0.5, 5.0
"""Between two looks: as the daemon looks, and in the middle of what does not change."""

PATIENCE_SECONDS = {"claude": 613.0, "codex": 300.0, "gemini": 300.0, "opencode": 300.0}
"""For how long a program waits for its API before it asks again (docs/attention.md)."""

LONGEST_TOOL_SECONDS = 50 * 60.0


class Clock:
    """The day's time, in place of the module ``time``. It ends now: so what is started now is
    later than all that the day has seen."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.began = time.time() - (HOURS + 1) * 3600

    def time(self) -> float:
        return self.began + self.passed

    def monotonic(self) -> float:
        return 1000.0 + self.passed


class Shown(NamedTuple):
    """What a screen says, and its rows."""

    state: AgentState
    rows: str


class Part(NamedTuple):
    """A part of the day: a screen for so many seconds, with a tool that runs meanwhile or not."""

    kind: str
    shown: Shown
    seconds: float
    tool: bool = False


def shown(program: str, screen: Screen) -> Shown:
    return Shown(classify(screen, PROFILES[program]), screen.text)


def captured(program: str) -> Mapping[State, Sequence[Shown]]:
    """Return what the program's captured screens show, by state: wide ones with an empty box."""
    if program == "claude":
        screens = [claude.load(name) for name in claude.FILES]
    else:
        module = footed if program in ("codex", "gemini") else others
        screens = [module.load(of, name) for of, name in module.FILES if of == program]
    found: dict[State, list[Shown]] = {State.IDLE: [], State.WORKING: [], State.WAITING: []}
    for screen in screens:
        one = shown(program, screen)
        plain = one.state.trouble is None and (one.state.box is None or one.state.box.empty)
        known = one.state.dialog is None or one.state.dialog.kind in ("permission", "question")
        if plain and known and screen.width >= 80 and one.state.state in found:
            found[one.state.state].append(one)
    assert all(found.values()), (program, found)
    return found


class Program:
    """One agent's day: its parts, and a process that stands for its program."""

    def __init__(self, name: str, store: Store, chance: random.Random) -> None:
        self.name, self.chance, self.screens = name, chance, captured(name)
        self.process = subprocess.Popen(["sh"], stdin=subprocess.PIPE)
        program = procs.identify(self.process.pid)
        assert program is not None
        self.agent = store.agents.add(
            Agent(
                *(name, name, "adopted", "/nowhere", "s", f"%{self.process.pid}", program.pid),
                *("work", name, "/", program.pid, program.started),
            )
        )
        self.questions = 0
        self._parts = self._day()
        self._part, self._since, self._tool = next(self._parts), 0.0, False

    def seen(self, passed: float) -> Seen:
        """Return what is seen of it now; the next part of its day begins if the last is over."""
        if passed - self._since >= self._part.seconds:
            before = self._part.kind
            self._part, self._since = next(self._parts), passed
            self.questions += self._part.kind == "waiting" != before
            self._run_tool()
        elapsed = int(passed - self._since)
        rows = re.sub(r"\d+s\b", f"{elapsed}s", self._part.shown.rows)
        if self._part.kind == "streaming":
            rows = f"{rows}\nline {elapsed // 20}"
        return Seen(None, self._part.shown.state, 0.0, 0, None, rows)  # type: ignore[arg-type]

    def close(self) -> None:
        assert self.process.stdin is not None
        for child in procs.descendants(self.process.pid):
            os.kill(child.pid, signal.SIGKILL)
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()

    def _run_tool(self) -> None:
        """Start or end the process of a tool, as the part of the day wants it."""
        if self._part.tool == self._tool:
            return
        self._tool = self._part.tool
        assert self.process.stdin is not None
        line = "sleep 3600 & P=$!\n" if self._tool else "kill $P; wait $P 2>/dev/null\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        program = self.process.pid
        wait_until(lambda: bool(procs.descendants(program)) == self._tool, what="the tool")

    def _day(self) -> Iterator[Part]:
        """Yield the parts of the day, one turn after the other."""
        chance, one = self.chance, self._one
        yield one("idle", State.IDLE, 30)
        for turn in range(10_000):
            yield one(
                "thinking", State.WORKING, PATIENCE_SECONDS[self.name] if turn % 4 == 3 else 40
            )
            for _ in range(chance.randrange(1, 4)):
                yield one("streaming", State.WORKING, chance.uniform(5, 120))
                yield one("flicker", State.UNKNOWN, 0.2)
                if chance.random() < 0.4:
                    yield one("waiting", State.WAITING, chance.uniform(10, 600))
                most = LONGEST_TOOL_SECONDS if turn % 5 == 2 else 60
                yield one("tool", State.WORKING, chance.uniform(1, most), tool=True)
            yield one("streaming", State.WORKING, 20)
            yield one("idle", State.IDLE, chance.uniform(5, 900))

    def _one(self, kind: str, state: State, seconds: float, *, tool: bool = False) -> Part:
        if state is State.UNKNOWN:
            blank = Screen.parse("", width=120, height=40)
            return Part(kind, shown(self.name, blank), seconds)
        return Part(kind, self.chance.choice(self.screens[state]), seconds, tool)


class Day(History):
    """The history over agents whose screens are given to it."""

    def __init__(self, programs: Iterable[Program], clock: Clock) -> None:
        super().__init__()
        self.programs = {one.name: one for one in programs}
        self.clock = clock

    def _all(self, store: Store, agents: Sequence[Agent]) -> Iterator[tuple[Agent, Seen | None]]:
        for agent in agents:
            yield agent, self.programs[agent.name].seen(self.clock.passed)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    for module in (history_module, stalled_module, notices_module):
        monkeypatch.setattr(module, "time", one)
    return one


@pytest.mark.timeout(600)
def test_on_a_normal_day_nobody_stalls_and_nothing_is_told_twice(
    store: Store, clock: Clock
) -> None:
    configure("tmux = false\nbell = false\ndesktop = false")
    chance = random.Random(SEED)
    programs = [Program(name, store, chance) for name in PATIENCE_SECONDS]
    day, notices = Day(programs, clock), Notices(clock.time(), lambda error: None)
    alive = {one.agent.identity: one.agent for one in programs}
    told, states = list[tuple[str, ...]](), list[tuple[str, str]]()
    try:
        while clock.passed < HOURS * 3600:
            changes = day.look(store)
            states += [(one.agent.name, str(one.state.shown)) for one in changes]
            notices.take(changes)
            notice = notices.tell(alive, {})
            told += [notice.agents] if notice else []
            busy = notices.busy or day.unsettled or bool(changes)
            clock.passed += LOOK_SECONDS if busy else REST_SECONDS
    finally:
        for one in programs:
            one.close()
    assert [one for one in states if one[1] == "stalled"] == []
    asked = sum(one.questions for one in programs)
    assert asked > 50, "a day with questions"
    names = [name for agents in told for name in agents]
    assert len(names) <= asked, "no question twice, and nothing else"
    assert len(names) >= asked - 4, "and each is told"
