"""Delegating a task to an agent that is started for it, and what people see of who does what."""

import sys
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch
from repository import Repository
from torch_cli.store import Store
from torch_cli.store.teams import MemberKind, Started
from torch_cli.tasks.delegate import free_name

PATH = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"}
AS_PM = {**PATH, "TORCH_AGENT": "pm"}


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "project", {"a.py": "a\n"})


@pytest.fixture
def pm(tmux: TmuxServer, torch: Torch, project: Repository) -> DemoAgent:
    return spawn_demo(tmux, torch, project.path, name="pm")


def add(torch: Torch, title: str, *words: str) -> str:
    return str(torch("task", "add", title, *words, "--json").json["id"])


def test_a_task_is_delegated_to_a_child_in_a_worktree(
    tmux: TmuxServer, torch: Torch, project: Repository, pm: DemoAgent
) -> None:
    file = project.path / "torch.toml"
    file.write_text('[[agent]]\nname = "pm"\nprofile = "demo"\n')
    project.commit("a team")
    with Store() as store:
        own = store.agents.get("pm")
        assert own is not None
        store.teams.add(Started(str(file), "pm", MemberKind.AGENT, {}, agent=own.identity))
    identity = add(torch, "Mend it; {{ now }} #{pane_id} 'x';")
    assert torch("task", "claim", identity, env=AS_PM).code == 0
    log = project.path.parent / "child.log"
    words = ("--worktree", "fix/it", "--to", "child", "--", "--log", str(log))
    done = torch("task", "delegate", identity, *words, env=AS_PM)
    assert done.code == 0, done.err
    assert done.out.startswith(f"delegated  {identity}  child")
    beside = project.path.parent / "project-fix-it"
    assert f"it works in {beside}, branch fix/it" in done.err
    (pane,) = [one for one in tmux.panes() if one.window == "child"]
    child = DemoAgent(tmux, torch, "child", pane, log, beside)
    briefing, order = child.submitted()
    assert "You are a developer" in briefing
    assert "You answer to `pm`" in briefing
    assert f"Task {identity}: Mend it; {{{{ now }}}} #{{pane_id}} 'x';" in order
    with Store() as store:
        agent, known = store.agents.get("child"), store.teams.members(str(file))["child"]
        assert agent is not None
        assert (agent.parent, agent.directory) == ("pm", str(beside))
        assert (known.ours, known.spec["worktree"], known.spec["parent"]) == (True, "fix/it", "pm")
    tree = torch("tree").out
    assert "   child (developer)  idle" in tree.replace("working", "idle")
    assert f"{identity} (claimed) Mend it; {{{{ now }}}} #{{pane_id}} 'x';" in tree
    shown = tmux.cmd("display-message", "-p", "-t", child.pane.id, "#{pane_title}|#{@torch_task}")
    title = f"{identity} Mend it; {{{{ now }}}} #{{pane_id}} 'x';"
    assert shown.strip() == f"child · {title}|{title}"
    assert torch("task", "done", identity, "-m", "ok", env={"TORCH_AGENT": "child"}).code == 0
    assert "is done" in pm.submitted()[-1], "its parent is told, too"
    shown = tmux.cmd("display-message", "-p", "-t", child.pane.id, "#{pane_title}|#{@torch_task}")
    assert shown.strip() == "child|"
    ended = torch("down", "--dir", str(project.path), env=PATH)
    assert (ended.code, "child  " in ended.out) == (0, True), ended.out
    assert not beside.exists(), "clean and merged"
    assert tmux.run("list-panes", "-a").returncode != 0


def test_the_directory_of_a_delegated_task_is_absolute(
    tmux: TmuxServer, torch: Torch, project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.path)
    identity = add(torch, "Read it")
    done = torch("task", "delegate", identity, "--profile", "demo", "--session", "s", "--json")
    assert (done.code, done.json["dir"]) == (0, str(project.path)), done.err


def test_what_cannot_be_delegated_starts_nothing(
    tmux: TmuxServer, torch: Torch, project: Repository, pm: DemoAgent
) -> None:
    first = add(torch, "first")
    second = add(torch, "second", "--after", first)
    other = spawn_demo(tmux, torch, project.path, name="other")
    assert torch("task", "claim", first, env={"TORCH_AGENT": "other"}).code == 0
    for words, code, said in (
        (("t-nothing",), 3, "no task"),
        ((first,), 4, "is other's (claimed); nothing was started"),
        ((second,), 4, "waits for"),
        (
            (add(torch, "third"), "--to", "other", "--worktree", "w"),
            2,
            "agent 'other' already exists",
        ),
        ((add(torch, "fourth"), "--profile", "nobody's", "--worktree", "w"), 3, "no profile"),
    ):
        done = torch("task", "delegate", *words, env=AS_PM)
        assert (done.code, said in done.err) == (code, True), done.err
    assert len(tmux.panes()) == 2, other
    assert not (project.path.parent / "project-w").exists()
    with Store() as store:
        assert free_name(store, "pm", None) == "pm-1"
        assert free_name(store, "other", None) == "other-1"
