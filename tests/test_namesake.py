"""An agent that gets the name of an earlier one inherits nothing that was that one's."""

import json
import sys
import time
from pathlib import Path

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch
from test_agreement import said
from test_task import agent as registered
from test_task import mine
from test_task import new as new_task
from torch_cli.delivery.outbox import tell_senders
from torch_cli.roster.actor import Actor
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tasks import life as tasks
from torch_cli.tasks.assignment import Rules, candidates
from torch_cli.tasks.record import records

PATH = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"}


def again(store: Store, name: str) -> Agent:
    """End the agent and register another of its name; return that."""
    store.agents.stopped(name)
    return registered(store, name, profile="demo")


def known(torch: Torch, name: str) -> dict[str, object]:
    lines = [json.loads(line) for line in torch("ps", "--json").out.splitlines()]
    return next(one for one in lines if one["name"] == name)


def test_an_adopted_one_shows_no_message_of_the_earlier_one(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    first = spawn_demo(tmux, torch, tmp_path / "first", name="dev")
    assert first.send("for the first").code == 0
    assert torch("stop", "dev").code == 0
    second = spawn_demo(tmux, torch, tmp_path / "second", name="x")
    assert isinstance(second, DemoAgent)
    assert torch("rename", "x", "dev").code == 0
    assert known(torch, "dev")["message"] is None
    nothing = torch("receipt", "--agent", "dev")
    assert (nothing.code, "no message matches" in nothing.err) == (3, True)
    assert torch("receipt").code == 0, "it is still there"
    assert torch("inbox", "dev").out == ""


def test_tasks_and_what_was_done_stay_the_earlier_ones(store: Store) -> None:
    dev = registered(store, "dev", profile="demo")
    pm = registered(store, "pm", profile="demo")
    task = mine(store, dev, store.tasks.add(tasks.by(Actor(pm), new_task(store))))
    tasks.done(store, task, Actor(dev), "done")
    other, boss = again(store, "dev"), again(store, "pm")
    assert tasks.concerned(store, task) == []
    assert [one.identity for one in tasks.concerned(store, task)] == []
    (record,) = records(store)
    assert (record.name, record.agent, record.done) == ("dev", dev.identity, 1)
    mine(store, other, new_task(store))
    assert [(one.agent, one.taken) for one in records(store)] == [
        (dev.identity, 1),
        (other.identity, 1),
    ]
    (one,) = candidates(store, [boss], Rules())
    assert (one.rates, one.last) == ((), 0.0)


def test_the_sender_is_told_and_no_namesake(store: Store) -> None:
    dev = registered(store, "dev", profile="demo")
    registered(store, "pm", profile="demo")
    identity = said(store, "dev", "pm", body="lost")
    store.database.write(
        "UPDATE messages SET kept = 1, step = 'done', state = 'failed', author = ? WHERE id = ?",
        *(dev.identity, identity),
    )
    assert store.messages.agents_to_tell()
    again(store, "dev")
    assert not store.messages.agents_to_tell()
    assert [one.id for one in tell_senders(store, 0.0)] == [identity]


def test_what_it_last_said_is_not_said_for_another(store: Store) -> None:
    dev = registered(store, "dev", profile="demo")
    registered(store, "pm", profile="demo")
    identity = said(store, "dev", "pm", kind="status")
    store.database.write("UPDATE messages SET author = ? WHERE id = ?", dev.identity, identity)
    assert store.messages.last_said(dev.identity, "status") is not None
    assert store.messages.last_said(again(store, "dev").identity, "status") is None


def test_check_ins_of_an_earlier_one_are_not_its_own(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    spawn_demo(tmux, torch, tmp_path / "dev", name="dev")
    spawn_demo(tmux, torch, tmp_path / "pm", name="pm")
    made = torch(
        *("checkin", "add", "dev", "How far?", "--in", "9m", "--name", "how", "--fallback", "pm"),
        env={"TORCH_AGENT": "pm"},
    )
    assert made.code == 0, made.err
    with Store() as store:
        pm = store.agents.get("pm")
        (checkin,) = store.checkins.all()
        assert pm is not None
        assert (checkin.creator.identity, checkin.fallback.identity) == (pm.identity, pm.identity)
    assert torch("stop", "pm").code == 0
    spawn_demo(tmux, torch, tmp_path / "other", name="pm")
    assert torch("rename", "pm", "chief").code == 0
    with Store() as store:
        (same,) = store.checkins.all()
        chief = store.agents.get("chief")
    assert chief is not None
    assert (same.fallback.name, same.creator.name) == ("pm", "pm"), "they are the earlier one's"
    assert time.time() > same.created
