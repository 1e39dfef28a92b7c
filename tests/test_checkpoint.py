"""Checkpoints of real repositories: what is in them, what is left out, what stays untouched."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import PATIENCE, SOURCE, Torch
from repository import Repository
from torch_cli import paths
from torch_cli.checkpoint.record import (
    Occasion,
    checkpoints,
    find_checkpoint,
    take,
)
from torch_cli.checkpoint.settings import MIB, Settings, load_settings
from torch_cli.checkpoint.shadow import make_shadow
from torch_cli.errors import HeldError, NotFoundError, RefusedError, TimedOutError, TorchError
from torch_cli.git.command import Git, GitError, NotARepositoryError
from torch_cli.git.worktree import locate, locked, top_of
from torch_cli.settings import settings_file

KEY = "AKIA" + "Q" * 16


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "project", {"a.py": "a\n" * 9, "src/b.py": "b\n", "c": "c\n"})


def why(repository: Repository, settings: Settings | None = None) -> dict[str, str]:
    """Make a checkpoint; return what was left out of it, and why."""
    return {one.path: one.why for one in repository.take(settings).left_out}


# -- what a checkpoint is --------------------------------------------------------------------------


def test_a_checkpoint_holds_what_is_on_disk_and_touches_nothing(repository: Repository) -> None:
    repository.write("a.py", "changed\n")
    repository.write("new/file.txt", "new\n")
    (repository.path / "c").unlink()
    before, status = repository.own(), repository.git("status", "--porcelain")
    made = repository.take(agent="dev", note="why\nin two lines").checkpoint
    assert made is not None
    assert repository.files() == {"a.py": "100644", "new/file.txt": "100644", "src/b.py": "100644"}
    assert repository.content("a.py") == b"changed\n"
    assert repository.own() == before
    assert repository.git("status", "--porcelain") == status
    assert (made.agent, made.note, made.branch) == ("dev", "why\nin two lines", "main")
    assert (made.counts.files, made.counts.added, made.counts.removed) == (3, 2, 10)
    assert made.files == 3
    message = repository.git("cat-file", "tag", made.object)
    assert "Checkpoint of dev (manual): 3 files, +2 -10" in message
    assert "tagger Ann <ann@example.org>" in message


def test_nothing_is_recorded_while_nothing_changes(repository: Repository) -> None:
    first = repository.recorded()
    objects = repository.git("count-objects")
    outcome = repository.take()
    assert outcome.checkpoint is None
    assert outcome.last is not None
    assert outcome.last.id == first
    assert repository.ids() == [first]
    assert repository.git("count-objects") == objects


def test_no_branch_log_push_clone_or_stash_sees_a_checkpoint(
    repository: Repository, tmp_path: Path
) -> None:
    repository.write("a.py", "lost work\n")
    identity = repository.recorded()
    assert repository.git("log", "--all", "--oneline", "--", ".").count("\n") == 0
    assert "Checkpoint" not in repository.git("log", "--all", "--format=%B")
    assert repository.git("branch", "--all") == "* main"
    assert repository.git("stash", "list") == ""
    repository.git("init", "-q", "--bare", str(tmp_path / "origin.git"))
    repository.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    repository.git("push", "-q", "--all", "origin")
    repository.git("push", "-q", "--tags", "--follow-tags", "origin")
    origin = Repository(tmp_path / "origin.git")
    assert "torch" not in origin.git("for-each-ref")
    repository.git("clone", "-q", str(repository.path), str(tmp_path / "clone"))
    assert "torch" not in Repository(tmp_path / "clone").git("for-each-ref")
    repository.git("push", "-q", "--mirror", "origin")
    assert identity in origin.git("for-each-ref")  # as the README says


def test_garbage_collection_and_fsck_keep_what_a_checkpoint_holds(repository: Repository) -> None:
    repository.write("a.py", "only in a checkpoint\n")
    identity = repository.recorded()
    repository.git("checkout", "a.py")
    repository.git("gc", "-q", "--prune=now")
    assert repository.git("fsck", "--full", "--strict", "--no-dangling") == ""
    assert repository.content("a.py", identity) == b"only in a checkpoint\n"


def test_a_change_in_the_very_moment_of_the_index_is_seen(repository: Repository) -> None:
    """Git finds a change of the same size by comparing the file's time with the index's own."""
    repository.recorded()
    index = repository.path / ".git/index"
    path = repository.write("c", "C\n")
    facts = index.stat()
    entry = facts.st_mtime_ns
    os.utime(path, ns=(entry, entry))
    repository.git("update-index", "c")
    repository.git("reset", "-q", "HEAD", "--", "c")
    path.write_text("c\n")
    os.utime(path, ns=(entry, entry))
    repository.git("update-index", "--refresh")
    path.write_text("X\n")
    os.utime(path, ns=(entry, entry))
    os.utime(index, ns=(entry, entry))
    repository.take()
    assert repository.content("c") == b"X\n"


def test_the_identity_is_torchs_where_git_knows_none(tmp_path: Path) -> None:
    repository = Repository.make(tmp_path / "project")
    repository.git("config", "--unset", "user.name")
    repository.write("x")
    made = repository.take().checkpoint
    assert made is not None
    assert "tagger Torch <torch@localhost>" in repository.git("cat-file", "tag", made.object)


def test_a_checkpoint_is_found_by_its_id_its_beginning_and_latest(repository: Repository) -> None:
    first = repository.recorded()
    repository.write("c", "2\n")
    second = repository.recorded()
    assert find_checkpoint(repository.worktree, "latest").id == second
    assert find_checkpoint(repository.worktree, first[:6]).id == first
    with pytest.raises(NotFoundError, match="no checkpoint 'c-zz'"):
        find_checkpoint(repository.worktree, "c-zz")
    with pytest.raises(NotFoundError, match=r"is ambiguous: c-\w+, c-\w+$"):
        find_checkpoint(repository.worktree, "c-")


def test_the_newest_stays_the_newest_when_the_clock_is_put_back(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.recorded()
    repository.write("c", "2\n")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    second = repository.recorded()
    assert repository.ids() == [first, second]
    assert repository.take().checkpoint is None


# -- what git has going on -------------------------------------------------------------------------


def test_an_unborn_head(tmp_path: Path) -> None:
    repository = Repository.make(tmp_path / "project")
    empty = repository.take().checkpoint
    assert empty is not None
    repository.write("x")
    made = repository.take().checkpoint
    assert made is not None
    assert (made.head, made.branch, made.files) == ("", "main", 1)
    assert not (repository.path / ".git/index").exists()


def test_in_a_merge_with_conflicts_on_a_detached_head_and_in_a_rebase(
    repository: Repository,
) -> None:
    repository.git("switch", "-qc", "side")
    repository.write("c", "side\n")
    repository.commit("side")
    repository.git("switch", "-q", "main")
    repository.write("c", "main\n")
    repository.commit("two")
    assert repository.run("merge", "side").returncode == 1
    repository.write("new", "in the middle of a merge\n")
    before = repository.own()
    repository.recorded()
    assert b"<<<<<<<" in repository.content("c")
    assert repository.content("new") == b"in the middle of a merge\n"
    assert repository.own() == before
    assert repository.git("ls-files", "-u").count("\n") == 2
    repository.git("merge", "--abort")
    assert repository.run("rebase", "side").returncode == 1
    repository.write("new", "in a rebase\n")
    before = repository.own()
    repository.recorded()
    assert repository.own() == before
    repository.git("rebase", "--abort")
    repository.git("switch", "-q", "--detach")
    repository.write("new", "detached\n")
    made = repository.take().checkpoint
    assert made is not None
    assert (made.branch, made.head) == ("", repository.git("rev-parse", "HEAD"))


def test_beside_another_git_that_holds_the_index(repository: Repository) -> None:
    lock = repository.path / ".git/index.lock"
    lock.write_bytes(b"another git's")
    repository.write("c", "changed\n")
    repository.recorded()
    assert lock.read_bytes() == b"another git's"


def test_what_is_staged_and_what_is_meant_to_be_added(repository: Repository) -> None:
    repository.write("staged", "staged\n")
    repository.git("add", "staged")
    repository.write("staged", "and changed\n")
    repository.write("meant", "to be added\n")
    repository.git("add", "-N", "meant")
    repository.git("rm", "-q", "--cached", "c")
    before = repository.own()
    repository.recorded()
    assert repository.content("staged") == b"and changed\n"
    assert repository.content("meant") == b"to be added\n"
    assert "c" in repository.files()  # it is on disk
    assert repository.own() == before


def test_hooks_signing_and_monitors_do_not_run(repository: Repository, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    hooks = repository.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-commit", "post-index-change", "reference-transaction", "post-checkout"):
        hook = hooks / name
        hook.write_text(f"#!/bin/sh\necho {name} >>'{ran}'\nexit 1\n")
        hook.chmod(0o755)
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\necho monitor >>'{ran}'\n")
    monitor.chmod(0o755)
    repository.git("config", "core.fsmonitor", str(monitor))
    repository.git("config", "commit.gpgSign", "true")
    repository.git("config", "tag.gpgSign", "true")
    repository.git("config", "gpg.program", "/nonexistent")
    repository.write("c", "changed\n")
    repository.recorded()
    assert not ran.exists()


def test_variables_of_git_do_not_lead_it_elsewhere(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repository.make(tmp_path / "other", {"x": "x\n"})
    repository.write("c", "changed\n")
    for name, value in (
        ("GIT_DIR", str(other.path / ".git")),
        ("GIT_WORK_TREE", str(other.path)),
        ("GIT_INDEX_FILE", str(tmp_path / "index")),
        ("GIT_OBJECT_DIRECTORY", str(tmp_path / "objects")),
        ("GIT_NAMESPACE", "elsewhere"),
        ("GIT_CONFIG_COUNT", "nonsense"),
    ):
        monkeypatch.setenv(name, value)
    made = repository.take().checkpoint
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    assert made is not None
    assert repository.content("c") == b"changed\n"
    assert other.ids() == []
    assert not (tmp_path / "index").exists()


# -- what is left out ------------------------------------------------------------------------------


def test_secrets_by_name_never_become_objects(repository: Repository) -> None:
    for name in (
        ".env",
        "deploy/.env.production",
        "server.pem",
        "id_ed25519",
        "k/.aws/credentials",
    ):
        repository.write(name, f"secret of {name}\n")
    repository.write(".env.example", "NAME=\n")
    left_out = why(repository)
    assert set(left_out.values()) == {"secret-name"}
    assert len(left_out) == 5
    assert ".env.example" in repository.files()
    every = repository.git("cat-file", "--batch-check", "--batch-all-objects", "--buffer")
    blobs = [line.split()[0] for line in every.splitlines() if " blob " in line]
    assert not any("secret of" in repository.git("cat-file", "blob", blob) for blob in blobs)
    listed = repository.git("cat-file", "tag", checkpoints(repository.worktree)[-1].object)
    assert '".env": its name is that of a secret' in listed


def test_a_secret_that_is_staged_or_was_committed_is_not_kept(repository: Repository) -> None:
    repository.write(".env", "OLD=1\n")
    repository.commit("a mistake")
    repository.write(".env", "NEW=2\n")
    repository.write("id_rsa", "key\n")
    repository.git("add", "-A")
    before = repository.own()
    assert why(repository) == {".env": "secret-name", "id_rsa": "secret-name"}
    assert repository.content(".env") == b"OLD=1\n"  # as in HEAD
    assert "id_rsa" not in repository.files()
    assert repository.own() == before


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "ghp_" + "a1B2" * 9,
        "sk-ant-" + "api03-abcdefghijklmnopqrst",
        "xoxb-" + "1234567890-abcdefghij",
    ],
)
def test_secrets_by_what_they_hold(repository: Repository, key: str) -> None:
    repository.write("config.py", f'KEY = "{key}"\n')
    assert why(repository) == {"config.py": "secret-content"}


def test_a_key_that_was_committed_long_ago_keeps_no_work_out(repository: Repository) -> None:
    repository.write("test_keys.py", f'FAKE = "{KEY}"\n')
    repository.commit("a fixture")
    repository.write("test_keys.py", f'FAKE = "{KEY}"\nmore = 1\n')
    assert why(repository) == {}
    assert b"more" in repository.content("test_keys.py")
    repository.write("test_keys.py", f'FAKE = "{KEY}"\nREAL = "{KEY[:-1]}Z"\n')
    assert why(repository) == {"test_keys.py": "secret-content"}


def test_globs_of_the_settings_allow_and_deny(repository: Repository) -> None:
    settings = Settings(allow=("fixtures/*", "public.pem"), deny=("*.sqlite", "data/*"))
    for name in ("fixtures/x.pem", "public.pem", "private.pem", "db.sqlite", "data/deep/x"):
        repository.write(name, f"{KEY}\n" if name.startswith("fix") else "x\n")
    assert why(repository, settings) == {
        "private.pem": "secret-name",
        "db.sqlite": "denied",
        "data/deep/x": "denied",
    }


def test_large_files_are_left_out_and_make_no_object(repository: Repository) -> None:
    repository.write("big.bin", os.urandom(MIB * 3 // 2))
    repository.write("ignored.bin", os.urandom(MIB * 3 // 2))
    repository.write(".gitignore", "ignored.bin\n")
    outcome = repository.take(Settings(max_file=MIB))
    assert [(o.path, o.why, o.detail) for o in outcome.left_out] == [
        ("big.bin", "size", "1.5 MiB, more than 1")
    ]
    kilobytes = int(repository.git("count-objects").split()[2])
    assert kilobytes < 1000


def test_a_large_file_of_lfs_is_a_pointer(repository: Repository, tmp_path: Path) -> None:
    """The filter that Git LFS installs, done by a script of the same name, makes a pointer."""
    programs = tmp_path / "bin"
    programs.mkdir()
    lfs = programs / "git-lfs"
    lfs.write_text("#!/bin/sh\ncat >/dev/null\necho version https://git-lfs.github.com/spec/v1\n")
    lfs.chmod(0o755)
    repository.git("config", "filter.lfs.clean", "git-lfs clean -- %f")
    repository.git("config", "filter.lfs.smudge", "git-lfs smudge -- %f")
    repository.git("config", "filter.lfs.required", "true")
    repository.write(".gitattributes", "*.bin filter=lfs -text\n")
    repository.write("big.bin", os.urandom(2 * MIB))
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{programs}:{path}"
    try:
        assert why(repository, Settings(max_file=MIB)) == {}
    finally:
        os.environ["PATH"] = path
    assert repository.content("big.bin").startswith(b"version https://git-lfs")


def test_too_many_new_files_leave_out_the_fullest_directories(repository: Repository) -> None:
    for n in range(30):
        repository.write(f"node_modules/{n}.js")
    for n in range(4):
        repository.write(f"src/new{n}.py")
    outcome = repository.take(Settings(max_new=10))
    assert [(o.path, o.why, o.detail) for o in outcome.left_out] == [
        ("node_modules/", "too-many-new", "30 new files")
    ]
    assert "src/new3.py" in repository.files()
    for n in range(12):
        repository.write(f"src/later{n}.py")
        repository.take(Settings(max_new=10, deny=("node_modules/*",)))
    assert "src/later11.py" in repository.files(), "what a checkpoint has is not new"


def test_when_most_files_are_gone_it_says_so_and_keeps_the_one_before(
    repository: Repository,
) -> None:
    for n in range(10):
        repository.write(f"work/{n}", f"{n}\n")
    whole = repository.recorded()
    shutil.rmtree(repository.path / "work")
    made = repository.take().checkpoint
    assert made is not None
    assert made.alert == "10 of 13 files are gone"
    assert made.before == whole
    assert len(repository.files(whole)) == 13


def test_a_file_that_cannot_be_read_is_named(repository: Repository, tmp_path: Path) -> None:
    repository.write("good", "x\n")
    os.mkfifo(repository.path / "pipe")
    (repository.path / "c").unlink()
    os.mkfifo(repository.path / "c")
    assert why(repository) in ({"c": "not-a-file"}, {})
    assert "good" in repository.files()


def test_failing_filters_record_nothing(repository: Repository) -> None:
    config = repository.path.parent / "gitconfig"
    config.write_text('[filter "broken"]\n\tclean = false\n\trequired = true\n')
    os.environ["GIT_CONFIG_GLOBAL"] = str(config)
    try:
        repository.recorded()
        repository.write(".gitattributes", "*.py filter=broken\n")
        repository.write("a.py", "changed\n")
        with pytest.raises(GitError):
            repository.take()
    finally:
        del os.environ["GIT_CONFIG_GLOBAL"]
    assert len(repository.ids()) == 1


def test_filters_of_the_repository_run_once_they_are_trusted(
    repository: Repository, torch: Torch, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    repository.git("config", "filter.evil.clean", f"touch '{ran}'; cat")
    repository.write(".gitattributes", "*.py filter=evil\n")
    repository.write("a.py", "changed\n")
    repository.write("c", "changed\n")
    assert why(repository) == {"a.py": "filter"}
    assert not ran.exists()
    assert repository.content("c") == b"changed\n"
    asked = torch("checkpoint", "trust", str(repository.path))
    assert (asked.code, "filter.evil.clean" in asked.out) == (2, True)
    assert torch("checkpoint", "trust", "--yes", str(repository.path)).code == 0
    assert why(repository) == {}
    assert ran.exists()
    repository.git("config", "filter.evil.clean", "cat; false")
    repository.write("a.py", "again\n")
    assert why(repository) == {"a.py": "filter"}, "another command is not trusted"


def test_a_repository_is_trusted_in_all_of_its_worktrees(
    repository: Repository, torch: Torch, tmp_path: Path
) -> None:
    repository.git("config", "filter.own.clean", "cat")
    repository.write(".gitattributes", "*.py filter=own\n")
    repository.commit("attributes")
    repository.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Repository(tmp_path / "linked")
    linked.write("a.py", "changed\n")
    assert why(linked) == {"a.py": "filter"}
    assert torch("checkpoint", "trust", "--yes", str(repository.path)).code == 0
    assert why(linked) == {}


def test_a_secret_in_a_conflict_is_as_head_has_it(repository: Repository) -> None:
    repository.write(".env", "BASE\n")
    repository.commit("base")
    repository.git("switch", "-qc", "side")
    repository.write(".env", "SIDE\n")
    repository.commit("side")
    repository.git("switch", "-q", "main")
    repository.write(".env", "MAIN\n")
    repository.commit("main")
    assert repository.run("merge", "side").returncode == 1
    assert why(repository) == {".env": "secret-name"}
    assert repository.content(".env") == b"MAIN\n"


# -- worktrees, submodules, names ------------------------------------------------------------------


def test_linked_worktrees_have_checkpoints_of_their_own(
    repository: Repository, tmp_path: Path
) -> None:
    names = [f"wt {n}" for n in range(50)]
    for n, name in enumerate(names):
        repository.git("worktree", "add", "-q", "-b", f"b{n}", str(tmp_path / name))
    linked = [Repository(tmp_path / name) for name in names]
    for n, one in enumerate(linked):
        one.write("own", f"{n}\n")
        one.recorded()
    assert all(len(one.ids()) == 1 for one in linked)
    assert [one.content("own") for one in linked] == [b"%d\n" % n for n in range(50)]
    assert repository.ids() == []
    assert len(checkpoints(repository.worktree, every=True)) == 50
    # A checkpoint stays when its worktree goes.
    repository.git("worktree", "remove", "--force", str(linked[7].path))
    repository.git("worktree", "prune")
    repository.git("gc", "-q", "--prune=now")
    kept = [c for c in checkpoints(repository.worktree, every=True) if c.branch == "b7"]
    assert repository.git("show", f"{kept[0].tree}:own") == "7"


def test_a_submodule_and_a_repository_inside_get_checkpoints_of_their_own(
    repository: Repository, tmp_path: Path
) -> None:
    library = Repository.make(tmp_path / "library", {"lib.py": "1\n"})
    repository.git("submodule", "add", "-q", str(library.path), "lib")
    repository.commit("with a submodule")
    inner = Repository(repository.path / "lib")
    inner.write("lib.py", "changed\n")
    nested = Repository.make(repository.path / "nested", {"n": "1\n"})
    nested.write("n", "changed\n")
    outcome = repository.take()
    assert sorted(Path(one.top).name for one in outcome.nested) == ["lib", "nested"]
    assert all(one.checkpoint for one in outcome.nested)
    assert inner.content("lib.py") == b"changed\n"
    assert nested.content("n") == b"changed\n"
    assert repository.files()["lib"] == "160000"
    assert "nested" not in repository.files()


def test_a_submodules_filters_do_not_run_from_above(repository: Repository, tmp_path: Path) -> None:
    library = Repository.make(
        tmp_path / "library", {"lib.py": "1\n", ".gitattributes": "* filter=e\n"}
    )
    repository.git("submodule", "add", "-q", str(library.path), "lib")
    repository.commit("with a submodule")
    inner = Repository(repository.path / "lib")
    inner.git("config", "filter.e.clean", f"touch '{tmp_path / 'ran'}'; cat")
    inner.write("lib.py", "2\n")
    repository.take()
    assert not (tmp_path / "ran").exists()


def test_names_of_any_bytes(repository: Repository) -> None:
    names = [b"new\nline", b"\xff\xfe", b"quo\"te's", "émoji 🔥".encode(), b"-dash", b":(top)x"]
    for name in names:
        with open(os.path.join(os.fsencode(repository.path), name), "wb") as file:
            file.write(name)
    repository.recorded()
    assert {os.fsdecode(name) for name in names} <= set(repository.files())


def test_a_directory_with_a_newline_in_its_name(tmp_path: Path) -> None:
    repository = Repository.make(tmp_path / "new\nline 'and' \"quotes\" 🔥", {"x": "1\n"})
    repository.write("x", "2\n")
    repository.recorded()
    assert repository.content("x") == b"2\n"


def test_links_modes_and_renames_of_case(repository: Repository) -> None:
    (repository.path / "link").symlink_to("/etc/passwd")
    path = repository.write("run.sh", "#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    (repository.path / "a.py").rename(repository.path / "A.py")
    (repository.path / "c").unlink()
    repository.write("c/inside", "a directory now\n")
    repository.recorded()
    files = repository.files()
    assert (files["link"], files["run.sh"]) == ("120000", "100755")
    assert "A.py" in files
    assert "a.py" not in files
    assert "c/inside" in files


def test_a_sparse_checkout_keeps_what_is_not_on_disk(repository: Repository) -> None:
    repository.git("sparse-checkout", "set", "src")
    assert not (repository.path / "nothing").exists()
    repository.write("src/b.py", "changed\n")
    made = repository.take().checkpoint
    assert made is not None
    assert made.alert == ""
    assert {"a.py", "c", "src/b.py"} <= set(repository.files())


def test_a_repository_of_longer_ids(tmp_path: Path) -> None:
    path = tmp_path / "sha256"
    path.mkdir()
    repository = Repository(path)
    repository.git("init", "-q", "-b", "main", "--object-format=sha256")
    repository.git("config", "user.name", "Ann")
    repository.git("config", "user.email", "ann@example.org")
    for name in ("a", "b", ".env"):
        repository.write(name, f"{name}\n")
    repository.git("add", "a", "b")
    repository.commit("one")
    repository.write(".env", "NEW=1\n")
    repository.write("a", "changed\n")
    (repository.path / "b").unlink()
    repository.git("add", ".env")
    assert why(repository) == {".env": "secret-name"}
    assert set(repository.files()) == {"a", ".env"}
    assert repository.content(".env") == b".env\n"
    assert repository.git("fsck", "--no-dangling") == ""


def test_a_git_directory_elsewhere_and_a_link_to_the_worktree(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    repository = Repository(tmp_path / "real")
    repository.git("init", "-q", "--separate-git-dir", str(tmp_path / "elsewhere.git"))
    repository.write("x", "1\n")
    (tmp_path / "link").symlink_to("real")
    made = take(locate(str(tmp_path / "link")), Settings(), Occasion("manual")).checkpoint
    assert made is not None
    assert repository.take().checkpoint is None, "it is the same worktree"


def test_a_directory_whose_git_file_leads_nowhere_is_a_directory(repository: Repository) -> None:
    repository.write("broken/.git", "gitdir: /nowhere\n")
    repository.write("broken/x", "1\n")
    assert repository.take().nested == ()
    assert "broken/x" in repository.files()


def test_a_split_index_is_read_and_not_written(repository: Repository) -> None:
    repository.git("config", "core.splitIndex", "true")
    repository.git("update-index", "--split-index")
    repository.write("c", "changed\n")
    shared = sorted((repository.path / ".git").glob("sharedindex*"))
    before = repository.own()
    repository.recorded()
    assert repository.content("c") == b"changed\n"
    assert repository.own() == before
    assert sorted((repository.path / ".git").glob("sharedindex*")) == shared


# -- what is refused -------------------------------------------------------------------------------


def test_a_bare_repository_and_none_at_all(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    Repository(tmp_path / "bare").git("init", "-q", "--bare")
    with pytest.raises(RefusedError, match="no worktree") as refused:
        locate(str(tmp_path / "bare"))
    assert refused.value.code == "no-worktree"
    (tmp_path / "plain").mkdir()
    with pytest.raises(NotARepositoryError, match="not in a git repository"):
        locate(str(tmp_path / "plain"))
    with pytest.raises(NotFoundError, match="no directory"):
        locate(str(tmp_path / "nowhere"))


def test_a_repository_of_another_user(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(RefusedError, match="another user owns it") as refused:
        repository.take()
    assert refused.value.code == "not-owner"
    assert "safe.directory" in refused.value.hint


def test_a_note_with_nul_is_refused(repository: Repository) -> None:
    with pytest.raises(RefusedError):
        repository.take(note="a\0b")
    assert repository.ids() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[checkpoint]\nevry = '5m'\n", "Did you mean 'every'?"),
        ("[checkpoint]\nevery = 5\n", "must be a duration"),
        ("[checkpoint]\nmax_file_mib = -1\n", "must be a number of MiB"),
        ("[checkpoint]\nmax_new_files = true\n", "must be a number"),
        ("[checkpoint]\ndeny = [1]\n", "must be a list of globs"),
        ("checkpoint = 1\n", "is not a table"),
        ("[checkpoint\n", "cannot be read"),
    ],
)
def test_settings_that_are_wrong_are_refused(text: str, said: str) -> None:
    path = Path(settings_file())
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(RefusedError) as refused:
        load_settings()
    assert said in f"{refused.value.message} {refused.value.hint}"
    assert refused.value.code == "bad-config"


def test_settings_are_read() -> None:
    assert load_settings() == Settings()
    path = Path(settings_file())
    path.parent.mkdir(parents=True)
    path.write_text(
        "[checkpoint]\nevery = '0'\non_idle = true\nmax_file_mib = 5\nquota_mib = 9\n"
        "allow = ['x']\n[other]\ny = 1\n"
    )
    assert load_settings() == Settings(
        every=0.0, on_idle=True, max_file=5 * MIB, quota=9 * MIB, allow=("x",)
    )


# -- a shadow --------------------------------------------------------------------------------------


def test_a_shadow_touches_nothing_in_its_directory(tmp_path: Path, torch: Torch) -> None:
    plain = tmp_path / "notes"
    (plain / "deep").mkdir(parents=True)
    (plain / "x").write_text("1\n")
    (plain / "node_modules").mkdir()
    (plain / "node_modules/y").write_text("1\n")
    assert torch("checkpoint", "init", str(plain), "--shadow").code == 0
    made = torch("checkpoint", "now", str(plain / "deep"), "--json").json
    assert (made["state"], made["files"]) == ("recorded", 1)
    (plain / "x").write_text("wrecked\n")
    done = torch("checkpoint", "restore", "x", "--from", made["id"], "--yes", "-C", str(plain))
    assert (done.code, (plain / "x").read_text()) == (0, "1\n")
    assert sorted(p.name for p in plain.iterdir()) == ["deep", "node_modules", "x"]
    again = torch("checkpoint", "init", str(plain), "--shadow")
    assert (again.code, "already has a shadow" in again.err) == (2, True)


def test_others_can_read_nothing_that_is_kept(
    repository: Repository, tmp_path: Path, torch: Torch
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "a.txt").write_text("a\n")
    before = os.umask(0)
    try:
        assert torch("checkpoint", "init", str(plain), "--shadow").code == 0
        for path in (plain, repository.path):
            assert torch("checkpoint", "now", str(path)).code == 0
    finally:
        os.umask(before)
    home = Path(paths.state_dir())
    kept = [one for one in home.rglob("*") if not one.is_symlink()]
    assert len(kept) > 20
    open_to = [str(one) for one in kept if one.is_dir() and one.stat().st_mode & 0o077]
    assert open_to == []
    shadows = [one for one in (home / "shadows").rglob("*") if one.stat().st_mode & 0o077]
    assert shadows == []


def test_a_shadow_is_not_made_where_git_is(repository: Repository) -> None:
    with pytest.raises(RefusedError, match="is already in the repository"):
        make_shadow(str(repository.path / "src"))


def test_the_top_is_found_without_git(repository: Repository, tmp_path: Path) -> None:
    assert top_of(str(repository.path / "src")) == str(repository.path)
    (tmp_path / "plain").mkdir()
    assert top_of(str(tmp_path / "plain")) is None


# -- trouble ---------------------------------------------------------------------------------------


def test_two_at_once_wait_for_each_other(repository: Repository) -> None:
    repository.write("c", "changed\n")
    with (
        locked(repository.worktree),
        pytest.raises(HeldError, match="another process is making or restoring a checkpoint"),
        locked(repository.worktree, patience=0.1),
    ):
        pass
    words = [sys.executable, "-m", "torch_cli", "checkpoint", "now", str(repository.path)]
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    children = [subprocess.Popen(words, stdout=subprocess.PIPE, env=env) for _ in range(8)]
    said = [child.communicate(timeout=2 * PATIENCE)[0].decode() for child in children]
    assert all(child.returncode == 0 for child in children)
    assert sum("recorded" in one for one in said) == 1
    assert len(repository.ids()) == 1


def test_git_that_hangs_is_asked_to_end_first(repository: Repository, tmp_path: Path) -> None:
    """SIGTERM lets git remove its lock files; SIGKILL would leave them."""
    said = tmp_path / "said"
    hang = f"alias.hang=!trap 'echo asked >{said}; exit' TERM; while :; do sleep 0.1; done"
    for seconds in (1.0, 5.0, 25.0):  # on a busy machine it may not have begun to wait after one
        git = Git(str(repository.path), timeout=seconds, settings=(hang,))
        with pytest.raises(TimedOutError, match=rf"took more than {seconds:g} s"):
            git.run("hang")
        if said.exists():
            break
    assert said.read_text() == "asked\n"


def test_no_git_is_said(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(TorchError, match="git is not installed"):
        repository.take()


def test_a_state_directory_that_cannot_be_written(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "torch").write_text("a file")
    with pytest.raises(TorchError, match="could not make a lock"):
        repository.take()


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
sys.argv = ["torch", "checkpoint", "now", sys.argv[1]]
from torch_cli.__main__ import main
main()
"""
"""A checkpoint that can write no file of more than so many bytes, as on a disk that is full."""


@pytest.mark.parametrize("size", [0, 100, 500, 2000])
def test_a_full_disk_leaves_everything_as_it_was(repository: Repository, size: int) -> None:
    first = repository.recorded()
    repository.write("large", os.urandom(100_000))
    before = repository.own()
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(repository.path), str(size)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert b"Traceback" not in done.stderr
    assert repository.own() == before
    assert repository.ids() == [first]
    assert list((repository.path / ".git").rglob("*.lock")) == []
    assert len(repository.git("fsck", "--no-dangling")) == 0
    repository.recorded()


@pytest.mark.timeout(900)
def test_killed_at_random_points_it_leaves_no_trace(repository: Repository) -> None:
    """100 checkpoints are killed with their git processes; a spread of points is hit."""
    for n in range(150):
        repository.write(f"many/{n}", f"{n}\n" * 50)
    repository.commit("many")
    kept = [repository.recorded()]
    before = repository.own()
    words = [sys.executable, "-m", "torch_cli", "checkpoint", "now", str(repository.path)]
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    index = Path(repository.worktree.place) / "index"
    finished, longest = 0, 0.1  # seconds; longer on a machine that is slow, to hit all stages
    for n in range(100):
        repository.write(f"many/{n}", f"changed {n}\n" * 50)
        index.unlink(missing_ok=True)  # of the one that was killed before: the next would do that
        child = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not index.exists() and child.poll() is None:
            time.sleep(0.0005)  # it is there for some 40 ms
        time.sleep(longest * (n % 20) / 20)  # which point that is does not matter
        groups = _groups_below(child.pid)
        child.send_signal(signal.SIGKILL)
        for group in groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                continue
        finished += child.wait() == 0
        longest = min(3.0, longest * 1.1) if finished < n / 5 else longest * 0.95
        child.communicate()
    kept += [one for one in repository.ids() if one not in kept]
    assert 2 < finished < 98, "killed at all stages: some were done by then, others were not"
    assert repository.own() == before
    repository.take()  # waits until the last git has ended, and sweeps
    assert list((repository.path / ".git").rglob("*.lock")) == []
    assert repository.git("fsck", "--full", "--no-dangling") == ""
    assert set(kept) <= set(repository.ids())
    for identity in kept:
        assert len(repository.files(identity)) == 153


def test_a_lock_of_a_collection_that_goes_on_is_left_alone(repository: Repository) -> None:
    repository.recorded()
    (ref,) = (one.ref for one in checkpoints(repository.worktree))
    mine = repository.path / ".git" / f"{ref[:-10]}c-00000000.lock"
    other = repository.path / ".git" / f"{ref}.lock"
    for lock in (mine, other):
        lock.touch()
    repository.take()
    assert not mine.exists(), "it was left by a checkpoint that was killed"
    assert other.exists()


def _groups_below(pid: int) -> list[int]:
    """Return the process groups of the children of ``pid``: git runs in sessions of its own."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in children]


PERSON = """
set -e
n=0
while [ ! -e "$1/stop" ]; do
    n=$((n + 1))
    git switch -q -c "b$n" main
    echo "$n" >>person; git add person; git commit -q -m "person $n"
    echo "$n" >"side$n"; git add "side$n"; git commit -q -m "side $n"
    git rebase -q main
    git switch -q main
    git merge -q --ff-only "b$n"
    git branch -q -D "b$n"
    git stash list >/dev/null
    [ $((n % 5)) -ne 0 ] || git gc -q
    echo "$n" >"$1/rounds"
done
echo "$n"
"""


def test_a_person_at_work_is_not_disturbed(repository: Repository, tmp_path: Path) -> None:
    """Commits, rebases, switches and collections go on; checkpoints are made without a pause."""
    repository.write("person", "0\n")
    repository.commit("start")
    script = tmp_path / "person.sh"
    script.write_text(PERSON)
    person = subprocess.Popen(
        ["sh", str(script), str(tmp_path)],
        cwd=repository.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    made = failed = 0
    rounds, until = tmp_path / "rounds", time.monotonic() + 60
    while person.poll() is None:
        met = made >= 40 and rounds.exists() and int(rounds.read_text() or 0) >= 20
        if met or time.monotonic() > until:
            (tmp_path / "stop").touch()
        repository.write("agent.py", f"{time.time()}\n")
        try:
            made += take(repository.worktree, Settings(), Occasion("manual")).checkpoint is not None
        except TorchError:  # a checkpoint may fail; what the person does may not
            failed += 1
    out, err = person.communicate()
    assert person.returncode == 0, err.decode()
    assert int(out) > 3
    assert made > 5
    assert failed <= made / 5, "a few may meet a file that is going"
    assert repository.git("fsck", "--no-dangling") == ""


def test_json_of_the_list(repository: Repository, torch: Torch) -> None:
    repository.write(".env", "x\n")
    repository.recorded(note="first")
    done = torch("checkpoint", "list", str(repository.path), "--json")
    (line,) = done.out.splitlines()
    said = json.loads(line)
    assert (said["schema"], said["note"], said["agent"]) == ("torch.checkpoint/1", "first", None)
    assert said["left_out"][0]["path"] == ".env"
