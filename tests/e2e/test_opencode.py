"""Torch on the real opencode: what it says of a message is what became of it.

The ground truth is what reached a stub of the Chat Completions API (``stub/completions.py``).
"""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.conftest import Setup, World
from e2e.contract import Contract
from e2e.opencode import OpenCode
from e2e.program import Program
from e2e.report import Report
from e2e.scenes import DIALOG, SPECIAL, deliver_many, how_many
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.profiling.verify.texts import lines, prose, tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

CONTENTS: dict[str, Callable[[], str]] = {
    "a command": lambda: "/new",
    "an unknown command": lambda: f"/frobnicate {tag()}",
    "a command with words": lambda: f"/init {tag()}",
    "@ alone": lambda: "@",
    "a mention last": lambda: f"{tag()} see @README.md",
    "a mention ending the last line": lambda: f"{tag()}\n@READ",
    "an address last": lambda: f"{tag()} me@example.com",
    "150 characters": lambda: prose(150),
    "151 characters": lambda: prose(151),
    "blanks before a long text": lambda: f"\n   {lines(5)}",
    "a status row's text": lambda: f"{tag()}   esc interrupt",
    "a queued row's text": lambda: f"{tag()}\n QUEUED",
    "a dialog's rows": lambda: f"{tag()}\n Allow once   Allow always   Reject",
}


def beside(agent: World) -> list[str]:
    """Return what the program has going on beside its turn, in words."""
    found = agent.torch("why", agent.name, "--json").json["beside"]
    return [f"{one['what']} {one['name']}".rstrip() for one in found]


def latest(agent: World) -> tuple[str, str]:
    """Return the latest report of the program about itself, and what it says."""
    sources = agent.torch("state", agent.name, "-v", "--json").json["sources"]
    (one,) = (source for source in sources if source["source"] == "hook")
    return one["rule"], one["state"]


@pytest.fixture(scope="module")
def kit() -> Program:
    """The program of this module."""
    return OpenCode()


class TestOpenCode(Contract):
    """The contract, and what is opencode's own."""

    asking = """```
  ┃
  ┃  △ Permission required
  ┃
  ┃   Allow once   Allow always   Reject      ctrl+f fullscreen  ⇆ select  enter confirm
  ┃
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

    queues = frozenset()

    @pytest.mark.parametrize("kind", CONTENTS)
    def test_what_would_open_a_menu_or_run_arrives_as_text(
        self, agent: World, kind: str, report: Report
    ) -> None:
        deliver_many(agent, kind, CONTENTS[kind], how_many(agent.setup, SPECIAL), report)

    def test_an_error_that_ends_a_turn_is_told_by_plugin_or_transcript(self, agent: World) -> None:
        """It writes the error as it writes a message. One that was adopted has no plugin."""
        agent.stub.behaviour = Behaviour(StubMode.ERROR, status=401)
        try:
            agent.ask(prose(30))
            agent.wait(lambda: "stub: an error" in agent.server.screen(agent.pane), "the error")
            agent.wait(lambda: agent.state()["state"] == "error", "the state error")
        finally:
            agent.stub.behaviour = Behaviour()
        error = agent.state()["error"]
        assert (error["kind"], error["code"]) == ("authentication", 401)
        assert error["source"] == ("hook" if agent.setup is Setup.SPAWNED else "record")
        agent.ask(prose(30))
        agent.wait(lambda: agent.state()["state"] == "idle", "the end of a turn without an error")

    @pytest.mark.parametrize("status", [429, 529])
    def test_another_attempt_after_an_error_is_told_with_its_time(
        self, agent: World, status: int
    ) -> None:
        """Its plugin reports it; without the plugin the screen says it."""
        source = "hook" if agent.setup is Setup.SPAWNED else "screen"
        agent.stub.behaviour = Behaviour(StubMode.ERROR, status=status)
        seen: list[dict[str, Any]] = []

        def tries_again() -> bool:
            seen.append(agent.state())
            retry = seen[-1].get("retry") or {}
            return retry.get("source") == source and "attempt" in retry and "wait" in retry

        try:
            agent.ask(prose(30))
            agent.wait(tries_again, "another attempt")
        finally:
            agent.stub.behaviour = Behaviour()
        assert seen[-1]["state"] == "retrying"
        assert seen[-1]["retry"]["words"] == "stub: an error"
        agent.wait(lambda: agent.state()["state"] == "idle", "the end of the turn")
        if source == "hook":
            assert latest(agent) == ("session.idle", "idle")

    def test_sub_agents_and_a_compaction_are_told_by_its_plugin(self, agent: World) -> None:
        """A sub-agent has a session of its own. Its rest is not the end of the agent's turn."""
        if agent.setup is not Setup.SPAWNED:
            return
        agent.settle()
        task = {"description": "looks", "prompt": "Look around.", "subagent_type": "general"}
        calls, helper, own = (agent.stub.hold() for _ in range(3))
        agent.ask(prose(30))
        calls.wait(60)
        calls.release(Behaviour(StubMode.TOOL, tool="task", given=task))
        helper.wait(60)
        agent.wait(lambda: beside(agent) == ["sub-agent general"], "the sub-agent")
        helper.release(Behaviour())
        own.wait(60)
        agent.wait(lambda: not beside(agent), "its end")
        assert latest(agent) == ("chat.message", "working")
        own.release(Behaviour())
        agent.settle()
        agent.wait(lambda: latest(agent) == ("session.idle", "idle"), "the end of the turn")

        hold = agent.stub.hold()  # no message begins this turn
        agent.keys("/compact")
        agent.wait(lambda: "Compact session" in agent.server.screen(agent.pane), "the menu")
        agent.keys("Enter")
        hold.wait(60)
        agent.wait(lambda: beside(agent) == ["compaction"], "the compaction")
        assert latest(agent) == ("session.compacting", "working")
        hold.release(Behaviour())
        agent.wait(lambda: not beside(agent), "its end")
        agent.settle()
        agent.wait(lambda: latest(agent) == ("session.idle", "idle"), "the end of that")

    def test_a_permission_is_answered_by_its_plugin_and_else_by_a_click(self, agent: World) -> None:
        """opencode says itself that it took the plugin's answer."""
        approved = agent.home.work / "approved"
        for said, word in zip(agent.kit.consent, ("once", "reject"), strict=True):
            agent.settle()
            with agent.stub.behaving(DIALOG):
                agent.ask(prose(30))
                agent.wait(lambda: agent.view().asks, "the permission dialog")
            dialog = agent.state()["dialog"]["hash"]
            done = agent.torch("answer", agent.name, said, "--hash", dialog, "--json")
            assert done.code == 0, f"{done}\n{agent.server.screens()}"
            if agent.setup is Setup.SPAWNED:
                assert (done.json["keys"], done.json["outcome"]) == ([f"reply {word}"], "answered")
            else:
                assert done.json["keys"][0].startswith("click ")
            if word == "once":
                agent.wait(approved.exists, "what was allowed")
            agent.settle()
            assert approved.exists() == (word == "once")
            approved.unlink(missing_ok=True)

    @pytest.mark.parametrize("word", ["exit", " quit ", ":q"])
    def test_what_would_end_the_program_is_refused(self, agent: World, word: str) -> None:
        sent = agent.send(word)
        assert sent.result.code == 2, sent
        assert agent.alive
        assert agent.stub.texts(sent.mark) == []
