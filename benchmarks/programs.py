"""The real agent programs: a proven delivery and ``torch ask``, beside the program alone.

The programs, their homes and the stubs of their APIs on loopback are those of the e2e tests.
"Alone" is the same agent driven by tmux without Torch: the text pasted, the submit key pressed once
it stands in the box and the profile's settle time is over, nothing proven. The screen is then read
by the e2e tests' own reading of it, as fast as an open control client lets it.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks.delivery import deliver_one
from benchmarks.figures import Row, median
from benchmarks.lab import ROOT, Lab, say, timed, wait_until
from benchmarks.sending import CLASSIC, RIPE
from torch_cli.delivery.recipient import Recipient, recipient
from torch_cli.errors import TorchError
from torch_cli.profiling.stub import Behaviour
from torch_cli.roster.registry import find
from torch_cli.store import Store
from torch_cli.tmux import gate, quote
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.process import program

sys.path.append(str(ROOT / "tests"))  # no package of the project's

from e2e.aider import Aider
from e2e.claude import ClaudeCode
from e2e.codex import Codex
from e2e.conftest import Setup, World
from e2e.gemini import Gemini
from e2e.opencode import OpenCode
from e2e.program import NotInstalledError, Program, View

KITS: tuple[Program, ...] = (ClaudeCode(), Codex(), Gemini(), OpenCode(), Aider())

RUNS = 12
WARM_UP = 2
ANSWER = 0.5
"""Seconds until the stub answers: less than any model takes."""

LIMIT = 150.0
"""Milliseconds that ``torch ask``, its start included, may take longer than the program alone."""

OVER = 0.4
"""Seconds for which a turn must have ended on the screen to have ended when it first looked so."""

LOOK = 0.001
"""Seconds between two looks at the program alone."""

_FAILURES = (AssertionError, OSError, RuntimeError, subprocess.SubprocessError, TorchError)


def measure(kit: Program, lab: Lab) -> list[Row]:
    """Return one program's rows; why there are none is a row, too."""
    group = kit.name
    title = f"{kit.title} {kit.version}"
    try:
        with lab.outside():
            program = kit.install()
    except NotInstalledError as error:
        say(str(error))
        return [Row(group, title, (), "not installed: see above")]
    try:
        with _world(lab, kit, program) as world:
            return _rows(group, title, _measured(world))
    # What pytest raises for a wait that was in vain is no Exception.
    except (*_FAILURES, pytest.fail.Exception) as error:
        say(str(error) or repr(error))
        return [Row(group, title, (), "not measured: see above")]


class Measured(NamedTuple):
    """Milliseconds by what was timed, how deliveries ended, and the profile's settle (seconds)."""

    ms: dict[str, list[float]]
    state: str
    settle: float


def _rows(group: str, title: str, found: Measured) -> list[Row]:
    echo, turn = median(found.ms["echo"]), median(found.ms["turn"])

    def row(what: str, way: str) -> Row:
        took = median(found.ms[way])
        beside = f"{took - echo:+.0f} ms, {took / echo:.1f} x its own echo"
        return Row(group, what, tuple(found.ms[way]), beside)

    settle = f", {found.settle * 1000:.0f} ms settle" if found.settle else ""
    more = median(found.ms["ask"]) - turn
    over = f"  alone: paste to the end of the turn, answer after {ANSWER:g} s"
    return [
        Row(group, f"{title} alone: paste, see{settle}, submit, echo", tuple(found.ms["echo"])),
        row(f"  delivered through the library: {found.state}", "library"),
        row("  torch send, whole process", "send"),
        row("  classic script, no proof", "classic"),
        Row(group, over, tuple(found.ms["turn"])),
        Row(
            group,
            "  torch ask, whole process",
            tuple(found.ms["ask"]),
            f"{more:+.0f} ms against the program alone",
            more,
            LIMIT,
            wanted=f"at most {LIMIT:g} ms more",
        ),
    ]


# -- the program -----------------------------------------------------------------------------------


class _BenchWorld(World):
    """The e2e tests' world, with the installed Torch."""

    torch_program: Path

    def popen(self, *args: str) -> subprocess.Popen[bytes]:
        words = [str(self.torch_program), args[0], *self.server.socket.arguments, *args[1:]]
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.torch_environment,
            cwd=self.home.work,
        )

    @property
    def torch_environment(self) -> Mapping[str, str]:
        return {
            **self.environment,
            **self.variables,
            "TORCH_HOME": str(self.directory / "torch"),
        }


@contextmanager
def _world(lab: Lab, kit: Program, program: Path) -> Iterator[_BenchWorld]:
    """Start the program as an agent, set up as its users are told to; it is idle and its box empty.

    Claude Code has Torch's key binding and hooks (``torch agent-setup``), the others what ``torch
    spawn`` gives them.
    """
    root = lab.directory / "program"
    root.mkdir()
    _BenchWorld.torch_program = lab.bin / "torch"
    setup = Setup.CHORD if kit.name == "claude" else Setup.SPAWNED
    world = _BenchWorld(root, kit, program, setup)
    try:
        os.environ["TORCH_HOME"] = str(world.directory / "torch")
        world.ready()
        time.sleep(RIPE)
        yield world
    finally:
        world.close()


def _measured(world: _BenchWorld) -> Measured:
    """Send the same messages in every way, by turns."""
    ms: dict[str, list[float]] = {"echo": [], "turn": []}
    states: list[str] = []
    with Store() as store:
        agent = find(store, world.server.socket, world.name)
        with ControlClient(agent.socket, agent.pane.session_id) as client:
            to = recipient(store, agent, client)
            alone = _Alone(world, client, to)
            ways: dict[str, Callable[[str], object]] = {
                "library": lambda text: states.append(deliver_one(client, store, to, text)),
                "send": partial(_torch, world, "send"),
                "classic": _classic(world),
                "ask": partial(_torch, world, "ask"),
            }
            for number in range(WARM_UP + RUNS):
                echo, turn = alone.exchange(f"alone {number}: one word will do")
                took = {"echo": echo, "turn": turn}
                for way, send in ways.items():
                    took[way] = _sent(world, f"{way} {number}: one word will do", send)
                if number >= WARM_UP:
                    for what, value in took.items():
                        ms.setdefault(what, []).append(value)
    return Measured(ms, " or ".join(sorted(set(states))), to.profile.paste.settle)


def _classic(world: _BenchWorld) -> Callable[[str], object]:
    script = world.directory / "classic"
    script.write_text(
        CLASSIC.format(tmux=f"{shlex.quote(program())} -S {world.server.socket.file}")
    )
    script.chmod(0o755)
    return lambda text: subprocess.run([script, world.pane, text], check=True)


def _torch(world: _BenchWorld, command: str, text: str) -> None:
    words = [str(world.torch_program), command, *world.server.socket.arguments, world.name, text]
    done = subprocess.run(
        words, capture_output=True, text=True, env=world.torch_environment, check=False
    )
    if done.returncode != 0 or (command == "ask" and done.stdout.strip() != _answer(text)):
        raise RuntimeError(f"torch {command}: exit {done.returncode}: {done.stdout}{done.stderr}")


def _answer(text: str) -> str:
    """Return what the stub answers to ``text``."""
    return f"Heard {text.split(':')[0]}."


def _sent(world: _BenchWorld, text: str, send: Callable[[str], object]) -> float:
    """Return the milliseconds that ``send`` took; the message must have arrived once."""
    mark = len(world.stub.requests)
    with world.stub.behaving(Behaviour(delay=ANSWER, answer=_answer(text))):
        took = timed(partial(send, text))
        _await_turn(world, text, mark)
    return took


def _await_turn(world: _BenchWorld, text: str, mark: int) -> None:
    """Wait until ``text`` has been answered and the program is at rest."""
    wait_until(lambda: len(world.stub.requests) > mark and not world.stub.busy)
    world.settle()
    came = [world.kit.received(text) for text in world.stub.texts(mark)]
    if came.count(text) != 1:
        raise RuntimeError(f"{text!r} did not arrive once: {came}")


class _Look(NamedTuple):
    """What the program shows; ``below`` says that the cursor is under all of it."""

    view: View
    below: bool

    def shows(self, text: str) -> bool:
        return any(text in row for row in self.view.rows)


class _Alone(NamedTuple):
    """The program, driven by tmux and without proof."""

    world: _BenchWorld
    client: ControlClient
    to: Recipient

    def exchange(self, text: str) -> tuple[float, float]:
        """Return the milliseconds from the paste of ``text`` to its echo, and to the turn's end."""
        mark = len(self.world.stub.requests)
        answer = _answer(text)
        with self.world.stub.behaving(Behaviour(delay=ANSWER, answer=answer)):
            began = time.perf_counter()
            self._paste(text)
            self._await(lambda look: look.view.box == text)
            time.sleep(self.to.profile.paste.settle)
            self._press()
            echoed = self._await(lambda look: self._is_cleared(look) and look.shows(text))
            over = self._await(lambda look: look.view.idle and look.shows(answer), stands=OVER)
            _await_turn(self.world, text, mark)
        return (echoed - began) * 1000, (over - began) * 1000

    def _paste(self, text: str) -> None:
        gate.load(self.client, "alone", text.encode())
        self.client.call("paste-buffer", "-p", "-r", "-d", "-b", "alone", "-t", self.world.pane)

    def _press(self) -> None:
        self.client.call("send-keys", "-t", self.world.pane, "--", *self.to.submit.keys)

    def _is_cleared(self, look: _Look) -> bool:
        if self.world.kit.hides_box:  # a submitted text looks like a draft, but for the cursor
            return look.below or not look.view.box
        return look.view.box == ""

    def _await(self, wanted: Callable[[_Look], bool], *, stands: float = 0.0) -> float:
        """Return when the screen first was as ``wanted``, seen to stay so for ``stands`` seconds.

        Both in seconds, of ``perf_counter``.
        """
        since = 0.0
        deadline = time.perf_counter() + 20.0
        while True:
            is_so = wanted(self._look())
            now = time.perf_counter()
            since = (since or now) if is_so else 0.0
            if since and now >= since + stands:
                return since
            if now > deadline:
                raise RuntimeError(f"not within 20 s\n{self.world.server.screens()}")
            time.sleep(LOOK)

    def _look(self) -> _Look:
        pane = self.world.pane
        at = quote.line("display-message", "-p", "-t", pane, "#{cursor_y}")
        shown, cursor = self.client.ask_all(
            [quote.line("capture-pane", "-p", "-e", "-t", pane), at]
        )
        view = self.world.kit.view(shown.text, self.to.pane.width)
        return _Look(view, int(cursor.text) >= len(view.rows))
