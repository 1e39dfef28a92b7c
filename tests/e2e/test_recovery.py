"""The real Claude Code continues its conversation when it is restarted or started again.

The ground truth is the whole request that reaches a stub of the API: earlier messages are in it.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from e2e.claude import ClaudeCode
from e2e.conftest import MakeWorld, World
from e2e.program import Program
from e2e.remembered import conversation, kill, restart, say, streams
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.profiling.stub.messages import MessagesHandler
from torch_cli.profiling.verify.texts import tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

BODIES: list[str] = []
"""The whole requests of the conversation that came, as JSON."""


class WholeRequests(MessagesHandler):
    """The stub, which also keeps each request as a whole."""

    def serve(self, path: str, body: dict[str, Any]) -> None:
        if body.get("tools"):
            BODIES.append(json.dumps(body.get("messages")))
        super().serve(path, body)


class Remembered(ClaudeCode):
    """Claude Code in front of that stub."""

    handler = WholeRequests


@pytest.fixture(scope="module")
def kit() -> Program:
    return Remembered()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A Claude Code to which one message was sent, and which has answered it."""
    world = make_world()
    started = world.start()
    assert started.code == 0, f"{started}\n{world.server.screens()}"
    return world


def transcripts(world: World) -> set[str]:
    return {path.stem for path in Path(world.home.path).glob(".claude/projects/*/*.jsonl")}


def test_a_restart_continues_its_conversation(world: World) -> None:
    first = tag()
    say(world, BODIES, f"Remember {first}.")
    known = conversation(world)
    assert known in transcripts(world)
    done = restart(world)
    assert done["conversation"] == known
    assert done["resumed"]
    assert done["notice"]["state"] in ("submitted", "confirmed"), done
    whole = say(world, BODIES, "Go on.")
    assert first in whole, "the old conversation is in the new program's context"
    assert whole.count("Your program was restarted: a person asked for it.") == 1
    assert conversation(world) == known
    assert len(transcripts(world)) == 1
    # The same window of the same session, and nothing of the old one.
    windows = world.server.cmd("list-windows", "-a", "-F", "#{session_name}:#{window_name}")
    assert windows.split().count(f"e2e:{world.name}") == 1, windows


def test_a_killed_program_is_restarted_in_its_conversation(world: World) -> None:
    first = tag()
    say(world, BODIES, f"Remember {first}.")
    kill(world)
    done = restart(world)
    assert done["resumed"]
    assert first in say(world, BODIES, "Go on.")


def test_the_conversation_is_followed(world: World) -> None:
    """After ``/clear`` it is another one, also if the program is killed before Torch looks."""
    first, second = tag(), tag()
    say(world, BODIES, f"Remember {first}.")
    known = conversation(world)
    assert world.torch("command", world.name, "/clear").code == 0
    world.settle()
    say(world, BODIES, f"Remember {second}.")
    kill(world)
    done = restart(world)
    assert done["resumed"]
    assert done["conversation"] not in ("", known)
    whole = say(world, BODIES, "Go on.")
    assert second in whole
    assert first not in whole


def test_a_fresh_restart_begins_a_new_conversation(world: World) -> None:
    first = tag()
    say(world, BODIES, f"Remember {first}.")
    known = conversation(world)
    done = restart(world, "--fresh")
    assert not done["resumed"]
    assert done["why_new"]
    assert first not in say(world, BODIES, "Go on.")
    assert conversation(world) != known


def test_without_a_transcript_it_begins_a_new_conversation_if_that_is_wanted(world: World) -> None:
    say(world, BODIES, f"Remember {tag()}.")
    (path,) = Path(world.home.path).glob(".claude/projects/*/*.jsonl")
    # It writes on for a moment after its turn, and would make the file again.
    world.wait(lambda: time.time() - path.stat().st_mtime > 2, "the end of its writing")
    path.unlink()
    refused = world.torch("restart", world.name, "--json")
    assert refused.code != 0
    assert refused.json["error"]["code"] == "no-consent"
    assert world.alive
    done = restart(world, "--yes")
    assert "no transcript" in done["why_new"]


@pytest.mark.parametrize("how", ["cut off", "in the middle", "garbage", "empty"])
def test_a_damaged_transcript_is_continued_as_far_as_the_program_can(
    world: World, how: str
) -> None:
    first = tag()
    say(world, BODIES, f"Remember {first}.")
    known = conversation(world)
    (path,) = Path(world.home.path).glob(f".claude/projects/*/{known}.jsonl")
    kill(world)
    text = path.read_bytes()
    last = len(text.splitlines()[-1])
    path.write_bytes(
        {
            "cut off": text[: -last // 2],
            "in the middle": text[:200] + os.urandom(300) + text[500:],
            "garbage": os.urandom(len(text)),
            "empty": b"",
        }[how]
    )
    refused = world.torch("restart", world.name, "--json")
    if how in ("garbage", "empty"):
        assert refused.json["error"]["code"] == "no-consent", refused
        assert "empty or damaged" in refused.out
        done = restart(world, "--yes")
        assert not done["resumed"]
        assert first not in say(world, BODIES, "Go on.")
    else:
        assert refused.code == 0, f"{refused}\n{world.server.screens()}"
        world.pane = refused.json["pane"]
        world.settle()
        assert first in say(world, BODIES, "Go on.")


def approve(world: World, made: Path) -> None:
    """Say yes to what the program asks, until its tool has ``made`` a file.

    A dialog that has only just opened may not hear a key (Claude Code 2.1.330, once).
    """
    pressed = 0.0

    def is_made() -> bool:
        nonlocal pressed
        asks, now = world.view().asks, time.monotonic()
        if asks and now - pressed > world.kit.pause:
            world.keys(*world.kit.approve)
            pressed = now
        return made.exists()

    world.wait(is_made, "the tool")


PHASES = ("before its answer", "in its answer", "at a question", "in a tool", "at the end")


@pytest.mark.parametrize("phase", PHASES)
def test_killed_in_each_phase_of_a_turn_it_goes_on_and_repeats_nothing(
    world: World, phase: str
) -> None:
    first, second = tag(), tag()
    say(world, BODIES, f"Remember {first}.")
    known = conversation(world)
    work = world.home.work
    if phase == "before its answer":
        hold = world.stub.hold()
        sent = world.send(f"Do {second}.")
        hold.wait(60)
    elif phase == "in its answer":
        sent = streams(world, f"Do {second}.")
    elif phase == "at the end":
        sent = world.send(f"Do {second}.")
        assert world.await_arrival(sent)
        world.wait(lambda: not world.busy, "the end of the answer")
    else:
        command = f"echo x >> {work}/ran; sleep 60"
        with world.stub.behaving(Behaviour(StubMode.TOOL, command=command)):
            sent = world.send(f"Do {second}.")
            world.wait(lambda: world.view().asks, "the question")
        if phase == "in a tool":
            approve(world, work / "ran")
    assert sent.delivered, sent
    kill(world)
    done = restart(world)
    assert done["resumed"], done
    assert conversation(world) == known
    whole = say(world, BODIES, "Go on.")
    assert first in whole
    assert world.arrivals(sent) <= 2, "it was asked once, and once more for a tool's result"
    assert whole.count(f"Do {second}.") <= 1, "what was cut off is there once"
    if (work / "ran").exists():
        assert (work / "ran").read_text() == "x\n", "the tool ran once"


def test_a_working_program_is_restarted_only_on_request(world: World) -> None:
    first = tag()
    say(world, BODIES, "Hello.")
    hold = world.stub.hold()
    assert world.send(f"Remember {first}.").delivered
    hold.wait(60)
    refused = world.torch("restart", world.name, "--json")
    assert refused.json["error"]["code"] == "no-consent"
    assert "working" in refused.out
    assert world.alive
    done = restart(world, "--yes")
    assert done["resumed"]
    whole = say(world, BODIES, "Go on.")
    assert whole.count(first) == 1, "the message that was cut off is there once, and not run again"


def test_the_first_message_of_the_command_line_is_not_said_again(make_world: MakeWorld) -> None:
    world, first = make_world(), tag()
    before = len(BODIES)
    assert world.start(arguments=[f"Remember {first}."]).code == 0
    world.wait(lambda: len(BODIES) > before, "the first message")
    world.settle()
    before = len(BODIES)
    restart(world)
    assert "".join(BODIES[before:]).count(f"Remember {first}.") == 1
    assert f"Remember {first}." in say(world, BODIES, "Go on.")


def test_spawn_resumes_the_last_conversation_or_one_by_its_id(world: World) -> None:
    first = tag()
    say(world, BODIES, f"Remember {first}.")
    known = conversation(world)
    given = [word for item in world.variables.items() for word in ("--env", "=".join(item))]
    where = ["--dir", str(world.home.work), *given, "--json"]
    taken = world.torch("spawn", "other", "--resume", known, *where)
    assert (taken.code, taken.json["error"]["code"]) == (4, "in-use"), taken
    none = world.torch("spawn", "other", "--resume", "no-such-id", *where)
    assert (none.code, none.json["error"]["code"]) == (3, "no-conversation"), none
    assert world.torch("stop", world.name).code == 0
    for wanted in ("last", known):
        started = world.torch("spawn", "other", *where, "--session", "e2e", "--resume", wanted)
        assert started.code == 0, f"{started}\n{world.server.screens()}"
        assert started.json["conversation"] == known
        world.name, world.pane = "other", started.json["pane"]
        assert first in say(world, BODIES, "Go on.")
        assert world.torch("stop", "other").code == 0


@pytest.mark.parametrize("resume", [True, False])
def test_a_member_continues_after_a_crash_unless_set_otherwise(
    make_world: MakeWorld, resume: bool
) -> None:
    world, first = make_world(), tag()
    variables = ", ".join(f"{name} = {json.dumps(one)}" for name, one in world.variables.items())
    more = "" if resume else "resume = false\n"
    (world.home.work / "torch.toml").write_text(
        '[team]\nname = "e2e"\n[[agent]]\nname = "dev"\nrestart = "on-failure"\n'
        f"env = {{ {variables} }}\n{more}"
    )
    assert world.torch("up").code == 0, world.server.screens()
    world.name, world.pane = "dev", world._newest_pane()
    say(world, BODIES, f"Remember {first}.")
    kill(world)

    def is_back() -> bool:
        world.torch("tick")
        world.pane = world._newest_pane()
        return world.alive and world.view().idle

    world.wait(is_back, "the restarted member")
    world.settle()
    assert (first in say(world, BODIES, "Continue.")) is resume
