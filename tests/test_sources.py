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


def report(demo: DemoAgent, name: str, **fields: str) -> None:
    environ = {
        "TMUX": f"{demo.pane.socket_path},{demo.pane.server_pid},0",
        "TMUX_PANE": demo.pane.id,
    }
    event = json.dumps({"hook_event_name": name, **fields})
    assert demo.torch("hook", input=event, env=environ).code == 0


def sources(torch: Torch, *targets: str) -> dict[str, dict[str, Any]]:
    """Return the sources of the only agent, by name."""
    (one,) = (
        json.loads(line) for line in torch("state", *targets, "-v", "--json").out.splitlines()
    )
    return {source["source"]: source for source in one["sources"]}


def deciding(found: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, one in found.items() if one["decides"]]


def test_the_screen_decides_unless_a_report_outweighs_it(demo: DemoAgent) -> None:
    report(demo, "Stop")
    found = sources(demo.torch, demo.name)
    assert (found["screen"]["state"], found["screen"]["rule"]) == ("idle", "box")
    assert (found["hook"]["state"], found["hook"]["rule"]) == ("idle", "Stop")
    assert deciding(found) == ["screen"]
    report(demo, "UserPromptSubmit", prompt="work that no screen shows")
    found = sources(demo.torch)  # of every agent
    assert [found[name]["state"] for name in ("screen", "hook")] == ["idle", "working"]
    assert deciding(found) == ["hook"]
    age = time.time() - time.mktime(time.strptime(found["hook"]["at"][:19], "%Y-%m-%dT%H:%M:%S"))
    assert abs(age + time.timezone) < 60


def test_sources_that_differ_are_told_apart_in_words(demo: DemoAgent) -> None:
    report(demo, "UserPromptSubmit", prompt="work that no screen shows")
    told = demo.torch("state", demo.name, "-v").err
    against = "the screen says idle, which does not count against working (rule 'box'"
    assert f"{demo.name}: {against}" in told
    assert f"{demo.name}: the hook says working and decides (written " in told
    assert "the screen" not in demo.torch("state", demo.name).err


def test_a_notice_says_nothing_of_the_state(demo: DemoAgent) -> None:
    report(demo, "Notification", message="hello")
    found = sources(demo.torch, demo.name)
    assert (found["hook"]["state"], deciding(found)) == (None, ["screen"])


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
    report(demo, "Stop")
    since = demo.torch("state", demo.name, "--json").json["since"]
    for look in range(3):
        report(demo, "Notification", message=f"hello {look}")
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
