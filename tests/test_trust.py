"""What a scheduler does by torch.toml with nobody there: what a person has accepted."""

import contextlib
import os
import sqlite3
import sys
import time
from pathlib import Path

import pytest

import scheduler
from conftest import Result, TmuxServer, Torch, wait_until
from torch_cli import paths
from torch_cli.lifecycle.did import Did
from torch_cli.store import Store
from torch_cli.teamfile.load import load_team
from torch_cli.teams.trust import digest_of, trust_of
from torch_cli.teams.upkeep import Upkeep

PATH = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"}

TEAM = """\
[team]
name = "shop"
[[process]]
name = "job"
command = ["sh", "-c", "read line <answer; exit $line"]
env_files = [".env"]
restart = "on-failure"
[[pool]]
role = "hand"
profile = "demo"
max = 1
min = 0
wait = "1s"
"""

EVIL = TEAM.replace("read line <answer", "touch evil; read line <answer")


@pytest.fixture
def project(tmp_path: Path, torch: Torch) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    os.mkfifo(made / "answer")
    (made / ".env").write_text("A=1\n")
    (made / "torch.toml").write_text(TEAM)
    assert up(torch, made).code == 0
    return made


def up(torch: Torch, project: Path, *words: str, agent: str = "") -> Result:
    env = {**PATH, "TORCH_AGENT": agent} if agent else PATH
    return torch("up", "--dir", str(project), *words, env=env)


def trust(torch: Torch, project: Path, *words: str, agent: str = "") -> Result:
    return torch("trust", "--dir", str(project), *words, env={"TORCH_AGENT": agent})


def helper(torch: Torch, project: Path) -> str:
    """Start an agent that belongs to no team, and return its name."""
    words = ("--profile", "demo", "--dir", str(project), "--session", "x")
    assert torch("spawn", "helper", *words, env=PATH).code == 0
    return "helper"


def look(now: float) -> list[Did]:
    with Store() as store:
        upkeep = Upkeep()
        return [*upkeep.run(store, now), *upkeep.run(store, now)]


def state(project: Path) -> str:
    with Store() as store:
        return trust_of(store, load_team(str(project / "torch.toml"))).state


def end_job(project: Path, tmux: TmuxServer) -> None:
    (project / "answer").write_text("3\n")
    wait_until(lambda: any(one.dead for one in tmux.panes()), what="the end of the job")


def test_the_daemon_starts_nothing_that_an_agent_wrote_into_the_file(
    torch: Torch, tmux: TmuxServer, project: Path
) -> None:
    assert state(project) == "same"
    (project / "torch.toml").write_text(EVIL)
    end_job(project, tmux)
    assert torch("task", "add", "waits", cwd=project).code == 0
    found = look(time.time() + 900)
    (said,) = found
    assert look(time.time() + 900) == [], "people are told once, also by ticks"
    assert (said.what, said.people) == ("untrusted", True)
    assert f"'torch up' or 'torch trust --dir {project}'" in said.words
    assert said.socket == tmux.panes()[0].socket_path
    found = torch("doctor", "--json").json["findings"]
    assert f"torch trust --dir {project}" in [one["advice"] for one in found]
    # A scheduler that has looked before the file was written does not start it either.
    refused = up(torch, project, "--as-accepted", "--only", "job")
    assert (refused.code, "it has changed since it was accepted" in refused.err) == (2, True)
    assert not (project / "evil").exists()
    assert trust(torch, project).code == 0
    assert [one.what for one in look(time.time() + 900)][:1] != ["untrusted"]


def test_the_daemon_goes_on_once_it_was_accepted(
    torch: Torch, tmux: TmuxServer, project: Path
) -> None:
    (project / "torch.toml").write_text(EVIL)
    end_job(project, tmux)
    daemon = scheduler.start(torch)
    logged = lambda: "untrusted" in torch("daemon", "logs", "-n", "99").out  # noqa: E731
    wait_until(logged, what="the words about it", timeout=60)
    assert not (project / "evil").exists()
    shown = trust(torch, project)
    assert "+command = " in shown.out
    assert shown.out.endswith(f"accepted  {project}/torch.toml\n")
    wait_until((project / "evil").exists, what="the job", timeout=90)
    assert daemon.stop() == 0
    assert torch("daemon", "logs", "-n", "99").out.count("untrusted") == 1, "once"


def test_what_is_said_in_other_words_is_the_same(project: Path) -> None:
    (project / "torch.toml").write_text(f"# of the shop\n\n{TEAM}".replace(" = ", "="))
    assert state(project) == "same"
    (project / "torch.toml").write_text(TEAM.replace("1s", "2s"))
    assert state(project) == "changed"


def test_a_file_of_variables_is_part_of_it(torch: Torch, project: Path) -> None:
    before = digest_of(load_team(str(project / "torch.toml")))
    (project / ".env").write_text("PATH=/tmp/evil\n")
    assert digest_of(load_team(str(project / "torch.toml"))) != before
    shown = trust(torch, project)
    assert (shown.code, "env_files" in shown.err) == (0, True)
    assert state(project) == "same"


def test_an_agent_accepts_nothing(torch: Torch, project: Path) -> None:
    name = helper(torch, project)
    (project / "torch.toml").write_text(EVIL)
    refused = trust(torch, project, agent=name)
    assert (refused.code, "nothing was accepted" in refused.err) == (2, True)
    refused = up(torch, project, agent=name)
    assert (refused.code, "Ask a person" in refused.err) == (2, True)
    assert state(project) == "changed"
    shown = trust(torch, project, "--dry-run", "--json", agent=name).json
    assert (shown["before"], shown["accepted"]) == ("changed", False)
    assert "+command = " in shown["changes"]
    (project / "torch.toml").write_text(TEAM)
    assert up(torch, project, agent=name).code == 0, "what was accepted, anybody may bring up"


def test_an_agent_brings_up_a_new_file_for_itself(torch: Torch, tmp_path: Path) -> None:
    made = tmp_path / "other"
    made.mkdir()
    (made / "torch.toml").write_text('[[process]]\nname = "p"\ncommand = ["cat"]\n')
    name = helper(torch, made)
    done = up(torch, made, agent=name)
    assert (done.code, "no scheduler acts on it" in done.err) == (0, True)
    assert state(made) == "new"
    assert [one.what for one in look(time.time())] == ["untrusted"]


def test_a_person_accepts_by_up_and_hears_what_that_means(torch: Torch, project: Path) -> None:
    (project / "torch.toml").write_text(TEAM.replace("1s", "2s"))
    assert up(torch, project, "--dry-run").code == 0
    assert state(project) == "changed"
    done = up(torch, project)
    assert (done.code, "now it is accepted" in done.err) == (0, True)
    assert state(project) == "same"
    again = up(torch, project)
    assert (again.code, again.err) == (0, "")


def test_a_team_of_an_earlier_version_is_told_once_what_to_run(torch: Torch, project: Path) -> None:
    """It was brought up before there was anything to accept."""
    with contextlib.closing(sqlite3.connect(paths.database())) as store, store:
        store.execute("DELETE FROM team_accepted")
    (said,) = look(time.time())
    assert (said.what, said.people) == ("untrusted", True)
    assert "no person has accepted it yet" in said.words
    assert f"'torch up' or 'torch trust --dir {project}'" in said.words
    assert look(time.time()) == [], "once"
    found = torch("doctor", "--json").json["findings"]
    assert f"torch trust --dir {project}" in [one["advice"] for one in found]
    assert trust(torch, project).code == 0
    assert look(time.time()) == []
    assert state(project) == "same"


def test_who_accepts_is_told_of_scripts_that_are_not_looked_at(torch: Torch, project: Path) -> None:
    (project / "tools").mkdir()
    (project / "tools/serve.sh").write_text("exit 0\n")
    command = '["sh", "tools/serve.sh", "--config", "../outside", "/bin/sh"]'
    (project / "torch.toml").write_text(
        TEAM.replace('["sh", "-c", "read line <answer; exit $line"]', command)
    )
    shown = trust(torch, project, "--dry-run", "--json").json
    assert shown["scripts"] == [{"member": "job", "path": "tools/serve.sh"}]
    done = trust(torch, project)
    assert "tools/serve.sh, which 'job' runs" in done.err
    (project / "tools/serve.sh").write_text("exit 1\n")
    assert state(project) == "same"
