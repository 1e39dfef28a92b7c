"""Torch on the real Gemini CLI: what it says of a message is what became of it.

The ground truth is what reached a stub of the generateContent API (``profiling/stub/gemini.py``).
"""

from collections.abc import Callable

import pytest

from e2e.conftest import World
from e2e.contract import Trusting
from e2e.gemini import Gemini
from e2e.program import Program
from e2e.report import Report
from e2e.scenes import SPECIAL, deliver_many, how_many
from torch_cli.profiling.verify.texts import lines, prose, tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

CONTENTS: dict[str, Callable[[], str]] = {
    "a bare command word": lambda: "exit",
    "@ alone": lambda: "@",
    "a mention last": lambda: f"{tag()} see @README",
    "a mention ending the last line": lambda: f"{tag()}\n@READ",
    "an address last": lambda: f"{tag()} me@example.com",
    "500 characters": lambda: prose(500),
    "501 characters": lambda: prose(501),
    "6 lines": lambda: lines(6),
    "a status line's text": lambda: f"{tag()}\n\n workspace (/directory)",
    "a menu's text": lambda: f"{tag()}\n│ ● 1. Allow once",
    "a list": lambda: f"1. {tag()}\n2. two",
}

COMMANDS = ("/model", " /quit", "/frobnicate", "/?")


@pytest.fixture(scope="module")
def kit() -> Program:
    """The program of this module."""
    return Gemini()


class TestGemini(Trusting):
    """The contract, and what is Gemini's own."""

    asking = """```
╭──────────────────────────────╮
│ ? Shell  touch approved      │
│ Allow execution of [Shell]?  │
│ ● 1. Allow once              │
│   2. No (esc)                │
╰──────────────────────────────╯
```"""
    key = "F5"  # a setting of its own says so
    window = 1.5  # it settles for 0.3 s, and draws slowly
    queues = frozenset()
    joins = True
    trust_question = "Do you trust the files in this folder?"

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
