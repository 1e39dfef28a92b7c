"""Torch on the real Qwen Code: what it says of a message is what became of it.

The ground truth is what reached a stub of the Chat Completions API (``stub/completions.py``).
"""

from collections.abc import Callable

import pytest

from e2e.conftest import World
from e2e.contract import Trusting
from e2e.program import Program
from e2e.qwen import Qwen
from e2e.report import Report
from e2e.scenes import SPECIAL, deliver_many, how_many
from torch_cli.profiling.verify.texts import lines, prose, tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

CONTENTS: dict[str, Callable[[], str]] = {
    "@ alone": lambda: "@",
    "a mention last": lambda: f"{tag()} see @README",
    "a mention ending the last line": lambda: f"{tag()}\n@READ",
    "an address last": lambda: f"{tag()} me@example.com",
    "a path first": lambda: f"/tmp/x {tag()}",
    "1,000 characters": lambda: prose(1000),
    "1,001 characters": lambda: prose(1001),
    "10 lines": lambda: lines(10),
    "11 lines": lambda: lines(11),
    "a footer's text": lambda: f"{tag()}\n  Enter to steer · Ctrl+Q to queue",
    "a menu's text": lambda: f"{tag()}\n   › 1. Yes, allow once",
    "a list": lambda: f"1. {tag()}\n2. two",
}

COMMANDS = ("/model", " /quit", "/frobnicate", "/?", "?btw what is it", "/btw", " exit ", ":q")


@pytest.fixture(scope="module")
def kit() -> Program:
    """The program of this module."""
    return Qwen()


class TestQwen(Trusting):
    """The contract, and what is Qwen Code's own."""

    asking = """```
  ? Shell touch approved (stub command) ←

     touch approved

   Allow execution of: 'touch'?

   › 1. Yes, allow once
     2. No, suggest changes (esc)
```"""
    key = "C-q"
    queues = frozenset()
    joins = True
    trust_question = "Do you trust this folder?"

    @pytest.mark.parametrize("kind", CONTENTS)
    def test_what_would_open_a_menu_arrives_as_text(
        self, agent: World, kind: str, report: Report
    ) -> None:
        deliver_many(agent, kind, CONTENTS[kind], how_many(agent.setup, SPECIAL), report)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_what_would_run_as_a_command_is_refused(self, agent: World, command: str) -> None:
        sent = agent.send(command)
        assert sent.result.code == 2, sent
        assert agent.view().idle
        assert agent.stub.texts(sent.mark) == []
