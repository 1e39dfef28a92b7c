"""Torch on the real Kilo: what it says of a message is what became of it.

The ground truth is what reached a stub of the Chat Completions API (``stub/completions.py``).
"""

from collections.abc import Callable

import pytest

from e2e import test_opencode
from e2e.conftest import World
from e2e.contract import Contract
from e2e.kilo import Kilo
from e2e.program import Program
from e2e.report import Report
from e2e.scenes import DIALOG, SPECIAL, assert_nothing_ran, deliver_many, how_many
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
    "800 characters": lambda: prose(800),
    "801 characters": lambda: prose(801),
    "4 lines": lambda: lines(4),
    "blanks before a long text": lambda: f"\n   {lines(5)}",
    "a status row's text": lambda: f"{tag()}   esc interrupt",
    "a queued row's text": lambda: f"{tag()}\n QUEUED",
    "a dialog's rows": lambda: f"{tag()}\n Allow once   Allow always   Reject",
}


@pytest.fixture(scope="module")
def kit() -> Program:
    """The program of this module."""
    return Kilo()


class TestKilo(Contract):
    """The contract, and what is Kilo's own."""

    asking = test_opencode.TestOpenCode.asking
    stripped = test_opencode.TestOpenCode.stripped
    queues = frozenset()

    @pytest.mark.parametrize("kind", CONTENTS)
    def test_what_would_open_a_menu_or_run_arrives_as_text(
        self, agent: World, kind: str, report: Report
    ) -> None:
        deliver_many(agent, kind, CONTENTS[kind], how_many(agent.setup, SPECIAL), report)

    @pytest.mark.parametrize("word", ["exit", " quit ", ":q"])
    def test_what_would_end_the_program_is_refused(self, agent: World, word: str) -> None:
        sent = agent.send(word)
        assert sent.result.code == 2, sent
        assert agent.alive
        assert agent.stub.texts(sent.mark) == []

    test_an_error_that_ends_a_turn = (
        test_opencode.TestOpenCode.test_an_error_that_ends_a_turn_is_told_by_plugin_or_transcript
    )
    test_another_attempt = (
        test_opencode.TestOpenCode.test_another_attempt_after_an_error_is_told_with_its_time
    )

    def test_an_answer_is_pressed_only_into_the_dialog_that_was_seen(self, agent: World) -> None:
        """Its Esc asks for a reason, which is another dialog."""
        self.open_dialog(agent)
        seen = agent.state()["dialog"]["hash"]
        for wrong in ([], ["--dialog", "0" * 12]):
            assert agent.torch("press", agent.name, "Enter", *wrong).code != 0
        assert agent.view().asks
        agent.pause()
        assert agent.torch("press", agent.name, "Escape", "--dialog", seen).code == 0
        agent.wait(lambda: agent.kit.refusal(agent.view()) == "Enter", "the question for a reason")
        late = agent.torch("press", agent.name, "Enter", "--dialog", seen)
        assert late.code != 0, late
        asked = agent.state()
        assert asked["state"] == "waiting", asked
        done = agent.torch("press", agent.name, "Enter", "--dialog", asked["dialog"]["hash"])
        assert done.code == 0, done
        agent.wait(lambda: agent.view().box is not None, "the box")
        assert_nothing_ran(agent)

    def test_a_question_is_answered_by_its_option_and_no_other_is(self, agent: World) -> None:
        """Torch chooses none: what is selected shows by its colour alone, and No asks for more."""
        with agent.stub.behaving(DIALOG):
            agent.ask(prose(30))
            agent.wait(lambda: agent.view().asks, "the permission dialog")
        seen = agent.state()["dialog"]["hash"]
        for said in agent.kit.consent:
            done = agent.torch("answer", agent.name, said, "--hash", seen, "--json")
            assert done.code != 0, done
            assert agent.view().asks
        assert_nothing_ran(agent)

    test_an_answer_falls_to_no_dialog_that_took_the_place_of_the_one_meant = None  # type: ignore[assignment]
    """It does not apply: nobody knows the keys of its options, so none is chosen (see above)."""
