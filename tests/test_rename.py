"""``torch rename``: another name for the same agent, in the same pane, with the same past."""

import json
import threading
from pathlib import Path

import pytest

from agent import DEMO_PROGRAM, DemoAgent, spawn_demo
from conftest import Result, TmuxServer, Torch
from torch_cli.errors import NotFoundError
from torch_cli.roster.actor import own_name
from torch_cli.store import Store


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "work")


def listed(torch: Torch) -> dict[str, str]:
    """Return the pane of each agent."""
    agents = [json.loads(line) for line in torch("ps", "--json").out.splitlines()]
    return {agent["name"]: agent["pane"] for agent in agents}


def test_the_agent_its_pane_and_its_messages_follow(demo: DemoAgent) -> None:
    sent = demo.send("hello").json
    done = demo.torch("rename", "demo", "dev", "--json")
    assert done.code == 0, done
    assert (done.json["agent"], done.json["before"]) == ("dev", "demo")
    assert (done.json["pane"], done.json["window"]) == (demo.pane.id, "dev")
    assert listed(demo.torch) == {"dev": demo.pane.id}
    assert demo.torch("receipt", sent["id"], "--json").json["target"] == "dev"
    assert demo.torch("send", "dev", "again").code == 0
    assert demo.submitted() == ["hello", "again"]
    assert demo.torch("send", "demo", "lost").code == 3
    window = demo.tmux.cmd("display-message", "-p", "-t", demo.pane.id, "#{window_name}")
    assert window == "dev"


def test_it_sends_under_its_new_name(demo: DemoAgent, tmux: TmuxServer, tmp_path: Path) -> None:
    other = spawn_demo(tmux, demo.torch, tmp_path / "other", name="other")
    assert demo.torch("rename", "demo", "dev").code == 0
    inside = {
        "TMUX": f"{demo.pane.socket_path},1,0",
        "TMUX_PANE": demo.pane.id,
        "TORCH_AGENT": "demo",
    }
    done = demo.torch("send", "other", "done", "--json", env=inside)
    assert done.code == 0, done
    with Store() as store:
        assert store.messages.get(done.json["id"]).sender == "dev"
        assert own_name(store, inside, 0) == "dev"
        assert own_name(store, {**inside, "TMUX_PANE": "%99"}, 0) == "demo"
        assert own_name(store, {}, 0) == ""
    assert "dev" in other.submitted()[0]


@pytest.mark.parametrize("new", ["a b", "-x", "", "x:y", "🔥", "x" * 65, "demo"])
def test_a_name_that_is_none_is_refused(demo: DemoAgent, new: str) -> None:
    done = demo.torch("rename", "--", "demo", new)
    assert done.code == 2, done
    assert demo.state() == "idle"


def test_a_name_that_is_taken_is_refused(demo: DemoAgent, tmux: TmuxServer, tmp_path: Path) -> None:
    spawn_demo(tmux, demo.torch, tmp_path / "other", name="other")
    done = demo.torch("rename", "demo", "other", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "name-taken")
    assert listed(demo.torch).keys() == {"demo", "other"}


def test_the_name_of_a_stopped_agent_may_be_had(
    demo: DemoAgent, tmux: TmuxServer, tmp_path: Path
) -> None:
    spawn_demo(tmux, demo.torch, tmp_path / "other", name="other")
    assert demo.torch("stop", "other").code == 0
    assert demo.torch("rename", "demo", "other").code == 0
    assert demo.torch("state", "other", "--json").json["pane"] == demo.pane.id


def test_somebody_elses_window_keeps_its_name(tmux: TmuxServer, torch: Torch) -> None:
    pane = tmux.new_session("main", DEMO_PROGRAM, window="helper")
    tmux.wait_for_text(pane, "? for help")
    assert torch("adopt", pane.id, "helper", "--profile", "demo").code == 0
    done = torch("rename", "helper", "dev", "--json")
    assert (done.code, done.json["window"]) == (0, "helper")


def test_an_agent_that_is_not_there_is_told(torch: Torch) -> None:
    assert torch("rename", "nobody", "dev").code == 3


def test_an_agent_whose_server_is_gone_is_renamed(demo: DemoAgent) -> None:
    demo.tmux.kill()
    assert demo.torch("rename", "demo", "dev").code == 0
    assert listed(demo.torch).keys() == {"dev"}


def test_two_at_once_give_one_name(demo: DemoAgent, tmux: TmuxServer, tmp_path: Path) -> None:
    spawn_demo(tmux, demo.torch, tmp_path / "other", name="other")
    results: dict[str, Result] = {}
    names = ("demo", "other")
    threads = [
        threading.Thread(
            target=lambda name: results.update({name: demo.torch("rename", name, "dev")}),
            args=(name,),
        )
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.code for result in results.values()) == [0, 2]
    left = listed(demo.torch)
    assert "dev" in left
    assert len(left) == 2


def test_one_agent_gets_one_of_two_names(demo: DemoAgent) -> None:
    """Who was slower is told, and not that the agent has the name."""
    with Store() as store:
        slower = store.agents.get("demo")
        assert slower is not None
        assert demo.torch("rename", "demo", "dev").code == 0
        with pytest.raises(NotFoundError, match="agent 'demo' no longer exists"):
            store.agents.rename(slower, "other")
    assert listed(demo.torch).keys() == {"dev"}


def with_kid(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    """Start an agent that answers to the demo agent."""
    spawn_demo(tmux, torch, tmp_path / "kid", name="kid")
    with Store() as store:
        store.agents.describe("kid", role="", parent="demo")


def test_a_namesake_has_nobody_below_it(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    with_kid(tmux, torch, tmp_path)
    assert "\n   kid" in torch("tree").out
    assert torch("stop", "demo").code == 0
    spawn_demo(tmux, torch, tmp_path / "elsewhere", name="demo")
    assert "\n   kid" not in torch("tree").out
    assert torch("stop", "demo").code == 0
    spawn_demo(tmux, torch, tmp_path / "work", name="demo")
    assert "\n   kid" not in torch("tree").out, "the name has been another's since"


def test_who_comes_back_has_those_below_it_again(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    with_kid(tmux, torch, tmp_path)
    assert torch("stop", "demo").code == 0
    spawn_demo(tmux, torch, tmp_path / "work", name="demo")
    assert "\n   kid" in torch("tree").out


def test_nobody_comes_to_stand_below_itself(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    for name, parent in (("two", "demo"), ("three", "two")):
        spawn_demo(tmux, torch, tmp_path / name, name=name)
        with Store() as store:
            store.agents.describe(name, role="", parent=parent)
    assert torch("stop", "demo").code == 0
    for name in ("two", "three"):
        done = torch("rename", name, "demo", "--json")
        assert (done.code, done.json["error"]["code"]) == (2, "circle"), done
    words = ("--profile", "bash", "--dir", str(tmp_path / "home"), "--session", "other", "--json")
    again = torch("spawn", "demo", *words, env={"TORCH_AGENT": "three"})
    assert (again.code, again.json["error"]["code"]) == (2, "circle"), again
    assert listed(torch).keys() == {"two", "three"}
    assert torch("spawn", "demo", *words).code == 0, "one that answers to nobody may have the name"
