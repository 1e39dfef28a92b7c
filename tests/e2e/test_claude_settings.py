"""Claude Code as people have it: one start for each configuration.

In each, a message of three lines arrives once, proven by the stub, and nothing is typed into the
dialog that opens then.
"""

import pytest

from e2e.claude import ClaudeCode
from e2e.configurations import CASES, Case
from e2e.conftest import MakeWorld, Setup
from e2e.program import Program
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
