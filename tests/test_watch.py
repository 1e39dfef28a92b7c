"""Checkpoints that time makes: of every agent's directory, by the daemon and by tick."""

import json
import os
import sqlite3
import time
from pathlib import Path

import pytest

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, TmuxServer, Torch, wait_until
from repository import Repository
from torch_cli import paths
from torch_cli.checkpoint.settings import Settings, load_settings
from torch_cli.errors import RefusedError
from torch_cli.intervals import INTERVALS
from torch_cli.schedule import worktrees as watch
from torch_cli.schedule.worktrees import Done, next_look, run_due, watched
from torch_cli.settings import settings_file
from torch_cli.store import Store
from torch_cli.store.schema import MIGRATIONS


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "project", {"a.py": "a\n", "src/b.py": "b\n"})


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, repository: Repository) -> DemoAgent:
    return spawn_demo(tmux, torch, repository.path)


def setting(text: str) -> None:
    path = Path(settings_file())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[checkpoint]\n{text}\n")


def due_now() -> list[Done]:
    """Do what is due, as the daemon does."""
    with Store() as store:
        return list(run_due(store, time.time()))


def later(seconds: float) -> list[Done]:
    """Do what is due so many seconds from now."""
    with Store() as store:
        return list(run_due(store, time.time() + seconds))


def logged(event: str = "") -> list[dict[str, object]]:
    """What the daemon's log holds, of that kind if one is given."""
    log = (Path(paths.state_dir()) / "daemon.log").read_text()
    events = [json.loads(line) for line in log.splitlines() if line.endswith("}")]
    return [one for one in events if event in ("", one["event"])]


def test_tick_makes_one_of_every_agents_directory(
    demo: DemoAgent, repository: Repository, torch: Torch
) -> None:
    done = torch("tick")
    assert done.code == 0
    assert done.out.startswith(f"checkpoint  {repository.path}  c-")
    listed = torch("checkpoint", "list", str(repository.path), "--json").json
    assert (listed["agent"], listed["reason"]) == ("demo", "interval")
    repository.write("a.py", "changed\n")
    assert torch("tick").out == "", "it is not due yet"
    (state,) = torch("checkpoint", "status", "--json").out.splitlines()
    said = json.loads(state)
    assert (said["dir"], said["agents"], said["every_s"]) == (str(repository.path), ["demo"], 1800)
    assert said["checkpoint"] == listed["id"]
    made = later(1801)
    assert [one.said.split(":")[1] for one in made] == [" 1 file, +1 -1"]
    assert len(repository.ids()) == 2


def test_a_worktree_is_recorded_once_for_two_agents(
    demo: DemoAgent, repository: Repository, tmux: TmuxServer, torch: Torch
) -> None:
    spawn_demo(tmux, torch, repository.path / "src", name="second")
    (one,) = due_now()
    assert one.watched.names == "demo, second"
    assert len(repository.ids()) == 1


def test_a_repository_inside_that_has_an_agent_is_its_business(
    demo: DemoAgent, repository: Repository, tmux: TmuxServer, torch: Torch
) -> None:
    inner = Repository.make(repository.path / "inner", {"x": "1\n"})
    spawn_demo(tmux, torch, inner.path, name="second")
    done = due_now()
    assert {one.watched.top for one in done} == {str(repository.path), str(inner.path)}
    assert len(inner.ids()) == 1
    (made,) = torch("checkpoint", "list", str(inner.path), "--json").out.splitlines()
    assert json.loads(made)["agent"] == "second"


def test_the_setting_turns_it_off_and_a_watch_is_for_one_directory(
    demo: DemoAgent, repository: Repository, torch: Torch, tmp_path: Path
) -> None:
    setting("every = '0'")
    assert due_now() == []
    other = Repository.make(tmp_path / "other", {"x": "1\n"})
    set_ = torch("checkpoint", "watch", str(other.path), "--every", "10m")
    assert (set_.code, "every 10 min" in set_.out) == (0, True)
    assert "no scheduler is running" in set_.err
    assert [one.watched.top for one in due_now()] == [str(other.path)]
    other.write("x", "2\n")
    assert later(570) == []
    assert len(later(630)) == 1
    assert torch("checkpoint", "watch", str(other.path), "--default").code == 0
    other.write("x", "3\n")
    assert later(7200) == []
    assert repository.ids() == []


def test_a_watch_of_an_agents_directory_goes_before_the_setting(
    demo: DemoAgent, repository: Repository, torch: Torch
) -> None:
    assert torch("checkpoint", "watch", str(repository.path), "--every", "0").code == 0
    assert due_now() == []
    refused = torch("checkpoint", "watch", str(repository.path))
    assert refused.code == 2
    assert torch("checkpoint", "watch", str(repository.path), "--every", "soon").code == 2


def test_when_an_agent_goes_idle(demo: DemoAgent, repository: Repository, torch: Torch) -> None:
    assert torch("checkpoint", "watch", str(repository.path), "--on-idle").code == 0
    due_now()
    repository.write("a.py", "while it works\n")
    assert torch("send", "demo", "Work on it.").code == 0
    assert torch("wait", "demo", "--for", "idle", "--timeout", str(PATIENCE)).code == 0
    done: list[Done] = []

    def recorded() -> bool:
        done.extend(due_now())
        return bool(done)

    wait_until(recorded, what="a checkpoint when it is idle")
    assert done[0].outcome is not None
    assert done[0].outcome.checkpoint is not None
    assert done[0].outcome.checkpoint.reason == "idle"
    assert due_now() == []


def test_what_is_no_repository_is_said_once(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    spawn_demo(tmux, torch, tmp_path / "plain")
    first = torch("tick")
    assert "not in a git repository: it has no checkpoints" in first.out
    (again,) = later(1801)
    assert again.again
    shown = torch("checkpoint", "status")
    assert "not in a git repository" in shown.out
    assert torch("checkpoint", "init", str(tmp_path / "plain"), "--shadow").code == 0
    (made,) = later(3700)
    assert made.outcome is not None


def test_a_home_directory_is_not_looked_through_unless_asked(
    demo: DemoAgent, repository: Repository, torch: Torch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(repository.path))
    (done,) = due_now()
    assert "is your home directory" in done.said
    assert repository.ids() == []
    assert torch("checkpoint", "watch", str(repository.path), "--every", "1h").code == 0
    later(3700)
    assert len(repository.ids()) == 1


def test_a_failure_is_said_once_and_tried_again(
    demo: DemoAgent, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    (failed,) = due_now()
    assert failed.failed
    assert "another user owns it" in failed.alert
    assert later(200) == []
    (again,) = later(301)
    assert (again.failed, again.alert) == (True, "")
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")
    (made,) = later(700)
    assert not made.failed
    assert len(repository.ids()) == 1


def test_a_process_that_was_ended_on_the_way_is_tried_again(
    demo: DemoAgent, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(watch, "take", ended)
        with pytest.raises(KeyboardInterrupt):
            due_now()
    with Store() as store:
        assert store.watches.get(str(repository.path)).said == "was cut short"
    assert len(later(301)) == 1


def test_when_most_files_are_gone_people_are_told(
    demo: DemoAgent, repository: Repository, torch: Torch
) -> None:
    for n in range(9):
        repository.write(f"work/{n}")
    due_now()
    for path in [*(repository.path / "work").iterdir(), repository.path / "a.py"]:
        path.unlink()
    (done,) = later(1801)
    assert done.alert.startswith("10 of 11 files are gone")
    assert "10 of 11 files are gone" in torch("checkpoint", "status").out


def test_commits_at_an_interval(demo: DemoAgent, repository: Repository, torch: Torch) -> None:
    done = torch("commit", "--every", "30m", "-C", str(repository.path))
    assert (done.code, "commits every 30 min" in done.out) == (0, True)
    repository.write("a.py", "changed\n")
    due_now()
    assert repository.git("log", "--format=%s") == "one"
    later(1801)
    assert repository.git("log", "-1", "--format=%s") == "Progress: change a.py"
    assert "Torch-Agent: demo" in repository.git("log", "-1", "--format=%B")
    repository.git("switch", "-q", "--detach")
    repository.write("a.py", "again\n")
    done_later = [one for one in later(3700) if one.outcome is None]
    assert [one.failed for one in done_later] == [True]
    assert "HEAD is detached" in done_later[0].alert
    assert torch("commit", "--every", "0", "-C", str(repository.path)).code == 0
    assert [one for one in later(7300) if one.outcome is None] == []


def test_a_clock_that_is_put_back_puts_nothing_off(demo: DemoAgent, repository: Repository) -> None:
    due_now()
    repository.write("a.py", "changed\n")
    assert len(later(-3600)) == 1


def test_settings_that_are_wrong_are_said(demo: DemoAgent, torch: Torch) -> None:
    setting("evry = '5m'")
    with pytest.raises(RefusedError):
        due_now()
    done = torch("tick")
    assert (done.code, "Did you mean 'every'?" in done.err) == (2, True)


def test_the_next_look_is_when_something_is_due(demo: DemoAgent, repository: Repository) -> None:
    with Store() as store:
        now = time.time()
        assert next_look(store, now) == 1.0
        list(run_due(store, now))
        assert next_look(store, now) == INTERVALS.checkpoints
        store.watches.set(str(repository.path), every=90.0, on_idle=None)
        assert 1.0 <= next_look(store, now + 60) < 90.0
        store.watches.set(str(repository.path), every=None, on_idle=True)
        assert next_look(store, now) == INTERVALS.checkpoints_idle


def test_the_daemon_records_an_agent_that_comes_and_goes_on(
    repository: Repository, tmux: TmuxServer, torch: Torch
) -> None:
    setting("every = '2s'")
    daemon = scheduler.start(torch)
    spawn_demo(tmux, torch, repository.path)
    wait_until(lambda: len(repository.ids()) == 1, what="the first checkpoint")
    repository.write("a.py", "changed\n")
    wait_until(lambda: len(repository.ids()) == 2, what="the next checkpoint")
    # A daemon that is killed between a checkpoint and its line in the log leaves it out.
    wait_until(lambda: len(logged("checkpoint")) == 2, what="its line in the log")
    daemon.kill()
    repository.write("a.py", "again\n")
    daemon = scheduler.start(torch)
    wait_until(lambda: len(repository.ids()) == 3, what="one after the crash")
    assert daemon.stop() == 0
    made = logged("checkpoint")
    assert len(made) == 3
    assert {one["dir"] for one in made} == {str(repository.path)}
    assert not [one for one in logged() if one["level"] == "error"]


def test_the_daemon_goes_on_when_the_settings_are_wrong(
    demo: DemoAgent, repository: Repository, torch: Torch
) -> None:
    setting("every = 1")
    daemon = scheduler.start(torch)
    assert torch("send", "demo", "hello").code == 0
    torch("checkin", "add", "demo", "still there", "--in", "1s")
    wait_until(lambda: len(demo.submitted()) == 2, what="the check-in")
    assert daemon.stop() == 0
    assert repository.ids() == []


def test_a_state_file_of_the_schema_before_gets_the_table(torch: Torch) -> None:
    path = Path(paths.database())
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as old:
        for migration in MIGRATIONS[:3]:
            old.executescript(migration)
        old.execute("PRAGMA user_version = 3")
    old.close()
    with Store() as store:
        assert store.watches.all() == {}
        store.watches.set(os.fsdecode(b"/tmp/\xff"), every=60.0, on_idle=None)
        assert list(store.watches.all()) == [os.fsdecode(b"/tmp/\xff")]
        assert watched(store, Settings())[0].every == 60.0
    assert load_settings() == Settings()
