"""Worktrees that are made for agents: nothing of the repository runs that nobody agreed to."""

import os
from pathlib import Path

import pytest

from conftest import Torch
from repository import Repository
from torch_cli.errors import TorchError
from torch_cli.git.linked import add_linked
from torch_cli.lifecycle.worktrees import make_worktree
from torch_cli.teamfile.directories import worktree_path


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "project", {"a.py": "a\n", "b.secret": "stored\n"})


def program(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def hook(project: Repository, script: str) -> Path:
    return Path(program(project.path / ".git/hooks/post-checkout", script))


def made(project: Repository, branch: str = "x") -> tuple[Path, list[str]]:
    """Make the worktree; return where it is, and what was said."""
    said: list[str] = []
    make_worktree(str(project.path), branch, "dev", said.append)
    assert said[0] == f"made a worktree of the branch {branch}"
    return Path(worktree_path(str(project.path), branch)), said[1:]


def test_no_hook_filter_or_monitor_of_the_repository_runs(
    project: Repository, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    hook(project, f"echo hook >>'{ran}'")
    project.write(".gitattributes", "*.secret filter=odd\n")
    project.commit("attributes")
    for name, words in (
        ("core.fsmonitor", f"echo monitor >>'{ran}'; false #"),
        ("filter.odd.smudge", f"echo smudge >>'{ran}'; cat"),
        ("filter.odd.clean", f"echo clean >>'{ran}'; cat"),
    ):
        project.git("config", name, program(tmp_path / name, words))
    ran.unlink(missing_ok=True)  # git of the person's own has run them
    place, said = made(project)
    assert not ran.exists()
    assert (place / "b.secret").read_text() == "stored\n"
    assert any("hook post-checkout was not run" in words for words in said)
    assert any("the filter 'odd' was not run" in words for words in said)


def test_what_was_agreed_to_runs_until_it_changes(
    project: Repository, tmp_path: Path, torch: Torch
) -> None:
    ran = tmp_path / "ran"
    path = hook(project, f"echo one >>'{ran}'")
    project.write(".gitattributes", "*.secret filter=odd\n")
    project.commit("attributes")
    project.git("config", "filter.odd.smudge", "tr a-z A-Z")
    shown = torch("checkpoint", "trust", str(project.path), "--yes")
    assert str(path) in shown.out
    place, said = made(project)
    assert ran.read_text() == "one\n"
    assert (place / "b.secret").read_text() == "STORED\n"
    assert said == []
    hook(project, f"echo other >>'{ran}'")
    _, said = made(project, "y")
    assert ran.read_text() == "one\n"
    assert any("was not run" in words for words in said)


def test_a_directory_of_hooks_in_the_worktree_is_the_repositorys(
    project: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever named it: what is in it can be written by who works there."""
    ran, own = tmp_path / "ran", tmp_path / "own"
    program(project.path / "hooks/post-checkout", f"echo theirs >>'{ran}'")
    program(own / "post-checkout", f"echo mine >>'{ran}'")
    project.git("config", "core.hooksPath", "hooks")
    made(project, "x")
    assert not ran.exists()
    project.git("config", "--unset", "core.hooksPath")
    settings = tmp_path / "gitconfig"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    settings.write_text("[core]\n\thooksPath = hooks\n")
    made(project, "y")
    assert not ran.exists()
    settings.write_text(f"[core]\n\thooksPath = {own}\n")
    made(project, "z")
    assert ran.read_text() == "mine\n"


def trusted(torch: Torch, project: Repository) -> None:
    assert torch("checkpoint", "trust", str(project.path), "--yes").code == 0


def test_a_hook_that_fails_is_named_and_the_worktree_is_there(
    project: Repository, torch: Torch
) -> None:
    hook(project, "echo no dependencies >&2; exit 3")
    trusted(torch, project)
    place, said = made(project)
    assert (place / "a.py").exists()
    assert said == ["the worktree exists, but its hook failed: no dependencies"]
    assert (Path(project.path) / ".git/worktrees" / place.name / "torch-worktree").exists()


def test_a_hook_that_hangs_is_ended(project: Repository, torch: Torch) -> None:
    hook(project, "exec sleep 300")
    trusted(torch, project)
    said: list[str] = []
    path = str(project.path.parent / "beside")
    add_linked(project.worktree, path, "x", new=True, tell=said.append, timeout=1.0)
    assert os.path.exists(f"{path}/a.py")
    assert said == ["a hook did not end within 1 s, and was ended; the worktree exists"]


def test_submodules_come_up_empty_and_it_is_said(project: Repository, tmp_path: Path) -> None:
    library = Repository.make(tmp_path / "library", {"lib.py": "1\n"})
    project.git("submodule", "add", "-q", str(library.path), "lib")
    project.commit("a library")
    place, said = made(project)
    assert list((place / "lib").iterdir()) == []
    assert [words for words in said if "submodules are empty (lib)" in words]


def test_the_new_branch_has_a_reflog(project: Repository) -> None:
    place, _ = made(project)
    assert Repository(place).git("reflog", "x") != ""


def test_where_no_worktree_can_be_made_nothing_is_left(project: Repository) -> None:
    project.git("branch", "busy")
    project.git("worktree", "add", "-q", str(project.path.parent / "elsewhere"), "busy")
    with pytest.raises(TorchError, match="no worktree of the branch 'busy' could be made") as error:
        made(project, "busy")
    assert "'dev' was not started" in error.value.message
