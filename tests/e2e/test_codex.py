"""Torch on the real Codex: what it says of a message is what became of it.

The ground truth is what reached a stub of the Responses API (``profiling/stub/responses.py``).
"""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.codex import Codex
from e2e.conftest import MakeWorld, Setup, World
from e2e.contract import Contract
from e2e.program import Program
from e2e.report import Report
from e2e.scenes import SPECIAL, deliver_many, how_many
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.profiling.verify.texts import lines, prose, tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

CONTENTS: dict[str, Callable[[], str]] = {
    "/model": lambda: "/model",
    "an unknown command": lambda: f"/frobnicate {tag()}",
    "a bare command word": lambda: "exit",
    "@ alone": lambda: "@",
    "a mention last": lambda: f"{tag()} see @README",
    "a mention ending the last line": lambda: f"{tag()}\n@READ",
    "a skill last": lambda: f"{tag()} use $image",
    "an address last": lambda: f"{tag()} me@example.com",
    "a price last": lambda: f"{tag()} costs 5$",
    "$HOME last": lambda: f"{tag()} $HOME",
    "1,000 characters": lambda: prose(1000),
    "1,001 characters": lambda: prose(1001),
    "30 short lines": lambda: "\n".join([tag(), *(f"l{n}" for n in range(29))]),
    "120 short lines": lambda: "\n".join([tag(), *(f"l{n}" for n in range(119))]),
    "a status line's text": lambda: f"{tag()}\n\n  stub-model default · /tmp/x",
    "a menu's text": lambda: f"{tag()}\n› 1. Yes, proceed (y)",
    "a list": lambda: f"1. {tag()}\n2. two",
}


@pytest.fixture(scope="module")
def kit() -> Program:
    """The program of this module."""
    return Codex()


class TestCodex(Contract):
    """The contract, and what is Codex's own."""

    asking = """```
  Would you like to run the following command?

  $ touch approved

› 1. Yes, proceed (y)
  2. No, and tell Codex what to do differently (esc)

  Press enter to confirm or esc to cancel
```"""
    stripped = frozenset(
        {
            "zero-width space",
            "right-to-left mark",
            "right-to-left override",
            "byte order mark",
            "soft hyphen",
        }
    )

    @pytest.mark.parametrize("kind", CONTENTS)
    def test_what_would_open_a_menu_or_run_arrives_as_text(
        self, agent: World, kind: str, report: Report
    ) -> None:
        deliver_many(agent, kind, CONTENTS[kind], how_many(agent.setup, SPECIAL), report)

    def test_the_update_notice_is_answered_by_its_words(self, make_world: MakeWorld) -> None:
        """By the arrows: it is seen to be on "Skip" before Enter is pressed."""
        world = make_world(Setup.SPAWNED, updates=True)
        assert world.start().code == 4
        dialog = world.state()["dialog"]
        assert dialog["kind"] == "update"
        done = world.torch("answer", world.name, "skip", "--hash", dialog["hash"], "--json")
        assert (done.code, done.json["gone"]) == (0, True), f"{done}\n{world.server.screens()}"
        assert done.json["keys"] == ["Down", "Enter"]
        world.wait(lambda: world.view().idle, "its box")

    def test_the_update_notice_is_not_answered(self, make_world: MakeWorld) -> None:
        world = make_world(Setup.SPAWNED, updates=True)
        started = world.start()
        assert started.code == 4, started
        assert "Update available" in started.out
        assert world.state()["dialog"]["kind"] == "update"
        for text in ("yes", lines(5)):
            sent = world.send(text, "--timeout", "1")
            assert sent.result.code == 4, sent
        assert "Update available" in world.server.screen(world.pane)
        assert world.stub.requests == []


def test_an_error_that_ends_the_turn_is_not_an_answer(make_world: MakeWorld) -> None:
    """The transcript has a task that is complete, with an empty answer and the error."""
    world = make_world(Setup.ADOPTED)
    world.start()
    with world.stub.behaving(Behaviour(StubMode.ERROR, status=400)):
        done = world.torch("ask", world.name, prose(40), "--timeout", "60", "--json")
    error = done.json["error"]
    assert (done.code, error["code"]) == (9, "turn-failed"), done
    assert "stub: an error" in error["message"]


def test_a_turn_that_the_daemon_runs_is_told_by_the_daemon(make_world: MakeWorld) -> None:
    """A Codex that was started without ``-c`` is a client of it."""
    world = make_world(Setup.ADOPTED)
    world.start()
    hold = world.stub.hold()
    world.ask(prose(40))
    hold.wait(60)
    says = "Codex's daemon says that its thread is active"
    world.wait(lambda: _record(world) == ("working", says), "the daemon's word")
    hold.release(Behaviour(StubMode.TOOL))
    asks = ("waiting", f"{says} (waitingOnApproval)")
    world.wait(lambda: _record(world) == asks, "its question")
    world.decline()
    world.settle()
    world.wait(lambda: _record(world)[0] == "idle", "the end of the turn")


def _record(world: World) -> tuple[str, str]:
    """Return what the program's own record says, and why."""
    sources = world.torch("state", world.name, "-v", "--json").json["sources"]
    found = [(one["state"], one["evidence"]) for one in sources if one["source"] == "record"]
    return found[0] if found else ("", "")


def test_an_error_of_the_api_is_a_state_of_its_own(make_world: MakeWorld) -> None:
    """It tries again, and says which attempt; then the turn ends with the error."""
    world = make_world(Setup.SPAWNED)
    world.start()
    for status, kind, code in ((401, "authentication", 401), (500, "overloaded", None)):
        with world.stub.behaving(Behaviour(StubMode.ERROR, status=status)):
            world.ask(prose(40))
            seen = list[dict[str, Any]]()

            def ended(seen: list[dict[str, Any]] = seen) -> bool:
                seen.append(world.state())
                return bool(seen[-1]["state"] == "error")

            world.wait(ended, f"the error {status}")
        error = seen[-1]["error"]
        assert (error["kind"], error.get("code")) == (kind, code), error
        tries = [one["retry"] for one in seen if one["state"] == "retrying"]
        assert tries, seen
        assert all(1 <= one["attempt"] <= one["attempts"] == 5 for one in tries), tries
        assert tries[0]["attempt"] <= tries[-1]["attempt"]
    done = world.torch("ask", world.name, prose(40), "--timeout", "60", "--json")
    assert done.code == 0, done
    world.wait(lambda: world.state()["state"] == "idle", "an idle agent")
