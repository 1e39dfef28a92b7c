"""Torch on the real aider: what it says of a message is what became of it.

The ground truth is what reached a stub of the Chat Completions API (``stub/completions.py``).
"""

from collections.abc import Callable

import pytest

from e2e.aider import Aider
from e2e.conftest import MakeWorld, Setup, World
from e2e.contract import Alike
from e2e.program import Program
from e2e.report import Report
from e2e.scenes import SPECIAL, deliver_many, how_many
from torch_cli.profiling.stub import Behaviour
from torch_cli.profiling.verify.texts import prose, tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

CONTENTS: dict[str, Callable[[], str]] = {
    "a command": lambda: "/exit",
    "an unknown command": lambda: f"/frobnicate {tag()}",
    "a bare word": lambda: "exit",
    "{ alone": lambda: "{",
    "{ first": lambda: f"{{{tag()}",
    "{tag first": lambda: f"{{tag {tag()}\nmore",
    "a rule": lambda: f"{tag()}\n{'─' * 120}\nmore",
    "a prompt's text": lambda: f"{tag()}\ndiff> \n> ",
    "a question's text": lambda: f"{tag()} Run shell command? (Y)es/(N)o/(D)on't ask again [Yes]:",
    "a line that fills the row": lambda: (tag() + "x" * 200)[:114],
    "100 short lines": lambda: "\n".join([tag(), *(f"l{n}" for n in range(99))]),
    "20 blank lines": lambda: f"{tag()}{chr(10) * 20}end",
}


@pytest.fixture(scope="module")
def kit() -> Program:
    """The program of this module."""
    return Aider()


class TestAider(Alike):
    """The contract, and what is aider's own."""

    asking = """```
Run shell command? (Y)es/(N)o/(D)on't ask again [Yes]:
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
    key = "Enter"

    @pytest.mark.parametrize("kind", CONTENTS)
    def test_what_would_run_or_go_on_arrives_as_text(
        self, agent: World, kind: str, report: Report
    ) -> None:
        deliver_many(agent, kind, CONTENTS[kind], how_many(agent.setup, SPECIAL), report)

    def test_a_question_about_a_message_is_not_answered_by_the_next(self, agent: World) -> None:
        """aider asks before it sends a message that names a web page."""
        first = agent.send(f"{prose(30)} http://127.0.0.1:9/x")
        assert first.delivered, f"{first}\n{agent.server.screens()}"
        agent.wait(lambda: agent.view().asks, "the question")
        state = agent.state()
        assert state["state"] == "waiting"
        assert "Add URL to the chat?" in state["dialog"]["question"]
        sent = agent.send("yes", "--timeout", "2")
        assert sent.result.code == 4, sent
        assert agent.view().asks, agent.server.screens()
        agent.settle()
        assert agent.stub.texts(first.mark) == []

    def test_multi_line_mode_gets_nothing(self, agent: World) -> None:
        agent.paste("/multiline-mode")
        agent.wait(lambda: agent.view().box == "/multiline-mode", "the command in the box")
        agent.keys("Enter")
        agent.wait(lambda: "multi>" in agent.server.screen(agent.pane), "the mode")
        sent = agent.send(prose(40), "--timeout", "1")
        agent.paste("/multiline-mode")
        agent.wait(lambda: "multi> /multi" in agent.server.screen(agent.pane), "the command")
        agent.keys("M-Enter")
        assert sent.result.code == 4, sent
        agent.settle()
        assert agent.stub.texts(sent.mark) == []


def test_two_freezes_soon_after_each_other_do_not_end_it(make_world: MakeWorld) -> None:
    """Two Ctrl-C within two seconds end aider, also if a new turn began between them."""
    world = make_world(Setup.SPAWNED)
    assert world.start().code == 0, world.server.screens()
    for text in (prose(30), prose(30)):
        hold = world.stub.hold()
        world.keys("C-l")  # the row of an interrupted turn may stay, and look like that of the next
        world.ask(text)  # as a person does, which takes less time than a message of Torch's
        hold.wait(60)
        world.wait(lambda: world.view().working, "a working program")
        done = world.torch("freeze", world.name, "--json")
        assert (done.code, done.json["interrupted"]) == (0, True), f"{done}{world.server.screens()}"
        assert world.alive, world.server.screens()
        hold.release(Behaviour())
    world.torch("thaw", world.name)
    last = world.send("and on")
    assert last.delivered, f"{last}\n{world.server.screens()}"
    assert world.await_arrival(last), world.server.screens()
