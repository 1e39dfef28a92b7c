"""The real Codex continues its conversation when it is restarted."""

import json
from typing import Any

import pytest

from e2e.codex import Codex
from e2e.conftest import MakeWorld, Setup
from e2e.program import Program
from e2e.remembered import asked, conversation, kill, restart, say, streams
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


def test_its_conversation_is_continued_after_a_restart_and_a_kill(make_world: MakeWorld) -> None:
    world, first = make_world(Setup.SPAWNED), tag()
    assert world.start().code == 0, world.server.screens()
    say(world, BODIES, f"Remember {first}.")
    known = conversation(world)
    done = restart(world)
    assert done["resumed"], done
    assert first in say(world, BODIES, "Continue.")
    assert conversation(world) == known

    second = tag()
    sent = streams(world, f"Do {second}.")
    kill(world)
    assert restart(world)["resumed"]
    whole = say(world, BODIES, "Continue.")
    assert first in whole
    assert asked(world, sent) == 1, "what was cut off is not asked again"
