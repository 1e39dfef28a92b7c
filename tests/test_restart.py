"""Restart policies: who is started again, after how long, and when it is given up."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

import scheduler
from conftest import TmuxServer, Torch, wait_until
from torch_cli.lifecycle.backoff import HEALTHY_SECONDS, MOST, WITHIN
from torch_cli.store import Store
from torch_cli.teamfile.load import load_team
from torch_cli.teams.restart import Fallen, fallen
from torch_cli.teams.upkeep import Upkeep

PATH = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"}

TEAM = """\
[team]
name = "shop"
[[process]]
name = "job"
command = ["sh", "-c", "echo run >>runs; read line <answer; exit $line"]
restart = "{policy}"
[[agent]]
name = "dev"
profile = "demo"
restart = "on-failure"
"""


@pytest.fixture
def project(tmp_path: Path, torch: Torch) -> Path:
    made = tmp_path / "my project"
    made.mkdir()
    os.mkfifo(made / "answer")
    write(made, "on-failure")
    assert torch("up", "--dir", str(made), env=PATH).code == 0
    return made


def write(project: Path, policy: str) -> None:
    (project / "torch.toml").write_text(TEAM.format(policy=policy))


def end(project: Path, tmux: TmuxServer, status: int) -> None:
    """Have the job end with ``status``."""
    (project / "answer").write_text(f"{status}\n")
    wait_until(lambda: any(one.dead for one in tmux.panes()), what="the end of the job")


def look(project: Path, now: float) -> list[Fallen]:
    with Store() as store:
        return fallen(store, load_team(str(project / "torch.toml")), now)


def dev_pid() -> int:
    with Store() as store:
        agent = store.agents.get("dev")
        assert agent is not None
        return agent.program_pid


def test_waits_grow_and_an_end_is_put_to_it(project: Path, tmux: TmuxServer) -> None:
    team = str((project / "torch.toml").resolve())
    assert look(project, 1000.0) == []
    end(project, tmux, 3)
    now, waits = 1000.0, []
    for turn in range(MOST):
        (one,) = look(project, now)
        said = f"it ended with status 3; restart {turn + 1} of {MOST}"
        assert (one.name, one.what, one.why) == ("job", "wait", said)
        with Store() as store:
            due = store.restarts.of(team, "job")[-1].due
            waits.append(due - now)
            assert look(project, due - 0.01)[0].what == "wait"
            assert look(project, due)[0].what == "restart"
            store.restarts.begin(team, "job", due)
        now = due
    for wait, wanted in zip(waits, (2, 4, 8, 16, 32), strict=True):
        assert 0.8 * wanted <= wait <= 1.2 * wanted
    (one,) = look(project, now)
    assert (one.what, one.why) == ("give-up", "it ended with status 3, after 5 restarts in 10 min")
    assert look(project, now + 1) == [], "it is said once, whoever looks"
    assert look(project, now + WITHIN + 1) == [], "given up stays given up"


def test_whoever_a_person_starts_again_is_looked_after_again(
    project: Path, tmux: TmuxServer, torch: Torch
) -> None:
    team = str((project / "torch.toml").resolve())
    end(project, tmux, 3)
    with Store() as store:
        for at in range(MOST):
            look(project, 1000.0 + at)
            store.restarts.begin(team, "job", 1000.0 + at)
    assert [one.what for one in look(project, 1010.0)] == ["give-up"]
    assert torch("up", "--dir", str(project), env=PATH).code == 0
    assert look(project, 1020.0) == []
    end(project, tmux, 4)
    (one,) = look(project, 1030.0)
    assert (one.what, one.why) == ("wait", f"it ended with status 4; restart 1 of {MOST}")


def test_who_runs_for_long_is_as_good_as_new(project: Path, tmux: TmuxServer, torch: Torch) -> None:
    team = str((project / "torch.toml").resolve())
    end(project, tmux, 1)
    look(project, 1000.0)
    with Store() as store:
        store.restarts.begin(team, "job", 1003.0)
        assert torch("up", "--dir", str(project), env=PATH).code == 0
        assert look(project, 1003.0 + HEALTHY_SECONDS - 1) == []
        assert len(store.restarts.of(team, "job")) == 1
        assert look(project, 1003.0 + HEALTHY_SECONDS + 1) == []
        assert store.restarts.of(team, "job") == []


@pytest.mark.parametrize(
    ("policy", "status", "again"),
    [
        ("on-failure", 0, False),
        ("on-failure", 1, True),
        ("always", 0, True),
        ("never", 1, False),
    ],
)
def test_policies(project: Path, tmux: TmuxServer, policy: str, status: int, again: bool) -> None:
    write(project, policy)
    end(project, tmux, status)
    assert [one.name for one in look(project, 1000.0)] == (["job"] if again else [])


def test_what_a_person_has_stopped_stays_stopped(
    project: Path, tmux: TmuxServer, torch: Torch
) -> None:
    write(project, "always")
    (job,) = [one for one in tmux.panes() if one.window == "job"]
    tmux.cmd("kill-pane", "-t", job.id)
    assert torch("stop", "dev").code == 0
    assert look(project, 1000.0) == []


def test_the_daemon_starts_again_what_has_crashed(
    project: Path, tmux: TmuxServer, torch: Torch
) -> None:
    daemon = scheduler.start(torch)
    before = dev_pid()
    (project / "answer").write_text("7\n")
    os.kill(before, signal.SIGKILL)

    def both() -> bool:
        panes = {one.window: one for one in tmux.panes()}
        runs = (project / "runs").read_text().count("run")
        return runs == 2 and dev_pid() != before and not any(p.dead for p in panes.values())

    wait_until(both, what="both again", timeout=90)
    assert daemon.stop() == 0
    log = torch("daemon", "logs", "-n", "99").out
    assert "it ended with status 7; restart 1 of 5" in log
    assert "it was killed by signal 9 (SIGKILL); restart 1 of 5" in log
    assert sorted(one.window for one in tmux.panes()) == ["dev", "job"]


def test_people_are_told_when_it_is_given_up(project: Path, tmux: TmuxServer) -> None:
    end(project, tmux, 3)
    team = str((project / "torch.toml").resolve())
    with Store() as store:
        for at in range(MOST):
            look(project, 1000.0 + at)
            store.restarts.begin(team, "job", 1000.0 + at)
        upkeep = Upkeep()
        (did,) = upkeep.run(store, 1010.0)
        assert (did.what, did.agent, did.people) == ("give-up", "job", True)
        assert did.socket == tmux.panes()[0].socket_path
        assert list(upkeep.run(store, 1020.0)) == [], "once"
        assert list(Upkeep().run(store, 1030.0)) == [], "also by the next tick"
    assert json.dumps(did.words)
