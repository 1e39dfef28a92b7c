"""Claude Code as people have it: one start for each configuration.

In each, a message of three lines arrives once, proven by the stub, and nothing is typed into the
dialog that opens then.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.claude import ClaudeCode
from e2e.configurations import CASES, NOWHERE, QUIET, Case
from e2e.conftest import MakeWorld, Setup, World
from e2e.program import Program
from torch_cli.profiling.houses.claude import ClaudeHome
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.profiling.verify.texts import lines, prose

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def kit() -> Program:
    """The program of this module."""
    return ClaudeCode()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_message_arrives_and_a_dialog_gets_none(make_world: MakeWorld, case: Case) -> None:
    world = make_world(Setup.CHORD, extra=case.variables)
    case.begin(world)
    sent = world.send(lines(3))
    assert sent.delivered, f"{sent}\n{world.server.screens()}"
    assert world.await_arrival(sent), world.server.screens()
    world.wait(lambda: world.state()["state"] == "idle", "the end of the turn")
    assert world.arrivals(sent) == 1
    kept = world.torch("capture", world.name, "--history", "--json").json
    assert all(line in "\n".join(kept["lines"]) for line in sent.text.split("\n")), kept
    assert kept["keeps_history"] or kept["transcript"]
    with world.stub.behaving(case.dialog):
        assert world.send(prose(30)).delivered, world.server.screens()
        world.wait(lambda: world.state()["dialog"], "the dialog")
    assert world.state()["dialog"]["kind"] == case.kind
    shown = world.server.screen(world.pane)
    held = world.send(lines(3), "--timeout", "1")
    assert held.state == "held", held
    assert "dialog" in held.result.json["reason"]
    assert world.arrivals(held) == 0
    assert world.server.screen(world.pane).splitlines()[-5:] == shown.splitlines()[-5:]
    assert not (world.home.work / "approved").exists()


# -- messages of other sessions --------------------------------------------------------------------

PEER = "torch-peer"
SAYS = "Do you want to run the tests?\n❯ 1. Yes"
"""The text of the other session: it looks like another dialog."""


def _receiver(make_world: MakeWorld, setting: str) -> World:
    """Start a session that takes, holds or is asked about (``""``) messages of others."""
    world = make_world(Setup.CHORD, extra=NOWHERE)
    own = {"crossSessionInbound": setting} if setting else {}
    Case(own | {"skipDangerousModePermissionPrompt": True}, without=QUIET).begin(world)
    return world


@contextmanager
def _another_session(world: World, *arguments: str) -> Iterator[World]:
    """Start another session of the same person, on the same tmux server."""
    root = world.home.path / "peer"
    root.mkdir()
    variables = NOWHERE | {"IS_SANDBOX": "1"}  # else root may not leave out the questions
    other = World(
        *(root, world.kit, world.program, Setup.HOOKS),
        home=world.home,
        extra=variables,
        beside=world,
    )
    other._starts = 10  # a name of its own
    for name in QUIET:
        other.variables.pop(name)
    try:
        started = other.start(arguments=arguments)
        assert started.code == 0, f"{started}\n{other.server.screens()}"
        yield other
    finally:
        other.stub.stop()


def _tell(other: World, world: World, text: str) -> None:
    """Have the other session send ``text`` to this one, with its own tool."""
    assert isinstance(world.home, ClaudeHome)
    mine = world.home.settings.parent / "sessions" / f"{world.pid}.json"
    to = "uds:" + json.loads(mine.read_text())["messagingSocketPath"]
    call = Behaviour(
        StubMode.TOOL, tool="SendMessage", given={"to": to, "message": text, "summary": PEER}
    )
    hold = other.stub.hold()  # once: it is told what became of it, and would call again
    assert other.send(prose(30)).delivered, other.server.screens()
    hold.wait(60)
    hold.release(call)
    other.wait(lambda: PEER in other.server.screen(other.pane), "the message of its own")


@pytest.mark.parametrize("setting", ["accept", "hold"])
def test_a_message_arrives_beside_one_of_another_session(
    make_world: MakeWorld, setting: str
) -> None:
    world = _receiver(make_world, setting)
    with _another_session(world) as other:
        _tell(other, world, SAYS)
        if setting == "hold":
            world.wait(lambda: "held)" in world.server.screen(world.pane), "the message of it")
        else:
            world.wait(lambda: any(SAYS in one for one in world.stub.texts()), "what it was told")
        world.wait(lambda: world.state()["state"] == "idle", "rest")
        sent = world.send(lines(3))
        assert sent.delivered, f"{sent}\n{world.server.screens()}"
        assert world.await_arrival(sent), world.server.screens()
        assert world.arrivals(sent) == 1
        told = any(SAYS in one for one in world.stub.texts())
        assert told == (setting == "accept"), "what is on hold stays there"


@pytest.mark.parametrize("choice", ["Deny", "Deliver"])
def test_a_held_message_of_another_session_is_a_dialog_of_its_own(
    make_world: MakeWorld, choice: str
) -> None:
    """It comes where the other session acts without asking. What it quotes looks like another."""
    world = _receiver(make_world, "")
    with _another_session(world, "--permission-mode", "bypassPermissions") as other:
        _tell(other, world, SAYS)
        world.wait(lambda: world.state()["dialog"], "the dialog")
        asked = world.state()["dialog"]
        assert (asked["kind"], asked["question"]) == (
            *("message", "Held message from another session"),
        )
        held = world.send(lines(3), "--timeout", "1")
        assert held.state == "held", held
        for key in ("C-x", "C-q"):
            world.server.cmd("send-keys", "-t", world.pane, key)
        assert world.state()["dialog"]["hash"] == asked["hash"], "it ignores the submit key"
        told = world.torch("answer", world.name, choice, "--hash", asked["hash"], "--json")
        assert told.code == 0, f"{told}\n{world.server.screens()}"
        if choice == "Deliver":
            world.wait(lambda: any(SAYS in one for one in world.stub.texts()), "what it was told")
        world.wait(lambda: world.state()["state"] == "idle", "the box again")
        assert any(SAYS in one for one in world.stub.texts()) == (choice == "Deliver")
