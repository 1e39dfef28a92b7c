"""What each source says of an agent's state, and which one decides."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def sources(torch: Torch, *targets: str) -> dict[str, dict[str, Any]]:
    """Return the sources of the only agent, by name."""
    (one,) = (
        json.loads(line) for line in torch("state", *targets, "-v", "--json").out.splitlines()
    )
    return {source["source"]: source for source in one["sources"]}


def deciding(found: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, one in found.items() if one["decides"]]


def test_the_screen_decides_unless_a_report_outweighs_it(demo: DemoAgent) -> None:
    demo.report("Stop")
    found = sources(demo.torch, demo.name)
    assert (found["screen"]["state"], found["screen"]["rule"]) == ("idle", "box")
    assert (found["hook"]["state"], found["hook"]["rule"]) == ("idle", "Stop")
    assert deciding(found) == ["screen"]
    demo.report("UserPromptSubmit", prompt="work that no screen shows")
    found = sources(demo.torch)  # of every agent
    assert [found[name]["state"] for name in ("screen", "hook")] == ["idle", "working"]
    assert deciding(found) == ["hook"]
    age = time.time() - time.mktime(time.strptime(found["hook"]["at"][:19], "%Y-%m-%dT%H:%M:%S"))
    assert abs(age + time.timezone) < 60


def test_sources_that_differ_are_told_apart_in_words(demo: DemoAgent) -> None:
    demo.report("UserPromptSubmit", prompt="work that no screen shows")
    told = demo.torch("state", demo.name, "-v").err
    against = "the screen says idle, which does not count against working (rule 'box'"
    assert f"{demo.name}: {against}" in told
    assert f"{demo.name}: the hook says working and decides (written " in told
    assert "the screen" not in demo.torch("state", demo.name).err


def test_a_notice_says_nothing_of_the_state(demo: DemoAgent) -> None:
    demo.report("Notification", message="hello")
    found = sources(demo.torch, demo.name)
    assert (found["hook"]["state"], deciding(found)) == (None, ["screen"])


def test_sub_agents_at_work_are_named_and_decide_nothing(demo: DemoAgent) -> None:
    """Its own turn has ended, so it takes messages; but they are told, with rule and age."""
    demo.report("UserPromptSubmit", prompt="delegate")
    for one, kind in (("a1", "Explore"), ("a2", "Explore"), ("a3", "Plan"), ("a4", "Plan")):
        demo.report("SubagentStart", agent_id=one, agent_type=kind)
    demo.report("SubagentStop", agent_id="a3", agent_type="Plan")
    demo.report("StopFailure", agent_id="a4", agent_type="Plan", error="server_error")
    found = sources(demo.torch, demo.name)
    assert (found["hook"]["state"], found["hook"]["rule"]) == ("working", "UserPromptSubmit")
    demo.report("Stop", background_tasks=[{"id": "a1"}, {"id": "a2"}])
    found = sources(demo.torch, demo.name)
    assert (found["sub-agent"]["state"], deciding(found)) == ("working", ["screen"])
    told = demo.torch("state", demo.name, "-v").err
    against = "the sub-agent says working, which does not count against idle"
    assert f"{demo.name}: {against} (rule 'SubagentStart', written " in told
    assert "its hooks say that these work: 2 x sub-agent Explore" in told
    why = demo.torch("why", demo.name, "--json").json
    assert [(one["what"], one["name"], one["rule"]) for one in why["beside"]] == [
        ("sub-agent", "Explore", "SubagentStart")
    ] * 2
    assert "also at work: sub-agent Explore, for " in demo.torch("why", demo.name).out
    demo.report("UserPromptSubmit", prompt="what do they say?")
    demo.report("Stop", background_tasks=[])
    assert "sub-agent" not in sources(demo.torch, demo.name)
    assert not demo.torch("why", demo.name, "--json").json["beside"]


def test_a_compaction_is_work_until_its_end_is_reported(demo: DemoAgent) -> None:
    """No screen shows it here: the safer reading counts."""
    demo.report("Stop")
    demo.report("PreCompact", trigger="manual")
    demo.report("SubagentStop", agent_id="a9", agent_type="")
    found = sources(demo.torch, demo.name)
    assert (found["screen"]["state"], found["hook"]["state"]) == ("idle", "working")
    assert (found["hook"]["rule"], deciding(found)) == ("PreCompact", ["hook"])
    assert "also at work: compaction, for " in demo.torch("why", demo.name).out
    demo.report("SessionStart", source="compact")
    assert demo.state() == "idle"


def test_what_a_program_reports_of_itself_is_a_source(tmux: TmuxServer, torch: Torch) -> None:
    pane = tmux.new_session("odd", "printf 'something odd\\nmore\\n'; exec cat")
    tmux.wait_for_text(pane, "more")
    assert torch("adopt", pane.id, "odd", "--profile", "other").code == 0
    tmux.cmd("set-option", "-p", "-t", pane.id, "@torch_state", "waiting may I?")
    found = sources(torch, "odd")
    assert [found[name]["state"] for name in ("screen", "report")] == ["unknown", "waiting"]
    assert (found["report"]["evidence"], deciding(found)) == ("may I?", ["report"])


def test_without_v_nothing_is_said_of_sources(demo: DemoAgent) -> None:
    assert "sources" not in demo.torch("state", demo.name, "--json").json


def test_a_notice_does_not_say_since_when(demo: DemoAgent) -> None:
    """Claude Code sends one six seconds after a dialog has opened, which waits all that time."""
    demo.report("Stop")
    since = demo.torch("state", demo.name, "--json").json["since"]
    for look in range(3):
        demo.report("Notification", message=f"hello {look}")
        assert demo.torch("state", demo.name, "--json").json["since"] == since
        (line,) = demo.torch("ps", "--json").out.splitlines()
        assert json.loads(line)["since"] == since


@pytest.mark.parametrize(
    ("status", "state"), [("busy", "working"), ("waiting", "waiting"), ("idle", "idle")]
)
def test_the_programs_own_record_says_in_its_words_what_it_is(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, status: str, state: str
) -> None:
    """A record that says 'waiting' was told as 'working', beside a dialog that shows."""
    config = tmp_path / "claude"
    (config / "sessions").mkdir(parents=True)
    command = f"CLAUDE_CONFIG_DIR={config} exec {sys.executable} -c 'input()'"
    pane = tmux.new_session("recorded", command)
    record = {"sessionId": "s", "status": status, "statusUpdatedAt": time.time() * 1000}
    record |= {"waitingFor": "permission prompt"} if status == "waiting" else {}
    (config / "sessions" / f"{pane.pid}.json").write_text(json.dumps(record))
    assert torch("adopt", pane.id, "recorded", "--profile", "claude").code == 0
    found = sources(torch, "recorded")["record"]
    assert (found["state"], found["decides"]) == (state, False)
    assert ("(permission prompt)" in found["evidence"]) == (status == "waiting")
