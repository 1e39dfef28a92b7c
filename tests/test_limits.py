"""Agents that start agents: who is the parent, and where it ends."""

import json
import os
import sys
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch
from test_task import agent as registered
from torch_cli.errors import RefusedError
from torch_cli.lifecycle.limits import check_spawn, depth_of
from torch_cli.roster.membership import team_of
from torch_cli.store import Store
from torch_cli.store.teams import MemberKind, Started


def test_an_agent_that_starts_another_is_its_parent(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn_demo(tmux, torch, tmp_path / "pm", name="pm")
    monkeypatch.setenv("TORCH_AGENT", "pm")
    spawn_demo(tmux, torch, tmp_path / "dev", name="dev")
    with Store() as store:
        dev = store.agents.get("dev")
        assert dev is not None
        assert (dev.parent, depth_of(store, dev)) == ("pm", 1)


def test_the_briefing_of_a_child_names_its_parent(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn_demo(tmux, torch, tmp_path / "pm", name="pm")
    monkeypatch.setenv("TORCH_AGENT", "pm")
    directory = tmp_path / "dev"
    (directory / "briefings").mkdir(parents=True)
    (directory / "briefings" / "short.md").write_text("{{ agent }} under {{ parent }}")
    words = ("spawn", "dev", "--profile", "demo", "--dir", str(directory), "--session", "agents")
    log = tmp_path / "dev.log"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    more = ("--json", "--brief", "short", "--", "--log", str(log))
    done = torch(*words, *more, env={"PATH": path})
    assert done.code == 0, done.err
    pane = tmux.pane(json.loads(done.out.splitlines()[0])["pane"])
    dev = DemoAgent(tmux, torch, "dev", pane, log, directory)
    (briefing,) = dev.submitted()
    assert briefing.endswith("dev under pm")


def test_a_child_of_a_teams_agent_is_bound_by_its_rules(tmp_path: Path) -> None:
    path = tmp_path / "torch.toml"
    path.write_text('[team]\nspawners = ["orchestrator"]\n')
    with Store() as store:
        boss = registered(store, "boss", role="orchestrator")
        store.teams.add(Started(str(path), "boss", MemberKind.AGENT, {}, agent=boss.identity))
        child = registered(store, "child", role="developer", parent="boss")
        assert team_of(store, child) == str(path)
        with pytest.raises(RefusedError, match="the role 'developer' may start no agents"):
            check_spawn(store, child)
        stranger = registered(store, "stranger", role="developer")
        assert team_of(store, stranger) == ""
        check_spawn(store, stranger)


def test_depth_and_number_are_bounded(torch: Torch, tmp_path: Path) -> None:
    with Store() as store:
        chain = [registered(store, "a0")]
        for n in range(1, 5):
            check_spawn(store, chain[-1])
            chain.append(registered(store, f"a{n}", parent=f"a{n - 1}"))
        with pytest.raises(RefusedError, match="max_depth = 4"):
            check_spawn(store, chain[-1])
        for n in range(11):
            registered(store, f"b{n}")
        with pytest.raises(RefusedError, match="there are 16 agents: max_agents = 16"):
            check_spawn(store, chain[0])
    done = torch("spawn", "more", "--profile", "demo", env={"TORCH_AGENT": "a0"})
    assert (done.code, "nothing was started" in done.err) == (2, True)


def test_the_team_file_says_who_may(tmp_path: Path) -> None:
    path = tmp_path / "torch.toml"
    path.write_text('[team]\nspawners = ["orchestrator"]\nmax_agents = 3\n')
    with Store() as store:
        for name, role in (("boss", "orchestrator"), ("dev", "developer")):
            one = registered(store, name, role=role)
            store.teams.add(Started(str(path), name, MemberKind.AGENT, {}, agent=one.identity))
        boss, dev = store.agents.get("boss"), store.agents.get("dev")
        assert boss is not None
        assert dev is not None
        check_spawn(store, boss)
        with pytest.raises(RefusedError, match="the role 'developer' may start no agents"):
            check_spawn(store, dev)
        registered(store, "third")
        with pytest.raises(RefusedError, match=r"max_agents = 3 \(.*torch\.toml\)"):
            check_spawn(store, boss)
        path.write_text("[[")
        with pytest.raises(
            RefusedError,
            match="the team file of 'boss' cannot be read, so what it may start is not known",
        ):
            check_spawn(store, boss)
