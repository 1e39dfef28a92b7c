"""The real Codex continues its conversation when it is restarted."""

import json
from typing import Any

import pytest

from e2e.codex import Codex
from e2e.conftest import MakeWorld, Setup
from e2e.program import Program
from torch_cli.profiling.stub.responses import ResponsesHandler
from torch_cli.profiling.verify.texts import tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

BODIES: list[str] = []
"""The whole requests that came, as JSON."""


class WholeInputs(ResponsesHandler):
    """The stub, which also keeps each request as a whole."""

    def serve(self, path: str, body: dict[str, Any]) -> None:
        BODIES.append(json.dumps(body.get("input")))
        super().serve(path, body)


class Remembered(Codex):
    """Codex in front of that stub."""

    handler = WholeInputs


@pytest.fixture(scope="module")
def kit() -> Program:
    return Remembered()


def test_a_restart_continues_its_conversation(make_world: MakeWorld) -> None:
    world, first = make_world(Setup.SPAWNED), tag()
    assert world.start().code == 0, world.server.screens()
    sent = world.send(f"Remember {first}.")
    assert world.await_arrival(sent), world.server.screens()
    world.settle()
    known = world.state()["conversation"]
    assert known
    done = world.torch("restart", world.name, "--json")
    assert done.code == 0, f"{done}\n{world.server.screens()}"
    assert done.json["resumed"], done
    world.pane = done.json["pane"]
    world.settle()
    before = len(BODIES)
    sent = world.send("Continue.")
    assert world.await_arrival(sent), world.server.screens()
    world.settle()
    assert first in "".join(BODIES[before:])
    assert world.state()["conversation"] == known
