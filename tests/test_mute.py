"""Agents of which a person wants to hear nothing for a time."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import wait_until
from test_notices import change, keep_in, kept, written
from torch_cli.attention.mute import mute, muted_until
from torch_cli.attention.notices import Notice, Notices
from torch_cli.errors import RefusedError, TorchError
from torch_cli.programs.state import State
from torch_cli.store import Store


@pytest.fixture
def notices() -> Iterator[Notices]:
    def fail(error: TorchError) -> None:
        raise error

    one = Notices(100.0, fail)
    yield one
    one.close()


def test_an_agent_that_is_muted_is_told_of_later(demo: DemoAgent, notices: Notices) -> None:
    done = demo.torch("mute", demo.name, "2h")
    assert done.code == 0, done.err
    assert done.out.startswith(f"muted  {demo.name}  until ")
    assert demo.torch("mute").out == done.out
    with Store() as store:
        (agent,) = store.agents.all()
        here = {agent.identity: agent}
        notices.take([change("x", State.WAITING)._replace(agent=agent)])

        def tell() -> Notice | None:
            return notices.tell(here, {}, lambda: muted_until(store, time.time()))

        assert tell() is None
        assert notices.busy, "it is told at the end, if it still waits"
        assert list(muted_until(store, time.time() + 7201)) == []
    assert demo.torch("mute", demo.name, "--off", "--json").json == {
        "schema": "torch.mute/1",
        "agent": demo.name,
        "until": None,
    }
    assert demo.torch("mute").err == "no agent is muted\n"
    words = [
        json.loads(line).get("verb") for line in demo.torch("events", "--json").out.split("\n")[:-1]
    ]
    assert words.count("mute") == 2
    done = demo.torch("mute", demo.name, "--off")
    assert (done.code, done.out) == (0, f"unmuted  {demo.name}\n")


def test_a_mute_must_name_an_agent_and_a_time(demo: DemoAgent) -> None:
    for words, code in (
        ((demo.name,), (2, "usage")),
        ((demo.name, "2h", "--off"), (2, "usage")),
        (("--off",), (2, "usage")),
        ((demo.name, "soon"), (2, "bad-duration")),
        ((demo.name, "8d"), (2, "bad-duration")),
        (("nobody", "2h"), (3, "no-agent")),
    ):
        done = demo.torch("mute", *words, "--json")
        assert (done.code, done.json["error"]["code"]) == code, words
    with Store() as store:
        assert muted_until(store, time.time()) == {}
        with pytest.raises(RefusedError):
            mute(store, demo.name, -1.0)


def test_the_daemon_heeds_a_mute(demo: DemoAgent, tmp_path: Path) -> None:
    file = tmp_path / "notices"
    keep_in(file)
    other = spawn_demo(demo.tmux, demo.torch, tmp_path / "other", name="other")
    assert demo.torch("mute", demo.name, "1h").code == 0
    scheduler.start(demo.torch)
    for agent in (demo, other):
        wait_until(lambda a=agent: {"name": a.name, "state": "idle"} in written(demo))  # type: ignore[misc]
        agent.open_dialog()
    wait_until(lambda: kept(file), what="the notice of the other")
    assert [one["name"] for notice in kept(file) for one in notice["agents"]] == ["other"]
