"""``torch reply`` and ``torch thread``: conversations between agents."""

import json
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch


@pytest.fixture
def pair(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> tuple[DemoAgent, DemoAgent]:
    return (
        spawn_demo(tmux, torch, tmp_path / "a", name="pm"),
        spawn_demo(tmux, torch, tmp_path / "b", name="dev"),
    )


def test_an_answer_goes_to_the_sender_with_both_ids(pair: tuple[DemoAgent, DemoAgent]) -> None:
    pm, dev = pair
    asked = dev.send("status?", "--from", "pm").json["id"]
    done = pm.torch("reply", asked, "all done", "--from", "dev", "--json")
    assert (done.code, done.json["target"]) == (0, "pm")
    identity = done.json["id"]
    assert pm.submitted() == [f"[from dev · reply to {asked} · {identity}]\nall done"]


def test_the_agent_that_answers_is_the_one_we_are(pair: tuple[DemoAgent, DemoAgent]) -> None:
    pm, dev = pair
    asked = dev.send("status?", "--from", "pm").json["id"]
    done = pm.torch("reply", asked, "-", "--json", input="a\nb", env={"TORCH_AGENT": "dev"})
    assert pm.submitted() == [f"[from dev · reply to {asked} · {done.json['id']}]\na\nb"]


def test_who_asked_goes_on_with_the_one_it_asked(pair: tuple[DemoAgent, DemoAgent]) -> None:
    pm, dev = pair
    asked = dev.send("status?", "--from", "pm").json["id"]
    dev.wait_for("idle")
    done = pm.torch("reply", asked, "and the tests?", "--json", env={"TORCH_AGENT": "pm"})
    assert (done.code, done.json["target"]) == (0, "dev")
    assert pm.submitted() == []


def test_a_thread_is_whole_from_any_of_its_messages(pair: tuple[DemoAgent, DemoAgent]) -> None:
    pm, dev = pair
    first = dev.send("one", "--from", "pm").json["id"]
    second = pm.torch("reply", first, "two", "--from", "dev", "--json").json["id"]
    pm.wait_for("idle")
    dev.wait_for("idle")
    third = dev.torch("reply", second, "three", "--from", "pm", "--json").json["id"]
    dev.wait_for("idle")
    dev.send("of no concern", "--from", "pm")
    for identity in (first, second, third):
        lines = dev.torch("thread", identity, "--json").out.splitlines()
        found = [json.loads(line) for line in lines]
        assert [message["id"] for message in found] == [first, second, third]
        assert [message["reply_to"] for message in found] == [None, first, second]
        assert [message["body"] for message in found] == ["one", "two", "three"]
    shown = dev.torch("thread", third).out
    assert f"{second}  dev → pm  confirmed" in shown
    assert f"answers {first}" in shown
    assert "    two\n" in shown


def test_a_person_has_no_pane_to_be_answered_in(pair: tuple[DemoAgent, DemoAgent]) -> None:
    _, dev = pair
    asked = dev.send("status?").json["id"]
    done = dev.torch("reply", asked, "done", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "no-sender")


def test_a_message_that_is_not_there_is_said_so(torch: Torch) -> None:
    for words in (("reply", "m-0", "x"), ("thread", "m-0")):
        done = torch(*words, "--json")
        assert (done.code, done.json["error"]["code"]) == (3, "no-message")
