"""An agent that has ended a turn, and that nobody has looked at since."""

import subprocess
import time
from pathlib import Path

import pytest

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, TmuxServer, Torch, wait_until
from test_attention import states, status
from test_move import looking
from test_task import agent
from torch_cli.attention.looking import TOUCHED_SECONDS, Looking, has_ended_a_turn
from torch_cli.store import Store
from torch_cli.store.events import Event
from torch_cli.store.looks import ANYTHING


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project", "--work", "600")


def work(demo: DemoAgent) -> None:
    """Have it work for a turn, and wait until the history has it idle again."""
    before = len(states(demo.torch))
    assert demo.send("go").code == 0
    wait_until(lambda: states(demo.torch)[before:] == ["working"], what="the turn")
    demo.end_work()
    wait_until(lambda: states(demo.torch)[before:] == ["working", "idle"], what="its end")


def test_it_is_done_until_somebody_looks(demo: DemoAgent) -> None:
    demo.tmux.new_session("other", "cat")
    scheduler.start(demo.torch)
    wait_until(lambda: states(demo.torch) == ["idle"], what="the first state")
    assert status(demo.torch)[demo.name]["do"] == "nothing", "it has had no turn"
    with looking(demo.tmux, "other"):
        work(demo)
        done = status(demo.torch)[demo.name]
        assert (done["do"], done["state"]) == ("done", "idle"), "its state is idle, as it is"
        shown = demo.torch("status")
        assert shown.code == 0, "it waits for nobody"
        assert shown.out.startswith("DONE")
        assert f"torch seen {demo.name}  # you have looked at it" in shown.out
        assert demo.torch("status", "--line").out == "nobody needs you: 1 done\n"

        assert demo.torch("seen", demo.name).out == f"seen  {demo.name}\n"
        assert status(demo.torch)[demo.name]["do"] == "nothing"
        work(demo)
        assert status(demo.torch)[demo.name]["do"] == "done", "a message came as to an idle agent"
    with looking(demo.tmux, "agents"):
        wait_until(lambda: status(demo.torch)[demo.name]["do"] == "nothing", what="the look")
        work(demo)
        wait_until(lambda: status(demo.torch)[demo.name]["do"] == "nothing", what="the look")
    with Store() as opened:
        assert opened.looks.last(ANYTHING) is not None, "a person was here"


def test_a_shell_has_commands_and_no_turns(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    tmux.new_session("other", "cat")
    pane = tmux.new_session("box", "env PS1='$ ' bash --norc -i")
    tmux.wait_for_text(pane, "$")
    adopted = torch("adopt", pane.id, "box", "--profile", "bash")
    assert adopted.code == 0, adopted
    scheduler.start(torch)
    go = tmp_path / "go"
    command = torch.argv("run", "box", "--", f"until [ -e {go} ]; do sleep 0.1; done")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        wait_until(lambda: states(torch)[-1:] == ["working"], what="its command")
        go.touch()
        assert running.wait(PATIENCE) == 0
    wait_until(lambda: states(torch)[-1:] == ["idle"], what="the end of its command")
    assert status(torch)["box"]["do"] == "nothing"


def test_without_a_scheduler_nobody_knows(demo: DemoAgent) -> None:
    assert demo.torch("tick", "--quiet").code == 0
    assert demo.send("go").code == 0
    demo.end_work()
    demo.wait_for("idle")
    assert status(demo.torch)[demo.name]["do"] == "nothing"


def test_who_was_seen_must_be_an_agent(torch: Torch, store: Store) -> None:
    agent(store, "dev")
    for words, code in (
        (("seen", "dev", "nobody"), (3, "no-agent")),
        (("seen",), (2, "usage")),
        (("seen", "dev", "--all"), (2, "usage")),
    ):
        failed = torch(*words, "-S", "/s", "--json")
        assert (failed.code, failed.json["error"]["code"]) == code
    assert store.looks.all() == {}


def test_all_can_be_seen_at_once(store: Store) -> None:
    one, two = agent(store, "one"), agent(store, "two")
    done = Torch(None, demands=False)("seen", "--all", "--json")  # type: ignore[arg-type]
    assert done.json["names"] == ["one", "two"]
    assert set(store.looks.all()) == {one.identity, two.identity}


def test_a_terminal_that_nobody_touches_looks_at_nothing(
    demo: DemoAgent, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = store.agents.all()
    with demo.tmux.client() as client, looking(demo.tmux, "agents"):
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + TOUCHED_SECONDS + 1)
        Looking().note(store, client, agents)
        assert set(store.looks.all()) == {ANYTHING}, "somebody was here"
        monkeypatch.setattr(time, "time", real)
        Looking().note(store, client, agents)
        assert set(store.looks.all()) == {ANYTHING, agents[0].identity}


def change(state: str, before: str, since: float) -> Event:
    detail = {"state": state, "before": before, "since": since}
    return Event(int(since), since, "", "state", "dev", detail)


@pytest.mark.parametrize(
    ("changes", "looked", "done"),
    [
        ([("idle", "", 1)], 0, False),
        ([("working", "idle", 2)], 0, False),
        ([("idle", "working", 3)], 0, True),
        ([("idle", "working", 3)], 2, True),
        ([("idle", "working", 3)], 3, False),
        ([("idle", "waiting", 4), ("waiting", "working", 3)], 2, True),
        ([("idle", "waiting", 4), ("waiting", "working", 3)], 3, False),
        ([("idle", "starting", 4), ("starting", "exited", 3)], 0, False),
        ([("waiting", "working", 3)], 0, False),
    ],
)
def test_a_turn_may_end_by_way_of_a_question(
    changes: list[tuple[str, str, int]], looked: float, done: bool
) -> None:
    assert has_ended_a_turn([change(*one) for one in changes], looked) == done
    assert not has_ended_a_turn([], looked)
