"""The real Claude Code is interrupted once by 'torch freeze', and goes on after the thaw."""

import pytest

from e2e.claude import ClaudeCode
from e2e.conftest import MakeWorld, Setup
from e2e.program import Program
from torch_cli.profiling.stub import Behaviour
from torch_cli.profiling.verify.texts import prose

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def kit() -> Program:
    return ClaudeCode()


def test_a_turn_is_interrupted_and_what_was_held_arrives_after_the_thaw(
    make_world: MakeWorld,
) -> None:
    """Claude Code puts a message back into its box that it has not begun to answer: it is said."""
    world = make_world(Setup.HOOKS)
    assert world.start().code == 0, world.server.screens()
    hold = world.stub.hold()
    sent = world.send(prose(40))
    assert sent.delivered
    hold.wait()
    world.wait(lambda: world.view().working, "a working program")
    done = world.torch("freeze", world.name, "--json")
    assert (done.code, done.json["interrupted"]) == (0, True), world.server.screens()
    hold.release(Behaviour())
    held = world.send("held until the thaw")
    assert held.result.json["reason"].startswith("frozen:")
    assert not world.arrivals(held)
    assert world.torch("thaw", world.name, "--json").json["interrupted"]
    assert done.json["left"] == sent.text
    world.keys("C-u")
    world.torch("tick")
    assert world.await_arrival(held), world.server.screens()
    assert world.arrivals(held) == 1
