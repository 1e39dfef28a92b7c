"""The real programs are hibernated, and a message wakes them in their conversation."""

from pathlib import Path
from typing import Any

import pytest

from conftest import wait_until
from e2e import test_recovery, test_recovery_codex, test_recovery_others
from e2e.conftest import MakeWorld, Setup, World
from e2e.program import Program
from e2e.remembered import conversation, say
from torch_cli import procs
from torch_cli.profiling.verify.texts import tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


BODIES = {
    "claude": test_recovery.BODIES,
    "codex": test_recovery_codex.BODIES,
    "gemini": test_recovery_others.BODIES,
    "opencode": test_recovery_others.BODIES,
}
"""The whole requests that came to the stub of each program."""


@pytest.fixture(
    scope="module",
    params=[
        test_recovery.Remembered,
        test_recovery_codex.Remembered,
        test_recovery_others.RememberedGemini,
        test_recovery_others.RememberedOpenCode,
    ],
    ids=lambda one: str(one.name),
)
def kit(request: pytest.FixtureRequest) -> Program:
    program: Program = request.param()
    return program


@pytest.fixture
def world(kit: Program, make_world: MakeWorld) -> World:
    """A program whose variables are those of its tmux server, as a person's are."""
    world = make_world(Setup.CHORD if kit.name == "claude" else Setup.SPAWNED)
    for name, value in world.variables.items():
        world.server.cmd("set-environment", "-g", name, value)
    world.environment |= world.variables
    world.variables = {}
    started = world.start()
    assert started.code == 0, f"{started}\n{world.server.screens()}"
    return world


def transcripts(world: World) -> set[str]:
    """Return the files of its conversations; opencode has one for all."""
    where = {
        "claude": ".claude/projects/*/*.jsonl",
        "codex": ".codex/sessions/**/*.jsonl",
        "gemini": ".gemini/tmp/*/chats/*.jsonl",
        "opencode": ".local/share/opencode/opencode.db",
    }
    return {path.stem for path in Path(world.home.path).glob(where[world.kit.name])}


def pid_in(world: World) -> int:
    return int(world.server.cmd("display-message", "-p", "-t", world.pane, "#{pane_pid}"))


def hibernated(world: World) -> dict[str, Any]:
    """Hibernate it, and return the answer once its process is gone."""
    process = procs.identify(pid_in(world))
    assert process is not None
    done = world.torch("hibernate", world.name, "--json")
    assert done.code == 0, f"{done}\n{world.server.screens()}"
    wait_until(lambda: not procs.alive(process), what="its end")
    answer: dict[str, Any] = done.json
    return answer


def test_a_message_wakes_it_in_its_conversation_and_arrives_once(world: World) -> None:
    first, second = tag(), tag()
    say(world, BODIES[world.kit.name], f"Remember {first}.")
    known, pane = conversation(world), world.pane
    assert hibernated(world)["conversation"] == known
    assert world.state()["state"] == "hibernated"
    shown = "Hibernated by Torch"  # tmux may see the end later
    world.wait(lambda: shown in world.server.screens(), "the words in its pane")
    whole = say(world, BODIES[world.kit.name], f"Good morning {second}.")
    assert first in whole, "the old conversation is in the new program's context"
    assert BODIES[world.kit.name][-1].count(f"Good morning {second}.") == 1
    assert (conversation(world), world.pane) == (known, pane)
    assert len(transcripts(world)) == 1
    assert world.state()["state"] == "idle"
