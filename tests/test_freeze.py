"""Freezing: a working agent is interrupted, nothing is done to it, and 'thaw' lets it go on."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, TmuxServer, Torch, accept_profiles
from test_task import agent as registered
from test_task import mine, new
from torch_cli.pressing import apart
from torch_cli.pressing.interrupt import _Interrupter
from torch_cli.programs.loading import STOCK, load_profile
from torch_cli.programs.state import State
from torch_cli.roster.registry import find, profiles_dir
from torch_cli.store import Store
from torch_cli.tasks.life import reap
from torch_cli.tasks.ranking import Candidate, objection
from torch_cli.tmux.control import ControlClient


@pytest.fixture
def dev(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    """An agent whose turns last until they are interrupted."""
    return spawn_demo(tmux, torch, tmp_path / "project", "--work", "600", name="dev")


def works(dev: DemoAgent) -> None:
    """Have it begin a turn."""
    assert dev.send("a long turn").code == 0
    dev.tmux.wait_for_text(dev.pane, "esc to interrupt")


def test_a_working_agent_is_interrupted_once_and_messages_wait_in_order_until_it_is_thawed(
    torch: Torch, dev: DemoAgent
) -> None:
    works(dev)
    done = torch("freeze", "dev", "--json")
    assert (done.code, done.json["interrupted"], done.json["works_on"]) == (0, True, False)
    assert len(dev.events("interrupted")) == 1
    assert [e["key"] for e in dev.events("typed") if e.get("key") == "escape"] == ["escape"]
    sent = [torch("send", "dev", text, "--timeout", "1", "--json") for text in ("one", "two")]
    assert [one.code for one in sent] == [4, 4]
    assert sent[0].json["reason"].startswith("frozen: 'torch thaw dev'")
    torch("tick", "-v")
    assert dev.submitted() == ["a long turn"]
    # it is shown everywhere
    assert torch("ps", "--json").json["frozen"]
    assert "idle frozen" in torch("ps").out
    assert torch("state", "dev", "--json").json["frozen"]
    assert "frozen for" in torch("state", "dev").out
    assert "1 frozen" in torch("status", "--line").out
    status = torch("status", "--json")
    assert (status.code, status.json["do"], bool(status.json["frozen"])) == (0, "wait", True)
    again = torch("freeze", "dev", "--json")
    assert (again.code, again.json["already"], again.json["waiting"]) == (0, True, 2)
    thawed = torch("thaw", "dev", "--json")
    assert (thawed.code, thawed.json["interrupted"], thawed.json["waiting"]) == (0, True, 2)
    assert torch("ps", "--json").json["frozen"] is None
    dev.end_work()
    torch("tick")
    assert dev.submitted()[1] == "one"
    assert torch("thaw", "dev", "--json").json["already"]


def test_a_turn_is_not_interrupted_where_torch_is_not_sure(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent
) -> None:
    """With a draft in the box, the key could do something else."""
    works(dev)
    tmux.cmd("send-keys", "-t", dev.pane.id, "-l", "my draft")
    tmux.wait_for_text(dev.pane, "my draft")
    done = torch("freeze", "dev", "--json")
    assert (done.code, done.json["works_on"]) == (4, True)
    assert done.json["why"] == "a text is in its input box"
    assert not dev.events("interrupted")
    held = torch("send", "dev", "later", "--json")
    assert (held.code, held.json["reason"][:7]) == (4, "frozen:")
    assert torch("thaw", "dev", "--json").json["interrupted"] is False


def test_a_question_stays_open(torch: Torch, dev: DemoAgent) -> None:
    dev.open_dialog()
    done = torch("freeze", "dev", "--json")
    assert (done.code, done.json["before"], done.json["interrupted"]) == (0, "waiting", False)
    assert "Do you want to proceed?" in dev.screen()
    assert not dev.events("typed")


def test_without_interrupting_the_turn_goes_on_and_a_message_does_not_reach_it(
    torch: Torch, dev: DemoAgent
) -> None:
    works(dev)
    done = torch("freeze", "dev", "--no-interrupt", "--json")
    assert (done.code, done.json["interrupted"]) == (0, False)
    assert torch("send", "dev", "now", "--when", "now", "--json").code == 4
    assert not dev.events("interrupted")


def test_a_message_that_waits_for_its_turn_is_held_as_soon_as_the_agent_is_frozen(
    torch: Torch, dev: DemoAgent, store: Store
) -> None:
    works(dev)
    argv = torch.argv("send", "dev", "soon", "--when", "idle", "--timeout", "120", "--json")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as sender:
        dev.tmux.wait_until(store.messages.any_waiting, "the message")
        assert torch("freeze", "dev").code == 0
        out, _ = sender.communicate(timeout=PATIENCE)
    assert '"frozen: ' in out
    assert dev.submitted() == ["a long turn"]


def test_all_agents_are_frozen_and_an_unknown_name_does_not_spare_the_others(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    spawn_demo(tmux, torch, tmp_path / "qa", name="qa")
    some = torch("freeze", "nobody", "dev")
    assert (some.code, "nobody" in some.err, "frozen  dev" in some.out) == (3, True, True)
    done = torch("freeze", "--all")
    assert (done.code, done.out.count("frozen  ")) == (0, 2)
    with Store() as store:
        assert all(one.frozen is not None for one in store.agents.all())
    assert torch("thaw", "--all").out.count("thawed  ") == 2
    assert torch("freeze", "dev", "--all").code == 2
    assert torch("freeze", "--team", "none").code == 3


def test_a_frozen_agent_stays_frozen_when_it_is_restarted(torch: Torch, dev: DemoAgent) -> None:
    torch("freeze", "dev")
    done = torch("restart", "dev", "--yes", "--json")
    assert done.code == 0, done.err
    assert done.json["notice"]["reason"].startswith("frozen:")
    assert torch("ps", "--json").json["frozen"]


def test_a_frozen_agent_gets_no_task_and_keeps_its_own(store: Store) -> None:
    agent = registered(store, "dev")
    held = mine(store, agent, new(store))
    later = held.active_at + 2 * held.lease
    candidate = Candidate("dev", agent.identity, State.IDLE, frozen=True)
    assert objection(held, candidate) == "it is frozen"
    assert store.agents.freeze(agent, 1.0)
    assert reap(store, later) == []
    assert store.agents.freeze(agent, None)
    assert [task.id for task in reap(store, later)] == [held.id]


def test_several_are_restarted_waited_for_and_stopped_each_with_its_own_result(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    spawn_demo(tmux, torch, tmp_path / "qa", name="qa")
    asked = torch("stop", "--all", "--json")
    assert (asked.code, asked.json["error"]["code"]) == (2, "no-consent")
    again = torch("restart", "dev", "nobody", "qa", "--yes", "--json")
    lines = [json.loads(line) for line in again.out.splitlines()]
    assert (again.code, [line["agent"] for line in lines]) == (3, ["dev", "nobody", "qa"])
    assert [line.get("error", {}).get("code") for line in lines] == [None, "no-agent", None]
    waited = torch(
        "wait", "dev", "qa", "nobody", "--for", "idle,working", "--timeout", "60", "--json"
    )
    lines = [json.loads(line) for line in waited.out.splitlines()]
    assert (waited.code, ["state" in line for line in lines]) == (3, [True, True, False])
    stopped = torch("stop", "--all", "--yes")
    assert (stopped.code, stopped.out.count("ended when asked")) == (0, 2)
    with Store() as store:
        assert store.agents.all() == []
    assert torch("stop", "--all", "--yes").code == 3


@pytest.mark.parametrize("frozen", [True, False])
def test_thawing_says_of_a_dead_agent_that_its_messages_go_on_waiting(
    torch: Torch, dev: DemoAgent, frozen: bool
) -> None:
    works(dev)
    if frozen:
        assert torch("freeze", "dev", "--no-interrupt").code == 0
    dev.kill()
    assert dev.send("are you there?", "--timeout", "1").code == 4
    thawed = torch("thaw", "dev")
    assert thawed.out.startswith("thawed  dev" if frozen else "not frozen  dev")
    assert "go out now" not in thawed.err
    assert "messages that go on waiting: 1, because its program has ended" in thawed.err
    again = torch("thaw", "dev", "--json").json
    assert (again["waiting"], "torch restart dev" in again["held"]) == (1, True)


def test_thawing_says_nothing_of_delivery_for_an_agent_that_was_not_frozen(
    torch: Torch, dev: DemoAgent
) -> None:
    dev.open_dialog()
    assert dev.send("later", "--timeout", "1").code == 4
    thawed = torch("thaw", "dev")
    assert "go out now" not in thawed.err
    assert "messages that wait: 1" in thawed.err


def interrupted_by(key: str, apart: float) -> None:
    """Install a profile of the demo agent in which ``key`` interrupts, and two too soon end it."""
    text = (Path(STOCK) / "demo.toml").read_text(encoding="utf-8")
    said = 'interrupt = ["Escape"]'
    assert said in text
    own = Path(profiles_dir())
    own.mkdir(parents=True)
    mine = f'interrupt = ["{key}"]\ninterrupt_apart = {apart}'
    (own / "demo.toml").write_text(text.replace(said, mine))
    accept_profiles()


def test_a_second_key_that_could_end_the_program_waits_until_it_cannot(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """aider ends at two Ctrl-C within two seconds, also if a new turn began between them."""
    interrupted_by("C-c", 4.0)
    dev = spawn_demo(tmux, torch, tmp_path / "project", "--work", "600", name="dev")
    works(dev)
    assert torch("freeze", "dev", "--json").json["interrupted"]
    assert torch("thaw", "dev").code == 0
    assert dev.send("another turn").code == 0
    dev.wait_for("working")
    second = torch("freeze", "dev", "--json")
    assert (second.code, second.json["interrupted"]) == (0, True), second.json["why"]
    keys = [one for one in dev.events("typed") if one.get("key") == "interrupt"]
    assert len(keys) == 2
    first, last = (float(one["t"]) for one in keys)
    assert last - first >= 4.0


def test_the_wait_for_a_second_key_ends_with_the_turn(torch: Torch, dev: DemoAgent) -> None:
    """Else this test would take ten minutes."""
    assert dev.send("DELAY(3)").code == 0
    dev.wait_for("working")
    now = time.time()
    with Store() as store:
        found = find(store, dev.tmux.socket, "dev")
        with ControlClient(found.socket, found.pane.session_id) as client:
            interrupter = _Interrupter(client, store, found, load_profile("demo", None))
            interrupter._await_free(apart.EarlierKey(now, now + 600, seen=True))
    assert time.time() < now + 600
    assert dev.state() == "idle"


def test_a_key_that_may_still_take_effect_is_not_pressed_again(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """This key ends no turn, as one that is heard late; what one freeze did the next one knows."""
    interrupted_by("BTab", 2.0)
    dev = spawn_demo(tmux, torch, tmp_path / "project", "--work", "600", name="dev")
    works(dev)
    first = torch("freeze", "dev", "--json")
    assert (first.code, first.json["works_on"]) == (4, True)
    assert first.json["why"].startswith("BTab was pressed, and it is working")
    second = torch("freeze", "dev", "--json")
    assert (second.code, second.json["works_on"]) == (4, True)
    assert second.json["why"].endswith("may still take effect: two of it end Torch demo agent")
    assert [one["key"] for one in dev.events("typed") if "key" in one].count("mode") == 1


def test_a_key_that_a_person_pressed_through_torch_counts_too(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    interrupted_by("C-c", 2.0)
    dev = spawn_demo(tmux, torch, tmp_path / "project", "--work", "600", name="dev")
    assert torch("press", "dev", "C-c").code == 0
    works(dev)
    done = torch("freeze", "dev", "--json")
    assert (done.code, done.json["works_on"]) == (4, True)
    assert done.json["why"].startswith("C-c was pressed ")
    assert len([one for one in dev.events("typed") if one.get("key") == "interrupt"]) == 1


def test_a_key_that_the_gate_refused_was_not_pressed(store: Store) -> None:
    agent = registered(store, "dev")
    launch = load_profile("aider", None).launch
    now = time.time()
    apart.record(store, agent, launch)
    assert apart.earlier(store, agent, launch, now + 30) is not None
    assert apart.earlier(store, agent, load_profile("claude", None).launch, now) is None
    apart.withdraw(store, agent, launch)
    assert apart.earlier(store, agent, launch, now) is None
    apart.record(store, agent, launch)
    store.events.add("freeze", "dev", {"interrupted": True}, agent=agent.identity)
    near = apart.earlier(store, agent, launch, now + 1)
    assert near is not None
    assert near.seen
    assert apart.earlier(store, agent, launch, now + 4) is None
