"""Torch on the real pi: what it says of a message is what became of it.

The ground truth is what reached a stub of the Chat Completions API (``stub/completions.py``).
"""

from collections.abc import Callable

import pytest

from e2e.conftest import World
from e2e.contract import Alike
from e2e.pi import Pi
from e2e.program import Program
from e2e.report import Report
from e2e.scenes import REPLIES, SPECIAL, assert_nothing_ran, deliver_many, how_many
from torch_cli.profiling.verify.texts import SPECIALS, lines, prose, tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

CONTENTS: dict[str, Callable[[], str]] = {
    "@ alone": lambda: "@",
    "a mention last": lambda: f"{tag()} see @README",
    "a mention ending the last line": lambda: f"{tag()}\n@READ",
    "an address last": lambda: f"{tag()} me@example.com",
    "a path first": lambda: f"/tmp/x {tag()}",
    "# first": lambda: f"# {tag()}",
    "a bare word": lambda: "exit",
    "1,000 characters": lambda: prose(1000),
    "1,001 characters": lambda: prose(1001),
    "10 lines": lambda: lines(10),
    "11 lines": lambda: lines(11),
    "600 emoji": lambda: tag() + "\N{ROCKET}" * 600,
    "400 tabs": lambda: f"{tag()}{'	x' * 400}",
    "a menu's text": lambda: f"{tag()}\n→ Yes\n  No",
    "a question's text": lambda: f"{tag()}\n → Yes\n ↑↓ navigate  enter select  escape cancel",
    "a field's text": lambda: f"{tag()}\n>\n enter submit  escape/ctrl+c cancel",
    "a working rule": lambda: f"{tag()}\n── ⠋ Working {'─' * 107}\nmore",
    "a rule": lambda: f"{tag()}\n{'─' * 120}\nmore",
    "a queued row's text": lambda: f"{tag()}\n Follow-up: x",
    "a placeholder's text behind a paste": lambda: f"{lines(12)} [paste #2 +12 lines]",
}

COMMANDS = ("/model", " /quit", "/frobnicate", "/skill:x", "!ls", " !ls", "!!ls")


@pytest.fixture(scope="module")
def kit() -> Program:
    """The program of this module."""
    return Pi()


class TestPi(Alike):
    """The contract, and what is pi's own. What asks is an extension: pi itself asks for nothing."""

    asking = """```
────────────────────────────────────────
 Run this command?

   touch approved

 → Yes
   No

 ↑↓ navigate  enter select  escape/ctrl+c cancel
────────────────────────────────────────
```"""
    key = "M-Enter"
    queues = frozenset()
    joins = True
    stripped = frozenset(
        {
            "zero-width space",
            "right-to-left mark",
            "right-to-left override",
            "byte order mark",
            "soft hyphen",
        }
    )

    @pytest.mark.parametrize("kind", [kind for kind in SPECIALS if kind != "! first"])
    def test_a_message_with_awkward_content_arrives_exact(
        self, agent: World, kind: str, report: Report
    ) -> None:
        """What begins with `!` would run: it is refused, see below."""
        deliver_many(agent, kind, SPECIALS[kind], how_many(agent.setup, SPECIAL), report)

    def test_a_permission_dialog_is_never_approved(self, agent: World, report: Report) -> None:
        """What an extension asks is a question: nobody knows whether for a permission."""
        tally = report.tally(agent.setup, "into a question")
        for text in REPLIES:
            agent.settle()
            self.open_dialog(agent)
            state = agent.state()
            assert (state["state"], state["dialog"]["kind"]) == ("waiting", "question")
            sent = agent.send(text, "--timeout", "2")
            tally.sent += 1
            tally.states[sent.state] += 1
            assert sent.result.code == 4, f"{sent}\n{agent.server.screens()}"
            assert agent.view().asks, agent.server.screens()
            agent.keys("M-Enter")
            assert agent.view().asks, agent.server.screens()
            agent.decline()
            agent.wait(lambda: agent.view().box is not None, "the box")
            assert agent.view().box == "", "nothing was typed"
            agent.settle()
            assert_nothing_ran(agent)
            assert agent.arrivals(sent) == 0
            tally.exact += 1

    def test_a_question_is_answered_by_its_option_and_no_other_is(self, agent: World) -> None:
        """Torch chooses none: what an extension shows above its options looks like them."""
        self.open_dialog(agent)
        seen = agent.state()["dialog"]["hash"]
        for said in agent.kit.consent:
            done = agent.torch("answer", agent.name, said, "--hash", seen, "--json")
            assert done.code != 0, done
            assert agent.view().asks
        assert_nothing_ran(agent)

    test_an_answer_falls_to_no_dialog_that_took_the_place_of_the_one_meant = None  # type: ignore[assignment]
    """It does not apply: none is chosen (see above)."""

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
