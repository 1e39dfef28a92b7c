"""One proof from start to end: every check in turn, what passed, what failed, and the progress.

The parts of a proof do not need each other. So each has its own program, home and server, and one
part runs on each core of the machine.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from torch_cli.errors import TorchError
from torch_cli.profiling.verify import checks, keys
from torch_cli.profiling.verify.checks import Ledger
from torch_cli.profiling.verify.plan import Failure, Plan, Tried
from torch_cli.profiling.verify.stage import KEY_PRESSES, Failed, Stage
from torch_cli.profiling.verify.subject import Subject
from torch_cli.programs.observe import Sight
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import State
from torch_cli.store import Store

PROGRAMS_AT_ONCE = 4
"""At most this many programs run at once."""

UNHURRIED_SECONDS = 0.5
"""Seconds from a command in the box to Enter: some open a list first, which then takes the key."""

Say = Callable[[dict[str, Any]], None]


class Proving:
    """The proof of one program. ``say`` is called with the progress and with each failure."""

    def __init__(
        self, root: Path, subject: type[Subject], profile: Profile, plan: Plan, say: Say
    ) -> None:
        self.root, self.subject, self.profile, self.plan, self.say = (
            *(root, subject, profile, plan),
            say,
        )
        submit = profile.submit
        keys = {"chord": submit.chord, "idle_key": submit.idle_key}
        self.tried = {name: Tried(" ".join(key)) for name, key in keys.items() if key}
        self.counts: dict[str, int] = {}
        self.failures: list[Failure] = []
        self.queues: bool | None = None
        self.ready = 0.0
        self.configuration: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """How many things must pass."""
        subject, plan = self.subject, self.plan
        lists = len(subject.commands) + (len(subject.at_start) if plan.at_start else 0)
        met = len(subject.dialogs) * plan.openings + lists * plan.presses
        keys = (1 + met) * len(self.tried)
        others = len(self.renderers[1:]) * len(plan.sizes)
        if not plan.deliveries:
            return keys + others
        whole = 1 + len(checks.contents(plan)) + 1 + len(plan.sizes)
        whole += int(self.may_queue) + int(bool(self.profile.answer.transcript))
        return whole + keys + others

    @property
    def renderers(self) -> list[str]:
        """The ways of drawing that are tested."""
        return list(self.subject.renderers)[: self.plan.renderers]

    @property
    def may_queue(self) -> bool:
        """Whether messages are typed into the working program."""
        return bool(self.profile.paste.queues and self.profile.submit.chord)

    def run(self) -> dict[str, Any]:
        """Prove everything; return the result."""
        parts: list[Callable[[ProofPart], None]] = (
            [ProofPart.deliveries] if self.plan.deliveries else []
        )
        parts += [lambda part, name=name: part.key(name) for name in self.tried]  # type: ignore[misc]
        parts += [ProofPart.others] if len(self.renderers) > 1 or self.plan.at_start else []
        at_once = min(len(parts), PROGRAMS_AT_ONCE, max(2, os.cpu_count() or 1))
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(self._run, range(len(parts)), parts))
        return {
            "configuration": {
                **self.configuration,
                "renderers": [one for one in self.renderers if one],
                "sizes": [f"{width}x{height}" for width, height in self.plan.sizes],
            },
            "ready_seconds": round(self.ready, 2),
            "held": self.counts,
            "total": self.total,
            "keys": {name: tried.as_json() for name, tried in self.tried.items()},
            "queues": self.queues,
            "failures": [one._asdict() for one in self.failures],
        }

    def _run(self, number: int, act: "Callable[[ProofPart], None]") -> None:
        with self._stage(number) as stage:
            act(ProofPart(self, stage))

    @contextmanager
    def _stage(self, number: int) -> Iterator[Stage]:
        """Give the program another home, and afterwards end what was started there."""
        root = self.root / str(number)
        root.mkdir()
        subject = self.subject(root)
        self.configuration = subject.configuration
        try:
            with Store() as store:
                stage = Stage(root, subject, self.profile, store, self.plan.patience)
                try:
                    yield stage
                finally:
                    stage.end()
        finally:
            subject.close()

    def held(self, check: str) -> None:
        """Count one thing that passed."""
        with self._lock:
            self.counts[check] = self.counts.get(check, 0) + 1
            self.say({"check": check, "held": sum(self.counts.values()), "total": self.total})

    def failed(self, check: str, failed: Failed) -> None:
        """Record one thing that failed. The same sentence is recorded once."""
        failure = Failure(check, failed.sentence, failed.screen)
        with self._lock:
            if failure.sentence not in [one.sentence for one in self.failures]:
                self.failures.append(failure)
                self.say({"failure": failure._asdict()})


class ProofPart:
    """What is proven with one running program."""

    def __init__(self, proving: Proving, stage: Stage) -> None:
        self.proving, self.stage, self.plan = proving, stage, proving.plan
        self.check = "start"
        self.lost = False

    def deliveries(self) -> None:
        """Prove start, texts, queue, draft, transcript and states."""
        proving, first = self.proving, self.proving.renderers[0]
        if not self._do("start", self._start, first):
            return
        for kind, make in checks.contents(self.plan).items():
            self._do("texts", checks.check_text, self.stage, kind, make())
        if proving.may_queue:
            proving.queues = self._do("queue", checks.check_queue, self.stage)
        self._do("draft", checks.check_draft, self.stage)
        if proving.profile.answer.transcript:
            self._do("transcript", checks.check_transcript, self.stage)
        self._states(first)

    def key(self, name: str) -> None:
        """Try one key: does it submit, and do dialogs of work and of commands ignore it?"""
        tried, pressed = self.proving.tried[name], getattr(self.proving.profile.submit, name)
        ready = self._do("start", self._start, self.proving.renderers[0], counts=False)
        if not (ready and self._do("keys", keys.check_submits, self.stage, tried, pressed)):
            tried.broken = True
            return
        working = name == "chord" and self.proving.may_queue
        for kind in self.stage.subject.dialogs:
            if not self._do("keys", self._openings, tried, pressed, kind, working, counts=False):
                tried.broken = True
        for kind, command in self.stage.subject.commands.items():
            act = (self._command, tried, pressed, kind, command)
            if not self._do("keys", *act, counts=False):
                tried.broken = True

    def others(self) -> None:
        """Prove the states in other renderers, and press every key at the questions of a start."""
        for renderer in self.proving.renderers[1:]:
            if self._do("start", self._start, renderer, counts=False):
                self._states(renderer)
        for kind in self.stage.subject.at_start if self.plan.at_start else ():
            for name, tried in self.proving.tried.items():
                pressed = getattr(self.proving.profile.submit, name)
                if not self._do("keys", self._ask, tried, pressed, kind, counts=False):
                    tried.broken = True

    # -- acts --------------------------------------------------------------------------------------

    def _start(self, renderer: str) -> None:
        took = self.stage.start(self.stage.subject.renderers[renderer])
        self.proving.ready = self.proving.ready or took

    def _states(self, renderer: str) -> None:
        for size in self.plan.sizes:
            self._do(f"states {renderer}".strip(), checks.check_states, self.stage, size)

    def _openings(self, tried: Tried, pressed: tuple[str, ...], kind: str, working: bool) -> None:
        count, ledger = self.plan.openings, self._ledger()
        keys.check_openings(self.stage, tried, pressed, kind, count, ledger, working=working)

    def _command(self, tried: Tried, pressed: tuple[str, ...], kind: str, command: str) -> None:
        stage = self.stage
        stage.settle()
        stage.subject.prepare(stage, kind)
        stage.paste(command)
        stage.wait(
            lambda sight: sight.state.box is not None and command in sight.state.box.text,
            f"'{command}' was not seen in the input box",
        )
        time.sleep(UNHURRIED_SECONDS)
        self._enter(command)
        keys.check_presses(stage, tried, pressed, kind, self.plan.presses, self._ledger())
        stage.settle()

    def _enter(self, command: str) -> None:
        """Press Enter until the command has left the box: a list of commands may take the first."""

        def left(sight: Sight) -> bool:
            # A list of commands over the box is no end: the command still stands in it.
            if sight.state.box is None:
                return sight.state.state is State.WAITING
            return not stands(sight)

        def stands(sight: Sight) -> bool:
            return sight.state.box is not None and command in sight.state.box.text

        for _ in range(KEY_PRESSES):
            self.stage.keys("Enter")
            with suppress(Failed):
                self.stage.wait(left, "", seconds=self.plan.patience / 3)
                return
            if not stands(self.stage.look()):
                return

    def _ask(self, tried: Tried, pressed: tuple[str, ...], kind: str) -> None:
        self.stage.end()  # the program may write its memory when it ends
        self.stage.subject.ask_at_start(kind)
        self.stage.start(ready=False)
        keys.check_presses(self.stage, tried, pressed, kind, self.plan.presses, self._ledger())

    # -- bookkeeping -------------------------------------------------------------------------------

    def _ledger(self) -> Ledger:
        return Ledger(
            lambda: self.proving.held(self.check),
            lambda failed: self.proving.failed(self.check, failed),
        )

    def _do(self, check: str, act: Callable[..., object], *given: Any, counts: bool = True) -> bool:
        """Do one thing; return whether it passed. After a failure make the program ready again."""
        self.check = check
        if self.lost:
            return False
        try:
            act(*given)
        except Failed as failed:
            self.proving.failed(check, failed)
        except (TorchError, TimeoutError) as error:
            words = str(getattr(error, "message", error))
            self.proving.failed(check, Failed(words, self.stage.screen()))
        else:
            if counts:
                self.proving.held(check)
            return True
        if check != "start":
            self._recover()
        return False

    def _recover(self) -> None:
        """Bring the program to rest, or start it again, so that more can be proven."""
        try:
            self.stage.settle()
        except (Failed, TorchError, AssertionError):
            try:
                self.stage.subject.ask_at_start("")
                self.stage.start()
            except (Failed, TorchError):
                self.lost = True
