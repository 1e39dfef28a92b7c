"""Which project a directory, an agent and a task are of, and what follows from it."""

from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, wait_until
from repository import Repository
from torch_cli.roster.project import place_of
from torch_cli.store import Store
from torch_cli.store.teams import MemberKind, Started


def test_a_project_is_a_team_file_or_a_repository_with_its_worktrees(
    tmp_path: Path,
) -> None:
    repository = Repository.make(tmp_path / "my project", {"src/a.py": "1\n"})
    top = repository.path
    beside, own = tmp_path / "beside", tmp_path / f"{top.name}-feature"
    beside.mkdir()
    repository.git("worktree", "add", "-q", "-b", "feature", str(own))
    assert place_of(str(beside)) == ("", str(beside))
    assert place_of(str(top / "src")) == (str(top), str(top / "src"))
    assert place_of(str(own / "src")) == (str(top), str(top / "src"))
    (tmp_path / "torch.toml").touch()
    assert place_of(str(own)).project == str(tmp_path), "a team of several repositories"
    (top / "src" / "torch.toml").touch()
    assert place_of(str(own / "src")).project == str(top / "src")
    assert place_of(str(tmp_path / "gone" / "src")).project == str(tmp_path)


@pytest.mark.parametrize("kind", ["submodule", "bare", "nonsense"])
def test_what_is_no_linked_worktree_is_a_project_of_its_own(tmp_path: Path, kind: str) -> None:
    top = tmp_path / "top"
    top.mkdir()
    words = {
        "submodule": "gitdir: ../.git/modules/top\n",
        "bare": "gitdir: ../store.git/worktrees/top\n",
        "nonsense": "\udcff",
    }
    (top / ".git").write_text(words[kind], "utf-8", "surrogateescape")
    assert place_of(str(top)) == (str(top), str(top))


@pytest.fixture
def two(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> dict[str, DemoAgent]:
    found = {}
    for name in ("one", "two"):
        home = tmp_path / name
        found[name] = spawn_demo(tmux, torch, home, name=name)
        Repository.make(home)
    return found


def test_a_task_is_for_the_project_in_which_it_was_added(
    two: dict[str, DemoAgent], torch: Torch, tmp_path: Path
) -> None:
    here, there = tmp_path / "one", tmp_path / "two"
    added = {
        name: torch("task", "add", name, "--json", *words, cwd=cwd, env=env).json
        for name, words, cwd, env in (
            ("theirs", (), there, {}),
            ("an agent's", (), here, {"TORCH_AGENT": "two"}),
            ("named", ("--dir", "../two"), here, {}),
            ("anywhere", ("--anywhere",), here, {}),
        )
    }
    assert {name: task["dir"] for name, task in added.items()} == {
        "theirs": str(there),
        "an agent's": str(there),
        "named": str(there),
        "anywhere": None,
    }
    listed = torch("task", "list", "--here", cwd=here).out
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [added["anywhere"]["id"]]
    dry = torch("task", "route", "--dry-run", "--explain", "--everywhere", "-L", "t", cwd=here)
    assert f"would go  {added['theirs']['id']}  two" in dry.out
    assert f"not one: it works in {here}" in dry.err
    assert f"would go  {added['anywhere']['id']}  one" in dry.out
    here_only = torch("task", "route", "--dry-run", "-L", "t", cwd=here).out
    assert added["theirs"]["id"] not in here_only
    claimed = torch("task", "claim", "--json", env={"TORCH_AGENT": "one"}).json["id"]
    assert claimed == added["anywhere"]["id"]
    assert torch("task", "claim", env={"TORCH_AGENT": "one"}).code == 4
    assert torch("task", "claim", added["theirs"]["id"], env={"TORCH_AGENT": "one"}).code == 0
    both = torch("task", "add", "x", "--anywhere", "--dir", ".")
    assert (both.code, "not both" in both.err) == (2, True)


def test_a_team_in_a_linked_worktree_gets_the_projects_tasks(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    main = Repository.make(tmp_path / "main", {"torch.toml": "[[agent]]\nname = 'one'\n"})
    main.git("worktree", "add", "-q", "-b", "feature", str(tmp_path / "beside"))
    spawn_demo(tmux, torch, tmp_path / "beside", name="one")
    with Store() as store:
        agent = store.agents.get("one")
        assert agent is not None
        file = str(tmp_path / "beside" / "torch.toml")
        store.teams.add(
            Started(file, "one", MemberKind.AGENT, {"environment": ""}, agent=agent.identity)
        )
    added = torch("task", "add", "theirs", "--json", env={"TORCH_AGENT": "one"}).json
    assert added["dir"] == str(tmp_path / "main")
    assert "theirs" in torch("task", "list", "--here", env={"TORCH_AGENT": "one"}).out
    dry = torch("task", "route", "--dry-run", cwd=tmp_path / "beside")
    assert f"would go  {added['id']}  one" in dry.out, dry.err


def test_a_namesake_in_another_project_is_another(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    for home in ("here", "there"):
        Repository.make(tmp_path / home)
    first = spawn_demo(tmux, torch, tmp_path / "here", name="pm")
    spawn_demo(tmux, torch, tmp_path / "here", name="dev")
    with Store() as store:
        store.agents.describe("dev", role="", parent="pm")
    made = torch("task", "add", "x", "--json", env={"TORCH_AGENT": "pm"}).json["id"]
    words = ("checkin", "add", "dev", "rotate the keys", "--in", "1s", "--name", "keys")
    assert torch(*words).code == 0
    for name in ("dev", "pm"):
        assert torch("stop", name).code == 0
    first.log.unlink()
    other = spawn_demo(tmux, torch, tmp_path / "there", name="pm")
    spawn_demo(tmux, torch, tmp_path / "there", name="dev")
    wait_until(
        lambda: torch("tick").code == 0 and "overdue" in torch("checkin", "list").out,
        what="the moment",
    )
    assert torch("task", "fail", made, "-m", "gone").code == 0
    assert other.submitted() == [], "neither is for it"


def test_a_broadcast_stays_in_the_project_unless_it_is_told(
    two: dict[str, DemoAgent], torch: Torch, tmp_path: Path
) -> None:
    def meant(*words: str, **options: object) -> list[str]:
        return torch("broadcast", "x", "--dry-run", *words, **options).out.split()  # type: ignore[arg-type]

    assert meant(cwd=tmp_path / "one") == ["one"]
    assert meant("--everywhere", cwd=tmp_path / "one") == ["one", "two"]
    assert meant(cwd=tmp_path) == ["one", "two"], "in no project"
    assert meant(env={"TORCH_AGENT": "one"}, cwd=tmp_path) == []
    nobody = torch("broadcast", "x", env={"TORCH_AGENT": "one"})
    assert (nobody.code, "--everywhere" in nobody.err) == (3, True)
