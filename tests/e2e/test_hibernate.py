"""The real Claude Code is hibernated, and a message wakes it in its conversation."""

from typing import Any

import pytest

from conftest import wait_until
from e2e.conftest import MakeWorld, World
from e2e.program import Program
from e2e.test_recovery import BODIES, Remembered, conversation, say, transcripts
from torch_cli import procs
from torch_cli.profiling.verify.texts import tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def kit() -> Program:
    return Remembered()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A Claude Code whose variables are those of its tmux server, as a person's are."""
    world = make_world()
    for name, value in world.variables.items():
        world.server.cmd("set-environment", "-g", name, value)
    world.environment |= world.variables
    world.variables = {}
    started = world.start()
    assert started.code == 0, f"{started}\n{world.server.screens()}"
    return world


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
    say(world, f"Remember {first}.")
    known, pane = conversation(world), world.pane
    assert hibernated(world)["conversation"] == known
    assert world.state()["state"] == "hibernated"
    assert "Hibernated by Torch" in world.server.screens()
    whole = say(world, f"Good morning {second}.")
    assert first in whole, "the old conversation is in the new program's context"
    assert sum(one.count(f"Good morning {second}.") for one in BODIES[-1:]) == 1
    assert (conversation(world), world.pane) == (known, pane)
    assert len(transcripts(world)) == 1
    assert world.state()["state"] == "idle"
