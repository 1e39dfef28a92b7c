"""The real Gemini CLI, opencode, Kilo and Qwen Code continue their conversations."""

import json
import time
from typing import Any

import pytest

from e2e.conftest import MakeWorld, Setup, World
from e2e.gemini import Gemini
from e2e.kilo import Kilo
from e2e.opencode import OpenCode
from e2e.program import Program
from e2e.qwen import Qwen
from e2e.remembered import asked, conversation, kill, restart, say, streams
from torch_cli.profiling.stub.completions import CompletionsHandler, QwenHandler
from torch_cli.profiling.stub.gemini import GeminiHandler
from torch_cli.profiling.verify.texts import tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

BODIES: list[str] = []
"""The whole requests that came, as JSON."""


class WholeGemini(GeminiHandler):
    """Gemini CLI's stub, which also keeps each request as a whole."""

    def serve(self, path: str, body: dict[str, Any]) -> None:
        BODIES.append(json.dumps(body.get("contents")))
        super().serve(path, body)


class WholeCompletions(CompletionsHandler):
    """opencode's, which does the same."""

    def serve(self, path: str, body: dict[str, Any]) -> None:
        BODIES.append(json.dumps(body.get("messages")))
        super().serve(path, body)


class WholeQwen(WholeCompletions, QwenHandler):
    """Qwen Code's."""


class RememberedGemini(Gemini):
    """Gemini CLI in front of that stub."""

    handler = WholeGemini


class RememberedOpenCode(OpenCode):
    """opencode in front of that stub."""

    handler = WholeCompletions


class RememberedKilo(Kilo):
    """Kilo in front of that stub."""

    handler = WholeCompletions


class RememberedQwen(Qwen):
    """Qwen Code in front of its own."""

    handler = WholeQwen


KITS = [RememberedGemini, RememberedOpenCode, RememberedKilo, RememberedQwen]


@pytest.fixture(scope="module", params=KITS, ids=lambda one: str(one.name))
def kit(request: pytest.FixtureRequest) -> Program:
    program: Program = request.param()
    return program


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A program whose variables are those of its tmux server, as a person's are."""
    world = make_world(Setup.SPAWNED)
    for name, value in world.variables.items():
        world.server.cmd("set-environment", "-g", name, value)
    world.environment |= world.variables
    world.variables = {}
    started = world.start()
    assert started.code == 0, f"{started}\n{world.server.screens()}"
    return world


def test_its_conversation_is_continued(world: World) -> None:
    """By a restart and after a kill, unless another one is asked for."""
    first, second = tag(), tag()
    say(world, BODIES, f"Remember {first}.")
    known = conversation(world)
    assert restart(world)["resumed"]
    assert conversation(world) == known
    assert first in say(world, BODIES, f"And {second}.")

    third = tag()
    sent = streams(world, f"Do {third}.")
    kill(world)
    assert restart(world)["resumed"], "also what was continued before"
    whole = say(world, BODIES, "Continue.")
    assert first in whole
    assert second in whole
    assert asked(world, sent) == 1, "what was cut off is not asked again"

    assert not restart(world, "--fresh")["resumed"]
    assert first not in say(world, BODIES, "Who am I?")
    assert conversation(world) != known


def test_one_is_started_in_the_last_conversation_of_its_directory(world: World) -> None:
    first = tag()
    say(world, BODIES, f"Remember {first}.")
    known = conversation(world)
    assert world.torch("stop", world.name).code == 0
    world.name = "again"
    where = ("--profile", world.kit.name, "--dir", str(world.home.work), "--session", "e2e")
    started = world.torch("spawn", world.name, *where, "--resume", "last", "--json")
    assert started.code == 0, f"{started}\n{world.server.screens()}"
    world.pane = started.json["pane"]
    assert conversation(world) == known
    assert first in say(world, BODIES, "Continue.")


@pytest.mark.parametrize("kit", [RememberedGemini, RememberedQwen], indirect=True)
def test_two_in_one_directory_keep_their_conversations_apart(world: World) -> None:
    """Without a hook of Torch's: it gives each the id of its own."""
    names, panes, said = list[str](), dict[str, str](), dict[str, str]()
    for _ in range(2):
        if names:
            started = world.start()
            assert started.code == 0, f"{started}\n{world.server.screens()}"
        names.append(world.name)
        panes[world.name], said[world.name] = world.pane, tag()
        say(world, BODIES, f"Remember {said[world.name]}.")
    for name, other in (names, names[::-1]):
        world.name, world.pane = name, panes[name]
        known = conversation(world)
        assert restart(world)["resumed"]
        assert conversation(world) == known
        whole = say(world, BODIES, "Continue.")
        assert said[name] in whole
        assert said[other] not in whole
        where = ("--profile", world.kit.name, "--dir", str(world.home.work), "--session", "e2e")
        refused = world.torch("spawn", "third", *where, "--resume", known, "--json")
        assert refused.json["error"]["code"] == "in-use", refused


@pytest.mark.parametrize("kit", [RememberedGemini], indirect=True)
def test_a_conversation_that_another_start_has_taken_is_not_continued(world: World) -> None:
    """Gemini CLI deletes chats without a message when it starts, also of one that runs."""
    one, pane = world.name, world.pane
    started = world.start()
    assert started.code == 0, f"{started}\n{world.server.screens()}"
    world.name, world.pane = one, pane
    say(world, BODIES, "Hello.")
    refused = world.torch("restart", one, "--json")
    assert refused.json["error"]["code"] == "no-consent", refused
    assert "has deleted its beginning" in refused.json["error"]["message"]


@pytest.mark.parametrize("kit", [RememberedGemini, RememberedQwen], indirect=True)
def test_none_is_started_in_a_conversation_that_began_unseen(world: World) -> None:
    """After ``/clear`` Torch knows the one before, and the last of the directory is another."""
    say(world, BODIES, "Hello.")
    known = conversation(world)
    world.paste("/clear")
    world.wait(lambda: "/clear" in (world.view().box or ""), "the command in the box")
    time.sleep(world.kit.unhurried)
    world.keys("Enter")
    world.wait(lambda: "Hello." not in world.server.screen(world.pane), "an empty screen")
    world.settle()
    first = tag()
    assert "Hello." not in say(world, BODIES, f"Remember {first}.")
    assert conversation(world) == known
    where = ("--profile", world.kit.name, "--dir", str(world.home.work), "--session", "e2e")
    refused = world.torch("spawn", "third", *where, "--resume", "last", "--json")
    assert refused.json["error"]["code"] == "in-use", refused
    assert "/clear" in refused.json["error"]["message"]
