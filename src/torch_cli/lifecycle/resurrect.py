"""Bringing back the agents that have fallen, several at a time, each in its conversation."""

import contextlib
import contextvars
import enum
import os
import queue
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import TimedOutError, TorchError, of_system
from torch_cli.interrupts import PutOff
from torch_cli.lifecycle.alone import alone
from torch_cli.lifecycle.arrangement import REBUILD_SECONDS
from torch_cli.lifecycle.notice import asked_by
from torch_cli.lifecycle.processes import end_all
from torch_cli.lifecycle.prospect import Course, Prospect
from torch_cli.lifecycle.rebuild import Builder, Rebuilt
from torch_cli.lifecycle.rebuild_plan import LostProcess, Step, WindowPlan
from torch_cli.lifecycle.restart import (
    BegunAgain,
    Restarted,
    RestartPlan,
    await_again,
    begin_again,
    tell_again,
)
from torch_cli.lifecycle.site import Site
from torch_cli.lifecycle.spawn import START_LOCK_SECONDS
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import RESURRECT
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.socket import Socket

AT_ONCE = max(2, min(8, 2 * (os.cpu_count() or 1)))
"""Programs that start at the same time. Each takes a second or two of a core, and then waits."""

ORPHAN_SECONDS = 5.0
"""Seconds that programs get to end by themselves after their tmux server."""

SIGNAL_SECONDS = 0.2
"""Seconds after which a wait for programs looks whether a signal has come: a person who presses
Ctrl-C sees no delay."""

CLOSING_SECONDS = 10.0
"""Seconds that a notice which is being typed gets after an interrupt."""


class Raised(enum.StrEnum):
    """What became of an agent."""

    RUNS = "runs"
    """It did not need to be brought back."""
    STAYS = "stays"
    BACK = "back"
    ASKS = "asks"
    """It runs, and waits for an answer."""
    STARTING = "starting"
    """It runs, and is not ready yet. It is told later."""
    FAILED = "failed"


class RaisedAgent(NamedTuple):
    """What became of ``agent``, and why, with an error if it is not simply back.

    ``again`` is its new program, ``restarted`` says how it was told.
    """

    agent: Agent
    what: Raised
    why: str = ""
    error: TorchError | None = None
    again: BegunAgain | None = None
    restarted: Restarted | None = None


class RaisedProcess(NamedTuple):
    """What became of a process of a team, and why. ``pane`` is that in which it runs."""

    process: LostProcess
    what: Raised
    why: str = ""
    error: TorchError | None = None
    pane: Pane | None = None


Outcome = RaisedAgent | Rebuilt | RaisedProcess

StartProcesses = Callable[[Mapping[LostProcess, str]], Iterator[RaisedProcess]]
"""Starts the processes of teams; gets the panes that hold their places."""


def _no_processes(places: Mapping[LostProcess, str]) -> Iterator[RaisedProcess]:
    return iter(())


@contextlib.contextmanager
def resurrecting() -> Iterator[None]:
    """Hold the right to bring agents back; raises ``HeldError`` if another process does it."""
    nothing = "nothing was started"
    with (
        alone("resurrect", "all", "brings agents back", nothing),
        alone("arrange", "all", "looks at sessions", nothing, REBUILD_SECONDS),
    ):
        yield


def resurrect(
    store: Store,
    steps: Sequence[Step],
    *,
    by: str = "",
    seconds: float | None = None,
    processes: StartProcesses = _no_processes,
    on_step: Callable[[str], None] = lambda step: None,
) -> Iterator[Outcome]:
    """Take the ``steps`` that bring back what has fallen; yield what became of each, as it comes.

    ``by`` says who asked for it, by default who calls. Each may take ``seconds`` to be ready, by
    default what its profile says. Windows are opened one after the other, in the order of the
    steps, so that they come back in that order; then ``processes`` starts those of teams. If this
    is interrupted, no more are opened. Those that were stay, and their notices wait in the outbox.
    At the end one event says it all.
    """
    starts = _Starts(seconds)
    raising = _Raising(store, by or asked_by(store), starts, on_step)
    outcomes: list[Outcome] = []
    try:
        for outcome in raising.take(steps, processes):
            outcomes.append(outcome)
            yield outcome
    finally:
        raising.close()
        starts.close()
        _record(store, outcomes)


class _Raising:
    """Takes steps in their order. What was started is awaited by ``starts``."""

    def __init__(
        self, store: Store, by: str, starts: "_Starts", on_step: Callable[[str], None]
    ) -> None:
        self._store, self._by, self._starts, self._on_step = store, by, starts, on_step
        self._deadline = time.monotonic() + ORPHAN_SECONDS
        self._outcomes: list[Outcome] = []
        self._places: dict[LostProcess, str] = {}
        self._begun: list[BegunAgain] = []
        self._sites: dict[tuple[str, str], Site] = {}

    def take(self, steps: Sequence[Step], processes: StartProcesses) -> Iterator[Outcome]:
        """Yield what became of each step, of processes, and at last of those that were awaited."""
        for step in steps:
            if isinstance(step, WindowPlan):
                self._on_step(f"opening {step.place}")
                site = self._site(step)
                rebuilt = Builder(self._store, step, site, self._begin).build()
                self._places.update(rebuilt.places)
                self._outcomes.append(rebuilt)
            else:
                self._begin(step)
            for again in self._begun:
                self._starts.begin(again)
            self._begun = []
            yield from self._outcomes
            self._outcomes = []
        yield from processes(self._places)
        while self._starts.running:
            yield self._starts.next()

    def _site(self, step: WindowPlan) -> Site:
        key = (step.socket, step.session)
        if key not in self._sites:
            self._sites[key] = Site(self._store, Socket(path=step.socket), step.session)
        return self._sites[key]

    def close(self) -> None:
        """Leave no window that holds the place of another."""
        for site in self._sites.values():
            with contextlib.suppress(TorchError):
                site.close()

    def _begin(self, one: Prospect) -> Pane | None:
        """Start an agent, and return its pane; it is awaited when its window is whole."""
        if one.plan is None:
            self._outcomes.append(_not_raised(one))
            return None
        while self._starts.running >= AT_ONCE:
            self._outcomes.append(self._starts.next())
        try:
            _end_orphan(one, self._deadline)
            self._on_step(f"starting {one.agent.name}")
            again = _begin(self._store, one.plan, f"{one.why}; {self._by}")
        except TorchError as error:
            self._outcomes.append(RaisedAgent(one.agent, Raised.FAILED, error.message, error))
            return None
        self._begun.append(again)
        return again.window.pane


def _record(store: Store, outcomes: Sequence[Outcome]) -> None:
    """Write one event on all that was to be brought back, with the reasons of what was not."""
    agents = [one for one in outcomes if isinstance(one, RaisedAgent)]
    fallen = [one for one in agents if one.what not in (Raised.RUNS, Raised.STAYS)]
    if not fallen:
        return
    back = [one.agent.name for one in fallen if one.what is Raised.BACK]
    failed = {one.agent.name: one.why.split("\n")[0] for one in fallen if one.what is Raised.FAILED}
    later = {one.agent.name: str(one.what) for one in fallen}
    later = {name: what for name, what in later.items() if name not in (*back, *failed)}
    windows = [one for one in outcomes if isinstance(one, Rebuilt) and one.lacks]
    failed |= {one.plan.place: one.lacks for one in windows}
    processes = [one for one in outcomes if isinstance(one, RaisedProcess)]
    lost = [one for one in processes if one.what is Raised.FAILED]
    failed |= {f"{one.process.session}:{one.process.name}": one.why for one in lost}
    said = [f"{len(back)} of {len(fallen)} agents are back"]
    said += [f"{name}: {why}" for name, why in (later | failed).items()]
    detail = {"words": "; ".join(said), "back": back, "failed": failed, "later": later}
    store.events.add(RESURRECT, "", detail)


def _begin(store: Store, plan: RestartPlan, why: str) -> BegunAgain:
    """Start an agent; a signal takes effect afterwards.

    A window that is closed again half way would look as if a person had closed it.
    """
    whole = PutOff(START_LOCK_SECONDS)
    whole.begin()
    try:
        return begin_again(store, plan, why)
    finally:
        whole.end()


def _not_raised(one: Prospect) -> RaisedAgent:
    what = {Course.RUNS: Raised.RUNS, Course.STAYS: Raised.STAYS}.get(one.course, Raised.FAILED)
    return RaisedAgent(one.agent, what, one.why, one.error)


def _end_orphan(one: Prospect, deadline: float) -> None:
    """End the program of an agent that has outlived its tmux server, once it had time to end."""
    if one.orphan is None:
        return
    while procs.alive(one.orphan) and time.monotonic() < deadline:
        select.select([], [], [], 0.02)  # it is not our child, so there is nothing to wait on
    # Torch has started it: its variables say so.
    if "TORCH_AGENT" in (procs.environment(one.orphan.pid) or {}):
        end_all([one.orphan, *procs.descendants(one.orphan.pid)])


class _Starts:
    """Waits for programs that were started, each in a thread of its own, and tells them."""

    def __init__(self, seconds: float | None) -> None:
        self.running = 0
        self._seconds = seconds
        self._ended: queue.SimpleQueue[RaisedAgent] = queue.SimpleQueue()
        self._turn = threading.Condition()
        self._typing, self._closed = 0, False

    def begin(self, again: BegunAgain) -> None:
        """Wait for the program in a thread, which does not keep this process alive."""
        self.running += 1
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(self._run, again), daemon=True).start()

    def next(self) -> RaisedAgent:
        """Return the outcome of the next one that ends."""
        while True:
            # A signal that another thread gets, or that comes just before the wait, does not end
            # the wait: Python handles it in this thread alone, and after that.
            with contextlib.suppress(queue.Empty):
                outcome = self._ended.get(timeout=SIGNAL_SECONDS)
                self.running -= 1
                return outcome

    def close(self) -> None:
        """Begin to type nothing more, and wait for what is being typed."""
        with self._turn:
            self._closed = True
            self._turn.wait_for(lambda: not self._typing, CLOSING_SECONDS)

    def _run(self, again: BegunAgain) -> None:
        try:
            outcome = self._raise(again)
        except Exception as error:  # an error of one must not stop the others
            known = of_system(error)
            said = f"{type(error).__name__}: {error}"
            failed = known if isinstance(known, TorchError) else TorchError(said, code="unforeseen")
            outcome = _outcome(again, failed)
        self._ended.put(outcome)

    def _raise(self, again: BegunAgain) -> RaisedAgent:
        with Store() as store:
            await_again(store, again, self._seconds)
            with self._turn:
                if self._closed:
                    return _outcome(again, TimedOutError("interrupted", code="interrupted"))
                self._typing += 1
            try:
                restarted = tell_again(store, again)
            finally:
                with self._turn:
                    self._typing -= 1
                    self._turn.notify_all()
        return RaisedAgent(restarted.agent, Raised.BACK, again=again, restarted=restarted)


def _outcome(again: BegunAgain, error: TorchError) -> RaisedAgent:
    """Return the outcome of an agent that was started and is not ready."""
    if isinstance(error, TimedOutError):
        what = Raised.STARTING
    else:
        what = Raised.ASKS if error.code == "dialog" else Raised.FAILED
    return RaisedAgent(again.agent, what, error.message, error, again)
