"""A menu that no profile knows, in a pane: it gets a key on purpose, with its hash, or none."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent
from conftest import TmuxServer, Torch, wait_until
from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile
from torch_cli.programs.profile import Rule
from torch_cli.programs.state import AgentState, State
from torch_cli.programs.unclear import advice
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.screen import Row, Screen

MENU = "Delete the branch 'main'?\n❯ 1. Yes\n  2. No\n"


@pytest.fixture
def pressed(tmp_path: Path) -> Path:
    """What the program was given."""
    return tmp_path / "pressed"


@pytest.fixture
def pane(tmux: TmuxServer, torch: Torch, pressed: Path) -> Pane:
    """A pane with a program that asks something, as the agent 'odd'."""
    return ask(tmux, torch, pressed, "other", MENU)


def ask(tmux: TmuxServer, torch: Torch, pressed: Path, profile: str, menu: str) -> Pane:
    """Have a program show ``menu`` and take one key."""
    shown = menu.replace("'", "'\\''").replace("\n", "\\n")
    pane = tmux.new_session(
        "odd",
        f"stty -echo -icanon; printf '{shown}'; head -c 1 > '{pressed}'; "
        "printf '\\033[2J\\033[Hall\\ndone\\n'; exec cat",
    )
    tmux.wait_for_text(pane, "2. No")
    assert torch("adopt", pane.id, "odd", "--profile", profile).code == 0
    return pane


def dialog(torch: Torch) -> dict[str, Any]:
    found: dict[str, Any] = torch("state", "odd", "--json").json
    assert found["state"] == "unknown"
    assert isinstance(found["dialog"], dict), found["evidence"]
    return found["dialog"]


@pytest.mark.parametrize("given", [(), ("--dialog", "0123456789ab")])
def test_it_gets_no_key_without_its_hash(
    torch: Torch, pane: Pane, pressed: Path, given: tuple[str, ...]
) -> None:
    done = torch("press", "odd", "1", *given, "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "dialog")
    shown = dialog(torch)
    assert shown["kind"] == "unknown"
    assert done.json["error"]["details"]["dialog"] == shown["hash"]
    assert shown["question"] == "Delete the branch 'main'?"
    assert not pressed.read_text()


def test_it_gets_the_key_with_its_hash(torch: Torch, pane: Pane, pressed: Path) -> None:
    shown = torch("state", "odd")
    assert f"torch press odd KEY --dialog {dialog(torch)['hash']}" in shown.err
    assert "  2. No" in shown.out
    assert torch("press", "odd", "2", "--dialog", dialog(torch)["hash"]).code == 0
    wait_until(lambda: pressed.read_text() == "2", what="the key")
    wait_until(lambda: torch("state", "odd", "--json").json["dialog"] is None, what="the end")
    assert torch("press", "odd", "x").code == 0, "what is no menu takes keys as before"


def test_an_answer_is_refused_because_nobody_knows_its_keys(
    torch: Torch, pane: Pane, pressed: Path
) -> None:
    done = torch("answer", "odd", "yes", "--hash", dialog(torch)["hash"], "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "no-keys")
    assert "does not say which key answers" in done.json["error"]["message"]
    shown = torch("answer", "odd")
    assert shown.code == 8
    assert "torch attach odd" in shown.out
    assert not pressed.read_text()


def test_status_names_it_and_offers_no_key(torch: Torch, pane: Pane) -> None:
    done = torch("status", "--json")
    assert done.code == 8
    (one,) = [json.loads(line) for line in done.out.splitlines()]
    assert (one["do"], one["question"]) == ("look", "Delete the branch 'main'?")
    assert one["dialog"] == dialog(torch)["hash"]
    assert [step["command"] for step in one["steps"]] == [["torch", "attach", "odd"]]
    shown = torch("status").out
    assert "it seems to ask 'Delete the branch 'main'?', which its profile does not know" in shown
    assert "1. Yes" in shown


def test_its_own_report_counts_and_the_menu_still_needs_the_hash(
    tmux: TmuxServer, torch: Torch, pane: Pane, pressed: Path
) -> None:
    tmux.cmd("set-option", "-p", "-t", pane.id, "@torch_state", "waiting")
    found = torch("state", "odd", "--json").json
    assert (found["state"], found["dialog"]["kind"]) == ("waiting", "unknown")
    (one,) = [json.loads(line) for line in torch("status", "--json").out.splitlines()]
    assert one["do"] == "answer"
    assert [step["command"] for step in one["steps"]] == [["torch", "attach", "odd"]]
    assert torch("press", "odd", "1").code == 4
    assert not pressed.read_text()


def test_a_message_to_it_is_held(tmux: TmuxServer, torch: Torch, pressed: Path) -> None:
    """As to every screen that is not known: it is not typed, and goes on waiting."""
    ask(tmux, torch, pressed, "demo", MENU.replace("❯", "→"))
    for when in ("ready", "now"):
        done = torch("send", "odd", "hello", "--when", when, "--timeout", "0", "--json")
        assert (done.code, done.json["state"]) == (4, "held")
        assert "unknown screen: it seems to ask" in done.json["reason"]
    assert not pressed.read_text()


# -- why it is unknown, and what to do -------------------------------------------------------------

UNKNOWN = {
    "unknown dialog": "torch attach odd",
    "no box": "torch doctor",
    "mode": "torch attach odd",
    "low pane": "torch move odd --apart",
    "a rule without a word": "torch attach odd",
}


@pytest.mark.parametrize("rule", UNKNOWN)
def test_every_unknown_state_has_an_advice_with_a_command(rule: str) -> None:
    found = advice(AgentState(State.UNKNOWN, "why", rule), "odd")
    assert UNKNOWN[rule] in found
    assert found.endswith(".")


def test_only_what_is_unknown_needs_an_advice() -> None:
    for state in set(State) - {State.UNKNOWN}:
        assert not advice(AgentState(state, "why", "box"), "odd")
    assert not advice(AgentState(State.UNKNOWN, "why", "error"), "odd"), "the error says it"


def test_state_and_ps_say_why_it_is_unknown_and_what_to_do(torch: Torch, pane: Pane) -> None:
    why = "it seems to ask 'Delete the branch 'main'?', which its profile does not know"
    word = "Answer it there: 'torch attach odd'."
    assert torch("state", "odd", "--json").json["advice"] == word
    assert torch("ps", "--json").json["advice"] == word
    shown = torch("state", "odd")
    assert why in shown.out
    assert word in shown.err
    assert f"torch: odd is unknown: {why}. {word}" in torch("ps").err


def test_what_is_known_has_no_advice(demo: DemoAgent) -> None:
    assert demo.torch("state", demo.name, "--json").json["advice"] is None
    assert "unknown" not in demo.torch("ps").err


def test_a_rule_of_the_profile_carries_its_own_advice() -> None:
    rule = Rule(
        *(State.UNKNOWN, "odd mode", "bottom", re.compile("^odd")),
        advice="Leave it: 'torch press {agent} q'.",
    )
    profile = load_profile("other", None)._replace(rules=(rule,))
    found = classify(Screen((Row.plain("odd"),), 80, 1), profile)
    assert advice(found, "dev") == "Leave it: 'torch press dev q'."
