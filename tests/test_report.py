"""``torch report``: a program that no profile can read says what it does, and nothing is typed."""

import json
import time
from pathlib import Path

import pytest

from agent import DemoAgent
from conftest import SOURCE, TmuxServer, Torch
from torch_cli.programs import own_report
from torch_cli.programs.own_report import counted, report_of, said_in
from torch_cli.programs.state import AgentState, State
from torch_cli.tmux.panes import Pane

NOTHING = AgentState(State.UNKNOWN, "no input box", "no box")
SCREEN = AgentState(State.IDLE, "the input box is empty", "box")


@pytest.fixture
def pane(tmux: TmuxServer, torch: Torch) -> Pane:
    """A pane with a program that draws something which no profile knows, as the agent 'odd'."""
    pane = tmux.new_session("odd", "printf 'something odd\\nmore\\n'; exec cat")
    tmux.wait_for_text(pane, "more")
    assert torch("adopt", pane.id, "odd", "--profile", "other").code == 0
    return pane


def set_option(tmux: TmuxServer, pane: Pane, value: str) -> None:
    tmux.cmd("set-option", "-p", "-t", pane.id, "@torch_state", value)


def now(torch: Torch) -> dict[str, object]:
    found: dict[str, object] = torch("state", "odd", "--json").json
    return found


def test_a_program_reports_its_state_in_its_own_pane(tmux: TmuxServer, torch: Torch) -> None:
    python = torch.argv("report", "waiting", "-m", "may I delete it?")
    quoted = " ".join(f"'{word}'" for word in python)
    script = f"printf 'odd\\nmore\\n'; read x; PYTHONPATH='{SOURCE}' {quoted}; exec cat"
    pane = tmux.new_session("odd", script)
    tmux.wait_for_text(pane, "more")
    assert torch("adopt", pane.id, "odd", "--profile", "other").code == 0
    assert now(torch)["state"] == "unknown"
    tmux.cmd("send-keys", "-t", pane.id, "Enter")
    tmux.wait_for_text(pane, "reported")
    said = now(torch)
    assert said["state"] == "waiting"
    assert said["evidence"] == "its own report: may I delete it?"
    report = said["report"]
    assert isinstance(report, dict)
    assert (report["state"], report["message"], report["stale"]) == (
        "waiting",
        "may I delete it?",
        False,
    )
    assert torch("wait", "odd", "--for", "waiting", "--timeout", "0").code == 0
    listed = [json.loads(line) for line in torch("ps", "--json").out.splitlines()]
    assert [one["state"] for one in listed if one.get("name") == "odd"] == ["waiting"]
    assert "odd reports of itself: waiting  may I delete it?" in torch("state", "odd", "-v").err
    why = torch("why", "odd").out
    assert "it reports of itself: waiting" in why
    assert "report" in torch("events", "--agent", "odd", "--kind", "agent").out


@pytest.mark.parametrize("state", ["idle", "working", "waiting"])
def test_a_report_never_makes_torch_type(
    tmux: TmuxServer, torch: Torch, pane: Pane, state: str
) -> None:
    before = torch("send", "odd", "hello", "--timeout", "0", "--json").json
    set_option(tmux, pane, f"{state} {time.time():.0f}")
    assert now(torch)["state"] == state
    for when in ("ready", "idle", "now"):
        done = torch("send", "odd", "hello", "--when", when, "--timeout", "0", "--json")
        assert (done.code, done.json["state"]) == (4, "held"), done
        assert done.json["reason"].endswith(before["reason"]), "as without a report"
    assert "hello" not in tmux.screen(pane)


def test_what_the_screen_tells_counts_more_than_a_report(demo: DemoAgent) -> None:
    set_option(demo.tmux, demo.pane, "working")
    said = demo.torch("state", demo.name, "--json").json
    assert (said["state"], said["report"]["state"]) == ("idle", "working")
    assert demo.send("hello").code == 0
    demo.open_dialog()
    set_option(demo.tmux, demo.pane, "idle")
    assert demo.torch("state", demo.name, "--json").json["state"] == "waiting"


def test_a_report_goes_stale(tmux: TmuxServer, torch: Torch, pane: Pane) -> None:
    set_option(tmux, pane, f"working {time.time() - 601:.0f} step 3")
    said = now(torch)
    assert said["state"] == "unknown"
    assert str(said["evidence"]).startswith("its own report of 'working' is 10 min ")
    assert "too old to count" in torch("state", "odd", "-v").err
    set_option(tmux, pane, f"working {time.time() - 500:.0f} step 3")
    assert now(torch)["state"] == "working"


def test_a_report_without_a_time_counts_from_when_it_was_seen(
    tmux: TmuxServer, torch: Torch, pane: Pane
) -> None:
    set_option(tmux, pane, "working")
    first = now(torch)["report"]
    assert now(torch)["report"] == first
    set_option(tmux, pane, "idle")
    second = now(torch)["report"]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (second["state"], second["at"] > first["at"]) == ("idle", True)
    tmux.cmd("set-option", "-p", "-u", "-t", pane.id, "@torch_state")
    assert now(torch)["report"] is None


@pytest.mark.parametrize(
    "value",
    ["", "busy", "exited", "dead", "unknown", "#{pane_id}", "#(touch x)", "idle: ", "IDLE", "\t"],
)
def test_what_is_not_a_report_is_none(value: str) -> None:
    assert said_in(value) is None


def test_a_value_with_anything_in_it_is_read_as_one_line(
    tmux: TmuxServer, torch: Torch, pane: Pane
) -> None:
    set_option(tmux, pane, "working #(touch pwned) ü\t%end 1 1 0\n%end;")
    said = now(torch)
    assert said["state"] == "working"
    assert "#(touch pwned) ü" in str(said["evidence"])
    assert not Path("pwned").exists()


def test_the_time_decides_when_it_is_too_old() -> None:
    said = said_in("idle 1000000000 done")
    assert said is not None
    fresh = report_of(said, 0.0, 1_000_000_599)
    assert counted(NOTHING, fresh, 1_000_000_599).state is State.IDLE
    old = report_of(said, 0.0, 1_000_000_600)
    assert counted(NOTHING, old, 1_000_000_600).state is State.UNKNOWN
    assert counted(SCREEN, fresh, 1_000_000_599).rule == "box"
    # Milliseconds, say: nobody knows when that was.
    ahead = said_in("idle 99999999999")
    assert ahead is not None
    assert report_of(ahead, 5.0, 1_000_000_000).stale
    assert own_report.STALE_SECONDS == 600


def test_a_wrong_report_says_so(torch: Torch, tmux: TmuxServer) -> None:
    tmux.new_session("main", "exec cat")
    done = torch("report", "busy", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")
    assert "working" in done.json["error"]["hint"]
    assert torch("report", "idle", "-m", "x" * 201, "--json").json["error"]["code"] == "usage"
    for environ in ({"TMUX": ""}, {"TMUX": f"{tmux.panes()[0].socket_path},1,0"}):
        done = torch("report", "idle", "--json", env=environ)
        assert (done.code, done.json["error"]["code"]) == (2, "no-pane"), done
    shown = tmux.cmd("show-options", "-p", "-t", "main:", "-q", "@torch_state")
    assert shown == ""
