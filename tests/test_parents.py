"""Telling an agent's parent what the agent waits for: once, and never what was dealt with."""

import re
import time
from pathlib import Path

import pytest

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import wait_until
from test_answer import await_question, hash_of, queue_dialogs
from test_move import looking
from test_notices import configure, wait_for_state
from torch_cli.attention.waits import DEALT_WITH, WAIT_KEY, wait_of
from torch_cli.store import Store
from torch_cli.store.events import STATE
from torch_cli.store.messages import Message

OFTEN = "parents=0.2"
"""The interval of a daemon for which no test need wait."""


@pytest.fixture
def pm(demo: DemoAgent) -> DemoAgent:
    """The parent, which is told after half a second."""
    configure('parent = "0.5s"')
    return demo


@pytest.fixture
def dev(pm: DemoAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DemoAgent:
    return child(pm, "dev", tmp_path, monkeypatch)


@pytest.fixture
def qa(pm: DemoAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DemoAgent:
    return child(pm, "qa", tmp_path, monkeypatch)


def child(
    parent: DemoAgent, name: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> DemoAgent:
    """Return an agent that ``parent`` has started itself."""
    with monkeypatch.context() as inside:
        inside.setenv("TMUX", f"{parent.pane.socket_path},1,0")
        inside.setenv("TMUX_PANE", parent.pane.id)
        return spawn_demo(parent.tmux, parent.torch, directory / name, "--work", "0", name=name)


def told(about: str = "") -> list[Message]:
    """Return the messages about waits, those about one agent if it is named."""
    with Store() as store:
        found = store.messages.latest(limit=100)[::-1]
        agent = store.agents.get(about) if about else None
    key = f"{WAIT_KEY}{agent.identity}:" if agent is not None else WAIT_KEY
    return [one for one in found if (one.key or "").startswith(key)]


def arrived(agent: DemoAgent) -> list[str]:
    """Return the texts of the messages that the agent got from Torch."""
    return [text for text in agent.submitted() if text.startswith("[from torch")]


def press(agent: DemoAgent, key: str) -> None:
    """Press a key in the agent's pane, as a person does there."""
    agent.tmux.cmd("send-keys", "-t", agent.pane.id, key)


def test_the_parent_is_told_once_and_can_answer(
    pm: DemoAgent, dev: DemoAgent, qa: DemoAgent
) -> None:
    """In the ordinary envelope: the question, its options, and a command that works."""
    daemon = scheduler.start(pm.torch, intervals=OFTEN)
    queue_dialogs(dev, 2)
    (text,) = wait_until(lambda: arrived(pm), what="the message", screen=pm.screen)
    envelope, said, asks, *options, command = text.splitlines()
    assert re.fullmatch(r"\[from torch · notice · m-[0-9a-f]{12}\]", envelope)
    assert re.fullmatch(r"'dev' has waited for an answer for \d+ s\.", said)
    assert asks == "It asks: Do you want to proceed? · Run command · touch f0"
    assert options == ["  1  Yes", "  2  No"]
    hashed = hash_of(dev)
    assert command == f"If that is yours to answer: torch answer dev OPTION --hash {hashed}"
    daemon.kill()  # the next one knows what was told
    scheduler.start(pm.torch, intervals=OFTEN)
    qa.open_dialog()
    wait_until(lambda: told("qa"), what="news of another")
    assert len(told("dev")) == 1
    words = command.partition("torch ")[2].replace("OPTION", "2").split()
    assert pm.torch(*words).code == 0
    await_question(dev, 1)
    wait_until(lambda: len(told("dev")) == 2, what="the next question", screen=pm.screen)
    wait_until(lambda: "touch f1" in arrived(pm)[-1], what="its words", screen=pm.screen)


def test_what_was_dealt_with_is_not_sent(pm: DemoAgent, dev: DemoAgent, qa: DemoAgent) -> None:
    """By a key in its own pane, by an answer, or by its end: the words leave the outbox."""
    pm.open_dialog()  # so they wait there
    scheduler.start(pm.torch, intervals=OFTEN)
    dev.open_dialog()
    qa.open_dialog()
    wait_until(lambda: told("dev") and told("qa"), what="both in the outbox")
    press(dev, "2")
    wait_until(lambda: told("dev")[0].state == "failed", what="the first to leave")
    assert pm.torch("answer", "qa", "2", "--hash", hash_of(qa)).code == 0
    assert told("qa")[0].state == "failed", "at once"
    assert {one.reason for one in told()} == {DEALT_WITH}
    qa.open_dialog()
    wait_until(lambda: len(told("qa")) == 2, what="the next")
    assert pm.torch("stop", "qa").code == 0
    wait_until(lambda: told()[-1].state == "failed", what="its leaving")
    press(pm, "2")
    assert pm.send("hello").code == 0
    assert pm.submitted()[-1] == "hello"
    assert arrived(pm) == []
    assert pm.torch("outbox", "list").out == "", "nobody has to know"


def test_nobody_is_told_while_a_person_looks(pm: DemoAgent, dev: DemoAgent, qa: DemoAgent) -> None:
    scheduler.start(pm.torch, intervals=OFTEN)
    pm.tmux.cmd("select-window", "-t", dev.pane.id)
    with looking(pm.tmux, "agents"):
        dev.open_dialog()
        wait_for_state(pm, "idle")
        qa.open_dialog()
        wait_until(lambda: told("qa"), what="news of another")
        assert told("dev") == []
    wait_until(lambda: told("dev"), what="news once they are gone")


def test_above_a_stopped_parent_the_next_is_told(
    pm: DemoAgent, dev: DemoAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And who has nobody above it waits for a person."""
    below = child(dev, "below", tmp_path, monkeypatch)
    assert pm.torch("stop", "dev").code == 0
    scheduler.start(pm.torch, intervals=OFTEN)
    below.open_dialog()
    (one,) = wait_until(told, what="the message")
    assert (one.recipient, one.sender) == (pm.name, "torch")
    pm.open_dialog()
    wait_until(lambda: pm.state() == "waiting", what="its question")
    assert told(pm.name) == []


def test_a_tick_tells_the_parent_too(pm: DemoAgent, dev: DemoAgent) -> None:
    configure('parent = "1h"')
    dev.open_dialog()
    assert pm.torch("tick").code == 0
    assert told() == [], "it is not time yet"
    configure('parent = "0.5s"')
    wait_until(lambda: waited("dev") > 0.5, what="its time")
    assert pm.torch("tick").code == 0
    assert "touch approved" in arrived(pm)[0]
    assert pm.torch("tick").code == 0
    assert len(arrived(pm)) == 1


def waited(name: str) -> float:
    with Store() as store:
        agent = store.agents.get(name)
        event = wait_of(store, agent.identity) if agent is not None else None
    return time.time() - float(event.detail["since"]) if event is not None else 0.0


def test_a_look_that_could_not_tell_ends_no_wait(dev: DemoAgent, store: Store) -> None:
    """Then the same question stands there again; another one begins another wait."""
    agent = store.agents.get(dev.name)
    assert agent is not None

    def write(state: str, asked: str = "") -> int:
        store.events.add(STATE, dev.name, {"state": state, "asked": asked}, agent=agent.identity)
        return store.events.last_states(agent.identity, 1)[0].id

    def began() -> int:
        found = wait_of(store, agent.identity)
        return found.id if found is not None else 0

    first = write("waiting", "a")
    assert began() == first
    write("unknown")
    assert began() == 0, "nobody knows whether it waits"
    write("waiting", "a")
    assert began() == first
    other = write("waiting", "b")
    assert began() == other
    write("working")
    again = write("waiting", "b")
    assert began() == again
    store.events.add("answer", dev.name, {}, agent=agent.identity)
    assert began() == again + 1, "the same, asked again at once"
