"""Commits, branches and tags on a person's branch, and the way back: what is done, and refused."""

import os
from pathlib import Path

import pytest

from conftest import Torch
from repository import Repository, at_a_terminal
from torch_cli.checkpoint.settings import Settings
from torch_cli.checkpoint.shadow import make_shadow
from torch_cli.commit.branch import start_branch, tag_stable
from torch_cli.commit.commit import Committed, commit
from torch_cli.commit.recover import find_item, items
from torch_cli.errors import HeldError, RefusedError, TimedOutError, TorchError
from torch_cli.store import Store


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "project", {"a.py": "a\n", "src/b.py": "b\n", "c": "c\n"})


def committed(repository: Repository, message: str = "", agent: str = "") -> Committed:
    made = commit(repository.worktree, Settings(), message=message, agent=agent)
    assert made is not None
    return made


def hook(repository: Repository, name: str, script: str) -> None:
    path = repository.path / ".git/hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


# -- a commit --------------------------------------------------------------------------------------


def test_a_commit_has_all_that_changed_and_says_whose_it_is(repository: Repository) -> None:
    repository.write("a.py", "changed\n")
    repository.write("new file", "new\n")
    (repository.path / "c").unlink()
    made = committed(repository, agent="dev")
    assert repository.git("log", "-1", "--format=%an <%ae>") == "Ann <ann@example.org>"
    message = repository.git("log", "-1", "--format=%B")
    assert message.splitlines()[0] == "Progress: change a.py, delete c, add new file"
    trailers = repository.git("log", "-1", "--format=%(trailers:only,unfold)")
    assert trailers.split("\n")[:2] == ["Torch-Agent: dev", f"Torch-Checkpoint: {made.checkpoint}"]
    assert repository.git("status", "--porcelain") == ""
    assert repository.ids() == [made.checkpoint]
    assert (made.branch, made.files) == ("main", 3)
    assert commit(repository.worktree, Settings()) is None


def test_a_message_of_ones_own(repository: Repository, torch: Torch) -> None:
    repository.write("a.py", "changed\n")
    done = torch("commit", "-m", "Mend 'it'\n\nFor \"reasons\".", "-C", str(repository.path))
    assert (done.code, "Mend 'it'" in done.out) == (0, True), done.err
    message = repository.git("log", "-1", "--format=%B")
    assert message.startswith("Mend 'it'\n\nFor \"reasons\".\n\nTorch-Checkpoint: c-")
    again = torch("commit", "-C", str(repository.path), "--json")
    assert again.json["state"] == "unchanged"


def test_the_first_commit_of_all(tmp_path: Path) -> None:
    repository = Repository.make(tmp_path / "project")
    repository.write("x", "1\n")
    committed(repository)
    assert repository.git("log", "--format=%s") == "Progress: add x"


def test_secrets_large_files_and_crowds_are_not_committed(repository: Repository) -> None:
    repository.write(".env", "X=1\n")
    repository.write("a.py", "changed\n")
    repository.write("big", b"x" * 3_000_000)
    for n in range(5):
        repository.write(f"crowd/{n}")
    settings = Settings(max_file=1_000_000, max_new=4)
    made = commit(repository.worktree, settings)
    assert made is not None
    assert {one.path for one in made.left_out} == {".env", "big", "crowd/"}
    assert repository.git("show", "--name-only", "--format=") == "a.py"
    assert commit(repository.worktree, settings) is None


def test_what_is_staged_and_removed_from_the_index(repository: Repository) -> None:
    repository.write("staged", "1\n")
    repository.git("add", "staged")
    repository.git("rm", "-q", "--cached", "c")
    (repository.path / "c").unlink()
    repository.git("mv", "a.py", "renamed.py")
    committed(repository)
    assert repository.git("status", "--porcelain") == ""
    assert repository.git("ls-files").split() == ["renamed.py", "src/b.py", "staged"]


def test_what_is_only_out_of_the_index_is_no_change(repository: Repository) -> None:
    repository.git("rm", "-q", "--cached", "c")
    before = repository.own()
    assert commit(repository.worktree, Settings()) is None
    assert repository.own() == before
    repository.write("a.py", "changed\n")
    committed(repository)
    assert repository.git("show", "--name-only", "--format=") == "a.py"
    assert repository.git("status", "--porcelain") == "D  c\n?? c", "which is somebody's own"
    repository.git("reset", "-q", "--", "c")
    assert repository.git("status", "--porcelain") == ""


def test_a_file_that_is_ignored_from_now_on_is_not_committed_again(repository: Repository) -> None:
    repository.git("rm", "-q", "--cached", "c")
    repository.write("c", "written since\n")
    repository.write(".gitignore", "c\n")
    committed(repository)
    assert repository.git("show", "--name-only", "--format=") == ".gitignore"
    assert repository.git("show", "HEAD:c") == "c"
    assert repository.git("status", "--porcelain") == "D  c", "it stays staged"


def test_a_file_gives_way_to_a_directory_and_a_directory_to_a_link(
    repository: Repository, tmp_path: Path
) -> None:
    (repository.path / "c").unlink()
    repository.write("c/inside", "1\n")
    (repository.path / "src/b.py").rename(tmp_path / "b.py")
    (repository.path / "src").rmdir()
    (repository.path / "src").symlink_to(tmp_path)
    committed(repository)
    assert repository.git("ls-tree", "-r", "--name-only", "HEAD").split() == [
        *("a.py", "c/inside", "src"),
    ]
    assert repository.git("status", "--porcelain") == ""


def test_names_that_look_like_pathspecs(repository: Repository) -> None:
    for name in ("*.py", ":(top)x", "-n", "new\nline", os.fsdecode(b"\xff")):
        repository.write(name, "1\n")
    committed(repository)
    assert repository.git("status", "--porcelain") == ""


def test_hooks_run_and_see_no_variables_of_ours(repository: Repository, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    hook(
        repository,
        "pre-commit",
        f"git diff --cached --name-only -- '*.py' >'{seen}'; env >>'{seen}'",
    )
    repository.write("a.py", "changed\n")
    committed(repository)
    text = seen.read_text()
    assert text.splitlines()[0] == "a.py", "globs work in hooks"
    assert "GIT_LITERAL_PATHSPECS" not in text


def test_a_hook_that_refuses_leaves_everything_as_it_was(
    repository: Repository, torch: Torch
) -> None:
    hook(repository, "pre-commit", "echo 'no tests, no commit' >&2; exit 1")
    repository.write("new", "1\n")
    repository.write("a.py", "changed\n")
    repository.write("staged", "1\n")
    repository.git("add", "staged")
    head, status = repository.git("rev-parse", "HEAD"), repository.git("status", "--porcelain")
    done = torch("commit", "-C", str(repository.path))
    assert done.code == 1
    assert "nothing was committed: no tests, no commit" in done.err
    assert repository.git("rev-parse", "HEAD") == head
    assert repository.git("status", "--porcelain") == status
    assert not (repository.path / ".git/index.lock").exists()


@pytest.mark.parametrize(
    "state", ["merge", "rebase", "cherry-pick", "revert", "bisect", "detached"]
)
def test_it_refuses_in_the_middle_of_something(repository: Repository, state: str) -> None:
    repository.git("switch", "-qc", "side")
    repository.write("c", "side\n")
    side = repository.commit("side")
    repository.git("switch", "-q", "main")
    repository.write("c", "main\n")
    repository.commit("two")
    begin = {
        "merge": ("merge", "side"),
        "rebase": ("rebase", "side"),
        "cherry-pick": ("cherry-pick", side),
        "revert": ("revert", "HEAD~1", "--no-edit"),
        "bisect": ("bisect", "start"),
        "detached": ("switch", "-q", "--detach"),
    }
    repository.run(*begin[state])
    repository.write("new", "1\n")
    before = repository.own()
    with pytest.raises(HeldError, match="nothing was committed"):
        commit(repository.worktree, Settings())
    assert repository.own() == before


def test_it_refuses_while_another_git_locks_the_index(repository: Repository) -> None:
    repository.write("a.py", "changed\n")
    (repository.path / ".git/index.lock").touch()
    with pytest.raises(HeldError, match="another git is working") as held:
        commit(repository.worktree, Settings())
    assert held.value.code == "index-locked"
    assert (repository.path / ".git/index.lock").exists()


def test_it_refuses_conflict_markers(repository: Repository) -> None:
    repository.write("a.py", "x\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> side\n")
    with pytest.raises(HeldError, match=r"'a\.py' contains conflict markers"):
        commit(repository.worktree, Settings())
    repository.write("a.py", "Title\n=======\n")
    committed(repository)


def test_signing_that_would_ask_is_reported(repository: Repository, tmp_path: Path) -> None:
    script = "echo 'gpg: signing failed: Inappropriate ioctl for device' >&2; exit 2"
    repository.git("config", "gpg.program", program(tmp_path / "gpg", script))
    repository.git("config", "commit.gpgSign", "true")
    repository.write("a.py", "changed\n")
    status = repository.git("status", "--porcelain")
    with pytest.raises(TorchError, match="could not be signed without a question") as raised:
        commit(repository.worktree, Settings())
    assert raised.value.code == "signing"
    assert repository.git("status", "--porcelain") == status


def test_a_hook_that_formats_is_not_undone(repository: Repository) -> None:
    """It changes what is committed, on disk and in the index that git gives it: another one."""
    script = "sed -i s/ugly/tidy/ a.py; echo made >made; git add a.py made"
    hook(repository, "pre-commit", script)
    repository.write("a.py", "ugly\n")
    repository.write("src/new", "1\n")
    committed(repository)
    assert repository.git("show", "HEAD:a.py") == "tidy"
    assert repository.git("show", "HEAD:made") == "made"
    assert repository.read("a.py") == "tidy\n"
    assert repository.git("status", "--porcelain") == ""
    assert repository.git("diff", "--cached", "--name-only") == ""


def test_what_git_was_told_not_to_look_at_is_kept_and_not_committed(repository: Repository) -> None:
    repository.git("update-index", "--assume-unchanged", "a.py")
    repository.git("update-index", "--skip-worktree", "c")
    repository.write("a.py", "my own settings\n")
    repository.write("c", "mine\n")
    assert commit(repository.worktree, Settings()) is None
    assert repository.content("a.py") == b"my own settings\n"
    repository.write("src/b.py", "changed\n")
    committed(repository)
    assert repository.git("show", "--name-only", "--format=") == "src/b.py"
    assert repository.git("ls-files", "-v").split("\n") == ["h a.py", "S c", "H src/b.py"]


def test_a_person_who_waits_for_a_hook_is_told(repository: Repository, torch: Torch) -> None:
    hook(repository, "pre-commit", "exec sleep 300")
    repository.write("a.py", "changed\n")
    done = torch("commit", "--timeout", "3", "-C", str(repository.path))
    assert "waiting for hooks or signing, at most 3 s" in done.err
    assert "took more than 3 s" in done.err
    assert "nothing was committed" in done.err


def test_a_hook_that_speaks_of_signing_is_a_hook(repository: Repository) -> None:
    hook(repository, "pre-commit", "echo 'commits need gpg signing here' >&2; exit 1")
    repository.write("a.py", "changed\n")
    with pytest.raises(TorchError, match="commits need gpg signing here") as raised:
        commit(repository.worktree, Settings())
    assert raised.value.code == "refused-by-git"


def test_signing_that_hangs_is_ended(repository: Repository, tmp_path: Path) -> None:
    repository.git("config", "gpg.program", program(tmp_path / "gpg", "exec sleep 300"))
    repository.git("config", "commit.gpgSign", "true")
    repository.write("a.py", "changed\n")
    repository.write("new", "1\n")
    status = repository.git("status", "--porcelain")
    with pytest.raises(TimedOutError, match="took more than 1 s"):
        commit(repository.worktree, Settings(), timeout=1.0)
    assert repository.git("status", "--porcelain") == status
    assert not (repository.path / ".git/index.lock").exists()
    assert repository.git("log", "--format=%s") == "one"


def test_signing_has_no_terminal(repository: Repository, tmp_path: Path) -> None:
    said = tmp_path / "said"
    script = f"(: </dev/tty) 2>>'{said}' || echo no terminal >>'{said}'; exit 1"
    repository.git("config", "gpg.program", program(tmp_path / "gpg", script))
    repository.git("config", "commit.gpgSign", "true")
    repository.write("a.py", "changed\n")
    with pytest.raises(TorchError):
        commit(repository.worktree, Settings())
    assert "no terminal" in said.read_text()


def test_no_identity_is_said(repository: Repository) -> None:
    repository.git("config", "--unset", "user.name")
    repository.git("config", "--unset", "user.email")
    repository.git("config", "user.useConfigOnly", "true")
    repository.write("a.py", "changed\n")
    with pytest.raises(RefusedError, match="does not know who commits"):
        commit(repository.worktree, Settings())


def test_a_shadow_has_no_branch(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    shadow = make_shadow(str(tmp_path / "plain"))
    for act in (
        lambda: commit(shadow, Settings()),
        lambda: start_branch(shadow, "x"),
        lambda: tag_stable(shadow, "x", "", 0.0),
    ):
        with pytest.raises(RefusedError, match="not in a repository of yours"):
            act()


# -- branches and tags -----------------------------------------------------------------------------


def test_a_branch_carries_the_changes_along(repository: Repository, torch: Torch) -> None:
    repository.write("a.py", "changed\n")
    repository.write("new", "1\n")
    there = ("-C", str(repository.path))
    held = torch("branch", "start", "feature/x", "--clean", *there)
    assert (held.code, "2 paths" in held.err) == (4, True)
    done = torch("branch", "start", "feature/x", *there)
    assert (done.code, done.out) == (0, "on branch  feature/x  from main\n")
    assert "2 changed paths came along" in done.err
    assert repository.git("branch", "--show-current") == "feature/x"
    assert repository.git("status", "--porcelain") == " M a.py\n?? new"


@pytest.mark.parametrize("name", ["", "-x", "a b", "a..b", "x.lock", "HEAD", "a~1", "x/", "main"])
def test_a_branch_of_no_name(repository: Repository, name: str) -> None:
    with pytest.raises(RefusedError, match="no branch was made"):
        start_branch(repository.worktree, name)
    assert repository.git("branch") == "* main"


def test_no_branch_in_a_merge(repository: Repository) -> None:
    repository.git("switch", "-qc", "side")
    repository.write("c", "side\n")
    repository.commit("side")
    repository.git("switch", "-q", "main")
    repository.write("c", "main\n")
    repository.commit("two")
    repository.run("merge", "side")
    with pytest.raises(HeldError, match="a merge is in progress"):
        start_branch(repository.worktree, "x")


def test_a_stable_tag_is_annotated_and_says_what_is_not_in_it(
    repository: Repository, torch: Torch
) -> None:
    repository.write("a.py", "changed\n")
    there = ("-C", str(repository.path))
    done = torch("tag", "stable", "login", "-m", "All pass", *there)
    assert done.code == 0
    assert "1 changed paths are not in it" in done.err
    (tag,) = repository.git("tag", "--list").split()
    assert tag.startswith("stable-login-20")
    assert repository.git("cat-file", "-t", tag) == "tag"
    assert repository.git("rev-parse", f"{tag}^{{commit}}") == repository.git("rev-parse", "HEAD")
    assert torch("tag", "stable", "a b", *there).code == 2


def test_no_tag_without_a_commit(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="has no commit yet"):
        tag_stable(Repository.make(tmp_path / "x").worktree, "x", "", 0.0)


# -- the way back ----------------------------------------------------------------------------------


def test_it_lists_what_there_is_and_what_each_would_bring_back(repository: Repository) -> None:
    repository.write("c", "stashed\n")
    repository.git("stash", "-q")
    repository.write("c", "two\n")
    repository.commit("two")
    repository.git("reset", "-q", "--hard", "HEAD~1")
    repository.write("a.py", "in a checkpoint\n")
    checkpoint = repository.recorded(note="before")
    repository.git("checkout", "a.py")
    found = items(repository.worktree, Settings())
    assert [(one.kind, one.name) for one in found] == [
        ("checkpoint", checkpoint),
        ("stash", "stash@{0}"),
        ("reflog", "HEAD@{1}"),
    ]
    assert all(one.effect.files == 1 for one in found)
    assert "before" in found[0].words
    assert find_item(found, "2").name == "stash@{0}"


def test_what_the_reflog_names_but_gc_has_deleted_is_passed_over(repository: Repository) -> None:
    repository.write("c", "lost\n")
    repository.commit("lost")
    lost = repository.git("rev-parse", "HEAD")
    repository.git("reset", "-q", "--hard", "HEAD~1")
    (repository.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    repository.write("c", "changed\n")
    found = items(repository.worktree, Settings())
    assert [one.kind for one in found] == ["commit"]


def test_of_a_repository_of_longer_ids_the_checkpoints_are_there(tmp_path: Path) -> None:
    path = tmp_path / "sha256"
    path.mkdir()
    repository = Repository(path)
    repository.git("init", "-q", "--object-format=sha256")
    repository.write("c", "one\n")
    assert repository.take().checkpoint is not None
    repository.write("c", "two\n")
    (found,) = items(repository.worktree, Settings())
    assert (found.kind, found.effect.files) == ("checkpoint", 1)


def test_nothing_is_done_without_a_choice_and_the_files_come_back_with_one(
    repository: Repository, torch: Torch, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("c", "lost\n")
    repository.commit("lost")
    repository.git("reset", "-q", "--hard", "HEAD~1")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    before = (repository.path / "c").read_text()
    there = ("-C", str(repository.path))
    listed = torch("recover", *there)
    assert (listed.code, "HEAD@{1}" in listed.out) == (0, True), listed.err
    assert (repository.path / "c").read_text() == before
    refused = torch("recover", "--item", "HEAD@{1}", *there)
    assert (refused.code, "there is no terminal to ask you" in refused.err) == (2, True)
    done = torch("recover", "c", "--item", "HEAD@{1}", "--yes", *there)
    monkeypatch.delenv("GIT_DIR")
    assert (done.code, repository.read("c")) == (0, "lost\n"), done.err
    assert repository.git("log", "--format=%s") == "one"
    assert repository.git("diff", "--cached") == ""
    assert torch("recover", "--item", "99", *there).code == 3


@pytest.mark.parametrize(("answers", "content"), [("1\ny\n", "lost\n"), ("\n", "c\n")])
def test_a_person_chooses_from_the_list(
    repository: Repository, torch: Torch, answers: str, content: str
) -> None:
    repository.write("c", "lost\n")
    repository.commit("lost")
    repository.git("reset", "-q", "--hard", "HEAD~1")
    words = torch.argv("recover", "-C", str(repository.path))
    shown = at_a_terminal(words, repository.path, answers.splitlines(), ("nothing:", "[y/N]:"))
    assert shown.count("HEAD@{1}") == (2 if content == "lost\n" else 1)
    assert repository.read("c") == content
    with Store() as store:
        verbs = [row[0] for row in store.database.query("SELECT verb FROM events")]
    assert verbs == (["restore"] if content == "lost\n" else [])


def test_the_way_back_where_there_is_no_commit(tmp_path: Path) -> None:
    repository = Repository.make(tmp_path / "project")
    assert items(repository.worktree, Settings()) == []
