"""An agent that is frozen stays so: after a reboot, when its team is brought up, and in a pool."""

import os
import signal
import time
from pathlib import Path

import pytest

from agent import spawn_demo
from conftest import TmuxServer, Torch, wait_until
from repository import Repository
from test_restart_agent import PATH
from test_task import new
from test_up import edit, project, prompts, states, up
from test_upkeep import POOLED, decided, enlist, hold, known, store
from torch_cli import procs
from torch_cli.roster.actor import Actor
from torch_cli.store import Store
from torch_cli.tasks.assignment import Rules, candidates
from torch_cli.tasks.life import claim, reap
from torch_cli.tasks.ranking import objection
from torch_cli.teamfile.load import load_team

__all__ = ["project", "store"]

DAY = 86_400.0


def frozen(name: str) -> bool:
    with Store() as opened:
        found = opened.agents.get(name)
    return found is not None and found.frozen is not None


def test_after_a_reboot_it_is_frozen_and_its_messages_come_in_order_after_the_thaw(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    dev = spawn_demo(tmux, torch, tmp_path / "project", "--work", "0", name="dev")
    with Store() as opened:
        agent = opened.agents.get("dev")
        assert agent is not None
        task = claim(opened, agent, Actor(None), new(opened, "the parser"), ())
        assert task is not None
    assert torch("freeze", "dev").code == 0
    for text in ("one", "two"):
        assert dev.send(text, "--timeout", "1").code == 4
    program = procs.identify(dev.pane.pid)
    tmux.cmd("kill-server")
    assert program is not None
    wait_until(lambda: not procs.alive(program), what="its end")
    with Store() as opened:
        # The machine was started after the agent was.
        opened.database.write("UPDATE agents SET created = 1000, program_started = 'earlier'")
    assert torch("resurrect", "--json").code == 0
    torch("tick")
    assert frozen("dev")
    assert dev.send("three", "--timeout", "1").json["reason"][:7] in ("frozen:", "gone: p")
    with Store() as opened:
        assert reap(opened, time.time() + DAY) == [], "it keeps its task"
    assert torch("restart", "dev", "--yes", env=PATH).code == 0
    torch("tick")
    assert frozen("dev")
    assert dev.submitted() == []
    assert torch("thaw", "dev").code == 0
    wait_until(lambda: torch("tick").code == 0 and len(dev.submitted()) >= 4, what="the messages")
    told = [one for one in dev.submitted() if "Your program was restarted" not in one]
    assert told == ["one", "two", "three"]


@pytest.mark.parametrize("how", ["it has ended", "--restart-changed"])
def test_a_team_that_is_brought_up_leaves_it_frozen(
    tmux: TmuxServer, torch: Torch, project: Repository, tmp_path: Path, how: str
) -> None:
    assert up(torch, project, "--json").code == 0
    before = prompts(tmp_path, "dev")
    assert torch("freeze", "dev").code == 0
    assert states(up(torch, project, "--json"))["dev"] == "running"
    if how == "it has ended":
        (pane,) = [pane for pane in tmux.panes() if pane.window == "dev"]
        os.kill(pane.pid, signal.SIGKILL)
        wait_until(lambda: tmux.pane(pane.id).dead, what="its end")
        torch("tick")
        assert tmux.pane(pane.id).dead, "its policy waits"
        done = up(torch, project, "--json")
        assert states(done)["dev"] == "started"
    else:
        edit(project, '/dev.log"]', '/dev.log", "--frame", "0.02"]')
        done = up(torch, project, "--restart-changed", "--json")
        assert states(done)["dev"] == "restarted"
    assert frozen("dev")
    torch("tick")
    assert prompts(tmp_path, "dev") == before, "nothing was typed"
    assert torch("thaw", "dev").code == 0
    wait_until(
        lambda: torch("tick").code == 0 and len(prompts(tmp_path, "dev")) > len(before),
        what="its briefing",
    )


def test_in_a_pool_it_gets_no_work_and_nobody_is_started_in_its_place(
    store: Store, tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    file = tmp_path / "torch.toml"
    file.write_text(POOLED.format(most=3, idle="1s") + "min = 1\n")
    team = load_team(str(file))
    hand = spawn_demo(tmux, torch, tmp_path / "hand-1", name="hand-1")
    enlist(store, team, "hand-1")
    assert decided(store, team, DAY) == []
    assert torch("freeze", "hand-1").code == 0
    task = new(store)
    (one,) = candidates(store, [known(store, "hand-1")], Rules())
    assert objection(task, one) == "it is frozen"
    assert decided(store, team, DAY) == [("stay", "", f"{task.id} waits, and hand-1 is frozen")]
    hold(store, known(store, "hand-1"))
    assert decided(store, team, DAY)[0][:2] == ("stay", ""), "also if it has a task"
    os.kill(hand.pane.pid, signal.SIGKILL)
    wait_until(lambda: tmux.pane(hand.pane.id).dead, what="its end")
    assert decided(store, team, DAY)[0][:2] == ("stay", ""), "nor if its program has ended"
    store.database.write("DELETE FROM tasks")
    assert decided(store, team, DAY) == [], "it counts as one of min"
    assert torch("thaw", "hand-1").code == 0
    (one_more,) = decided(store, team, DAY)
    assert one_more[0] == "grow"
