"""The real programs are interrupted once by 'torch freeze', and go on after the thaw."""

import time

import pytest

from e2e.aider import Aider
from e2e.claude import ClaudeCode
from e2e.codex import Codex
from e2e.conftest import MakeWorld, Setup
from e2e.gemini import Gemini
from e2e.kilo import Kilo
from e2e.opencode import OpenCode
from e2e.program import Program
from e2e.qwen import Qwen
from torch_cli.profiling.stub import Behaviour
from torch_cli.profiling.verify.texts import prose
from torch_cli.programs.loading import load_profile

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(
    scope="module",
    params=[ClaudeCode, Codex, Gemini, Qwen, OpenCode, Kilo, Aider],
    ids=lambda one: str(one.name),
)
def kit(request: pytest.FixtureRequest) -> Program:
    program: Program = request.param()
    return program


def test_a_turn_is_interrupted_and_what_was_held_arrives_after_the_thaw(
    kit: Program, make_world: MakeWorld
) -> None:
    """Some programs put a message back into their box that they have not begun to answer: it is
    said. Nothing else happens: the program runs, and its next turn is one as every other.
    """
    world = make_world(Setup.HOOKS if kit.name == "claude" else Setup.SPAWNED)
    assert world.start().code == 0, world.server.screens()
    hold = world.stub.hold()
    sent = world.send(prose(40))
    assert sent.delivered
    hold.wait(60)
    world.wait(lambda: world.view().working, "a working program")
    done = world.torch("freeze", world.name, "--json")
    world.pressed = time.monotonic()
    assert (done.code, done.json["interrupted"]) == (0, True), f"{done}\n{world.server.screens()}"
    hold.release(Behaviour())
    assert world.alive, world.server.screens()
    held = world.send("held until the thaw")
    assert held.result.json["reason"].startswith("frozen:")
    assert not world.arrivals(held)
    assert world.torch("thaw", world.name, "--json").json["interrupted"]
    left = done.json["left"]
    assert left == sent.text if kit.name == "claude" else left in (None, "", sent.text)
    if left:
        world.keys("C-u")
    world.torch("tick")
    assert world.await_arrival(held), world.server.screens()
    assert world.arrivals(held) == 1
    world.settle()
    # A turn may end just before the key: then it does nothing. A second key soon after the first
    # one would end aider, at work or not.
    world.pause()
    world.keys(*load_profile(kit.name, None).launch.interrupt)
    last = world.send("and on")
    assert last.delivered, f"{last}\n{world.server.screens()}"
    assert world.await_arrival(last), world.server.screens()
    assert world.alive
