"""Eight agents of four programs, troubles of all kinds while nobody looks, and nothing configured.

Each must be told, ``torch since`` must tell all of it, and one ``torch answer`` must answer what
can be answered. Only the screens and the stubs of the APIs say what is true.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from conftest import Torch
from e2e.conftest import Setup, World
from e2e.scenes import attached
from e2e.test_attention import FAULTS, KITS, asking, shows
from test_answer import Terminal
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.profiling.verify.texts import prose

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

TOLD_SECONDS = 30.0
"""Within this time a person must be told of what shows; a quiet machine takes less than five."""

EACH = 2
"""Agents of each program."""

REFUSED = {"claude": 529, "codex": 429, "gemini": 401}
"""The status with which the API of each program's first agent ends its turn. opencode's crashes."""


class Trouble(NamedTuple):
    """What has befallen an agent, and since when its screen shows it (seconds since the epoch)."""

    world: World
    name: str
    pane: str
    what: str
    shown: float


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[dict[str, World]]:
    """Two agents of each program on one tmux server, as `torch spawn` starts them, all idle."""
    with ExitStack() as stack:
        made: dict[str, World] = {}
        for name, kit in KITS.items():
            (root := tmp_path / name).mkdir()
            program, beside = kit(), next(iter(made.values()), None)
            extra = {"CLAUDE_CODE_MAX_RETRIES": "1"} if name == "claude" else None
            made[name] = world = World(
                root, program, program.install(), Setup.SPAWNED, extra=extra, beside=beside
            )
            stack.callback(world.close)  # the first one's server ends with it, so it closes last
            for _ in range(EACH):
                assert world.start().code == 0, world.server.screens()
                world.settle()
        yield made


@contextlib.contextmanager
def daemon(world: World) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the daemon of all of them."""
    running = world.popen("daemon", "run", "--quiet", "--log-json")
    try:
        yield running
    finally:
        running.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.communicate(timeout=60)
        running.kill()


def states(world: World) -> dict[str, str]:
    found = world.torch("status", "--json").out.splitlines()
    return {one["name"]: one["state"] for one in map(json.loads, found)}


def told(world: World) -> dict[str, list[float]]:
    """Return when a person was told of each agent, by the daemon's log."""
    found: dict[str, list[float]] = {}
    for line in world.torch("daemon", "logs", "-n", "9999").out.splitlines():
        entry = json.loads(line)
        if entry["event"] == "notice":
            for name in entry["agents"].split(", "):
                at = datetime.fromisoformat(entry["at"]).timestamp()
                found.setdefault(name, []).append(at)
    return found


def cause(world: World) -> list[Trouble]:
    """End the first agent's turn with an error, or a crash, and have the second ask something."""
    name, second = world.kit.name, (world.name, world.pane)
    found = []
    world.name, world.pane = f"{name}1", first_pane(world)
    if name in REFUSED:
        fault = FAULTS[name][REFUSED[name]]
        world.stub.behaviour = Behaviour(StubMode.ERROR, status=REFUSED[name])
        world.ask(prose(30))
        world.wait(lambda: shows(world, fault.shown), fault.shown)
        what = f"status {REFUSED[name]}"
    else:
        pid = world.server.cmd("display-message", "-p", "-t", world.pane, "#{pane_pid}")
        os.kill(int(pid), signal.SIGKILL)
        what = "kill -9"
    found.append(Trouble(world, world.name, world.pane, what, time.time()))
    world.name, world.pane = second
    world.stub.behaviour = asking(name) if name == "gemini" else Behaviour(StubMode.TOOL)
    world.ask(prose(30))
    world.wait(lambda: world.view().asks or shows(world, r"1\.\s+SQLite"), "a dialog")
    found.append(Trouble(world, *second, "a question", time.time()))
    world.stub.behaviour = Behaviour()
    return found


def first_pane(world: World) -> str:
    found: str = world.torch("state", f"{world.kit.name}1", "--json").json["pane"]
    return found


def test_all_are_told_and_answered_from_where_one_is(
    worlds: dict[str, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    claude = worlds["claude"]
    monkeypatch.setenv("TORCH_HOME", str(claude.directory / "torch"))
    monkeypatch.setenv("HOME", str(claude.home.path))
    with attached(claude), daemon(claude):
        claude.wait(lambda: len(states(claude)) == EACH * len(KITS), "the first look")
        claude.wait(lambda: set(states(claude).values()) <= {"idle", "done"}, "their rest")
        began = time.time()
        troubles = [one for world in worlds.values() for one in cause(world)]
        claude.wait(lambda: {one.name for one in troubles} <= set(told(claude)), "the notices")
        for one in troubles:
            at = told(claude)[one.name]
            late = at[0] - one.shown
            sys.stderr.write(f"\n{one.name}: {one.what}: told {late:+.2f} s after it showed\n")
            assert (late < TOLD_SECONDS, len(at)) == (True, 1), (one.name, at)
        since = claude.torch("since", f"{time.time() - began + 1:.0f}s")
        sys.stderr.write(since.out)
        for one in troubles:
            assert one.name in since.out, since.out
        answer_all(claude, [one for one in troubles if one.what == "a question"])
        claude.wait(lambda: "waiting" not in states(claude).values(), "nobody asks")


def answer_all(claude: World, asking: list[Trouble]) -> None:
    """Walk through all that wait, with No to what may be refused, and see what each heard."""
    walk = Terminal(Torch(claude.server.socket).argv("answer"))
    for _ in asking:
        walk.wait_for("q quits: ")
        no = next(
            (key for key, words in options_in(walk.shown) if words.startswith(("No", "Reject"))),
            "2",
        )
        walk.type(f"{no}\n")
    assert walk.finish() == 0, walk.shown
    sys.stderr.write(walk.shown)
    for one in asking:
        assert not (one.world.home.work / "approved").exists(), f"{one.name} was told No"
    heard = asking[-2].world.stub.requests
    claude.wait(lambda: any("PostgreSQL" in one.result for one in heard), "an answer in words")


def options_in(shown: str) -> list[tuple[str, str]]:
    """Return the options of the dialog that was shown last, each with its key."""
    rows = shown.rpartition("q quits: ")[0].rpartition("q quits: ")[2].splitlines()
    words = [row.split(None, 1) for row in rows]
    return [(one[0], one[1]) for one in words if len(one) == 2 and len(one[0]) == 1]
