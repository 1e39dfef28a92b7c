"""Ending an agent, or handing its work over, so that nothing of it is lost."""

from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch
from repository import Repository
from test_stop import child_in, mule
from torch_cli.store import Store


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "project", {"a.py": "1\n"})


@pytest.fixture
def dev(tmux: TmuxServer, torch: Torch, repository: Repository) -> DemoAgent:
    return spawn_demo(tmux, torch, repository.path, name="dev")


def task(torch: Torch, agent: str) -> str:
    identity = str(torch("task", "add", "a task", "--json").json["id"])
    assert torch("task", "assign", identity, agent, "--no-send").code == 0
    return identity


def test_nothing_of_an_agent_is_lost(
    dev: DemoAgent, torch: Torch, repository: Repository, tmux: TmuxServer
) -> None:
    identity = task(torch, "dev")
    assert torch("send", "dev", "something that it was told").code == 0
    repository.write("a.py", "not committed\n")
    done = torch("retire", "dev", "--json")
    assert done.code == 0, done.out
    said = done.json
    assert (said["how"], said["tasks"], said["no_note"]) == ("asked", [identity], None)
    saved = Path(said["saved"])
    assert "You are about to be relieved" in (saved / "note.md").read_text()
    assert "something that it was told" in (saved / "screen.txt").read_text()
    assert said["screen_lacks"] is None
    assert saved.stat().st_mode & 0o77 == 0
    assert repository.content("a.py", said["checkpoint"]) == b"not committed\n"
    with Store() as store:
        again = store.tasks.get(identity)
        assert again is not None
        assert (again.state, again.reason) == ("open", "dev was retired")
        assert store.agents.all() == []
    assert tmux.run("list-panes", "-a").returncode != 0
    assert torch("retire", "dev").code == 3


def test_what_the_alternate_screen_has_lost_is_not_promised(
    dev: DemoAgent, torch: Torch, tmux: TmuxServer
) -> None:
    tty = tmux.cmd("display-message", "-p", "-t", dev.pane.id, "#{pane_tty}")
    with open(tty, "wb", buffering=0) as screen:
        screen.write(b"\x1b[?1049h")
    tmux.wait_until(
        lambda: tmux.cmd("display-message", "-p", "-t", dev.pane.id, "#{alternate_on}") == "1",
        "the alternate screen",
    )
    done = torch("retire", "dev", "--deadline", "0", "--force")
    assert done.code == 0, done.err
    assert "screen.txt: it has only the last screen" in done.err


def test_who_is_typing_is_not_interrupted_unless_it_is_forced(
    dev: DemoAgent, torch: Torch, tmux: TmuxServer
) -> None:
    tmux.cmd("send-keys", "-t", dev.pane.id, "-l", "a person types")
    tmux.wait_for_text(dev.pane, "a person types")
    held = torch("retire", "dev", "--deadline", "0", "--json")
    assert (held.code, held.json["error"]["code"]) == (4, "draft")
    assert dev.state() == "idle"
    done = torch("retire", "dev", "--deadline", "1", "--json", "--force")
    assert done.code == 0, done.out
    assert done.json["note"] is None
    assert "draft" in done.json["no_note"]
    assert "a person types" in (Path(done.json["saved"]) / "screen.txt").read_text()


def test_what_cannot_be_saved_keeps_the_agent(
    dev: DemoAgent, torch: Torch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "torch/handoffs").write_text("a file")
    done = torch("retire", "dev", "--deadline", "0")
    assert (done.code, "could not be saved" in done.err) == (1, True)
    (tmp_path / "torch/handoffs").unlink()
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    held = torch("retire", "dev", "--deadline", "0")
    assert (held.code, "another user owns it" in held.err) == (2, True)
    assert "dev" in torch("ps").out


def test_an_agent_that_does_not_end_keeps_its_tasks(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Only what Torch started is made to end: an adopted program may refuse."""
    pane = tmux.new_session("mine", *mule(), directory=tmp_path)
    child_in(tmux, pane)
    assert torch("adopt", pane.id, "mule", "--profile", "mule").code == 0
    identity = task(torch, "mule")
    done = torch("retire", "mule", "--deadline", "0", "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "still-running")
    assert "it continues and keeps its tasks" in done.json["error"]["message"]
    with Store() as store:
        kept = store.tasks.get(identity)
        assert kept is not None
        assert (kept.state, kept.holder) == ("claimed", "mule")
        assert not [one for one in store.tasks.history(identity) if "retired" in one.words]
    assert "mule" in torch("ps").out


def test_nothing_is_handed_to_an_agent_that_has_ended(
    dev: DemoAgent, torch: Torch, tmux: TmuxServer, tmp_path: Path
) -> None:
    other = spawn_demo(tmux, torch, tmp_path / "other", name="other")
    identity = task(torch, "dev")
    other.kill()
    done = torch("handoff", "dev", "other", "--deadline", "0", "--json")
    assert (done.code, done.json["error"]["code"]) == (3, "vanished")
    with Store() as store:
        kept = store.tasks.get(identity)
        assert kept is not None
        assert kept.holder == "dev"


def test_work_is_handed_over(
    dev: DemoAgent, torch: Torch, tmux: TmuxServer, tmp_path: Path
) -> None:
    other = spawn_demo(tmux, torch, tmp_path / "other", name="other")
    identity = task(torch, "dev")
    done = torch("handoff", "dev", "other")
    assert done.code == 0, done.err
    (text,) = other.submitted()
    assert text.startswith("[from dev · handoff · m-")
    assert f"Its task {identity} is now yours: a task" in text
    assert "You are about to be relieved" in text, "the note of an agent that repeats what it hears"
    with Store() as store:
        moved = store.tasks.get(identity)
        assert moved is not None
        assert (moved.holder, moved.state) == ("other", "claimed")
    assert torch("handoff", "dev", "dev").code == 2
    assert torch("handoff", "dev", "nobody").code == 3
