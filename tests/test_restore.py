"""Bringing files back: what changes, what is never touched, and what is refused."""

import json
import os
import time
from datetime import datetime
from pathlib import Path

import pytest

from conftest import Torch
from repository import Repository, at_a_terminal
from torch_cli.checkpoint import restore as restoring
from torch_cli.checkpoint.record import Checkpoint, checkpoints, find_checkpoint
from torch_cli.checkpoint.restore import RestorePlan, Source, carry_out, pathspecs, plan
from torch_cli.checkpoint.retention import over_quota, prune, size_of, surplus
from torch_cli.checkpoint.settings import MIB, Settings
from torch_cli.errors import HeldError, RefusedError, TorchError
from torch_cli.git.counts import Counts

FILES = {"a.py": "good\n", "src/b.py": "b\n", "src/deep/c.py": "c\n", ".gitignore": "*.log\n"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "project", FILES)


def planned(repository: Repository, identity: str, *paths: str) -> RestorePlan:
    worktree = repository.worktree
    source = Source.of(find_checkpoint(worktree, identity))
    wanted = pathspecs(worktree, paths, str(repository.path))
    return plan(worktree, Settings(), source, wanted)


def restored(repository: Repository, identity: str, *paths: str) -> RestorePlan:
    """Restore, and return what was done."""
    agreed = planned(repository, identity, *paths)
    carry_out(repository.worktree, Settings(), agreed)
    return agreed


def tree_of(repository: Repository) -> dict[str, bytes]:
    """Return what is on disk, but for git's own."""
    found = (p for p in repository.path.rglob("*") if p.is_file() and ".git" not in p.parts)
    return {str(p.relative_to(repository.path)): p.read_bytes() for p in found}


def test_an_agent_wrecks_a_file_and_it_comes_back(repository: Repository, torch: Torch) -> None:
    there = ("-C", str(repository.path))
    first = torch("checkpoint", "now", str(repository.path), "--json").json["id"]
    repository.write("a.py", "wrecked\n")
    second = torch("checkpoint", "now", str(repository.path), "--json").json["id"]
    listed = torch("checkpoint", "list", str(repository.path))
    assert [line.split()[0] for line in listed.out.splitlines()] == ["CHECKPOINT", first, second]
    shown = torch("checkpoint", "diff", first, second, *there)
    assert "-good\n+wrecked\n" in shown.out
    assert "src/b.py" not in shown.out
    before = repository.own()
    done = torch("checkpoint", "restore", "a.py", "--from", first, "--yes", *there)
    assert (done.code, done.out) == (0, "replaced  a.py\n"), done.err
    assert f"the files from before are in {second}" in done.err
    assert repository.read("a.py") == "good\n"
    assert repository.own() == before
    assert repository.git("log", "--all", "--oneline", "--", ".").count("\n") == 0


def test_all_of_it_comes_back_and_what_was_made_since_goes(repository: Repository) -> None:
    first = repository.recorded()
    was = tree_of(repository)
    repository.write("a.py", "wrecked\n")
    repository.write("new/file", "made since\n")
    (repository.path / "src/deep/c.py").unlink()
    (repository.path / "src/deep").rmdir()
    repository.write("src/deep", "a file where a directory was\n")
    repository.write("build.log", "ignored\n")
    wrecked = tree_of(repository)
    done = restored(repository, first)
    assert {(c.what, c.path) for c in done.changes} == {
        ("replaced", "a.py"),
        ("deleted", "new/file"),
        ("created", "src/deep/c.py"),
        ("deleted", "src/deep"),
    }
    assert tree_of(repository) == {**was, "build.log": b"ignored\n"}
    assert not (repository.path / "new").exists()
    restored(repository, repository.ids()[-1])
    assert tree_of(repository) == wrecked


def test_a_directory_or_a_file_alone(repository: Repository) -> None:
    first = repository.recorded()
    repository.write("a.py", "wrecked\n")
    repository.write("src/b.py", "wrecked\n")
    repository.write("src/new", "made since\n")
    done = restored(repository, first, "src")
    assert {c.path for c in done.changes} == {"src/b.py", "src/new"}
    assert repository.read("a.py") == "wrecked\n"
    restored(repository, first, "a.py")
    assert repository.read("a.py") == "good\n"


def test_what_is_in_no_checkpoint_is_never_touched(repository: Repository) -> None:
    repository.write("notes.log", "tracked before it was ignored\n")
    repository.write(".gitignore", "nothing\n")
    first = repository.recorded()
    repository.write(".gitignore", "*.log\n")
    repository.write("notes.log", "written since, and ignored\n")
    repository.write(".env", "SECRET=1\n")
    done = restored(repository, first)
    assert repository.read("notes.log") == "written since, and ignored\n"
    assert repository.read(".env") == "SECRET=1\n"
    assert [path for path, _ in done.skipped] == ["notes.log"]
    assert "ignored, or was left out" in done.skipped[0][1]


def test_a_change_that_was_left_out_is_not_replaced(repository: Repository) -> None:
    first = repository.recorded()
    key = "AKIA" + "Q" * 16
    repository.write("a.py", f'KEY = "{key}"\n')
    repository.write("src/b.py", "wrecked\n")
    done = restored(repository, first)
    assert repository.read("a.py") == f'KEY = "{key}"\n', "it is in no checkpoint"
    assert repository.read("src/b.py") == "b\n"
    assert [path for path, _ in done.skipped] == ["a.py"]


def test_it_never_writes_outside_of_the_worktree(repository: Repository, tmp_path: Path) -> None:
    first = repository.recorded()
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "b.py").write_text("not ours\n")
    (outside / "deep/c.py").write_text("not ours\n")
    for name in ("src/deep/c.py", "src/b.py"):
        (repository.path / name).unlink()
    (repository.path / "src/deep").rmdir()
    (repository.path / "src").rmdir()
    (repository.path / "src").symlink_to(outside)
    restored(repository, first)  # a checkpoint has the link: it makes way
    assert (outside / "b.py").read_text() == "not ours\n"
    assert (outside / "deep/c.py").read_text() == "not ours\n"
    assert not (repository.path / "src").is_symlink()
    assert repository.read("src/b.py") == "b\n"
    for name in ("../x", "/etc/passwd", str(outside), "src/../../x", ".git/config", "sub/.GIT/x"):
        with pytest.raises(RefusedError, match=r"outside|belongs to git"):
            pathspecs(repository.worktree, [name], str(repository.path))


def test_a_link_in_the_way_is_not_followed(repository: Repository, tmp_path: Path) -> None:
    first = repository.recorded()
    outside = tmp_path / "outside"
    outside.mkdir()
    repository.write(".gitignore", "*.log\nsrc\n")
    repository.git("rm", "-rq", "--cached", "src")
    for name in ("src/deep/c.py", "src/b.py"):
        (repository.path / name).unlink()
    (repository.path / "src/deep").rmdir()
    (repository.path / "src").rmdir()
    (repository.path / "src").symlink_to(outside)  # it is ignored: no checkpoint has it
    done = restored(repository, first)
    assert {path for path, _ in done.skipped} == {"src/b.py", "src/deep/c.py"}
    assert (repository.path / "src").is_symlink()
    assert list(outside.iterdir()) == []


def test_links_modes_and_names_of_any_bytes_come_back(repository: Repository) -> None:
    (repository.path / "link").symlink_to("a.py")
    (repository.path / "a.py").chmod(0o755)
    odd = Path(os.fsdecode(os.fsencode(repository.path) + b"/new\nline \xff"))
    odd.write_bytes(b"odd\n")
    first = repository.recorded()
    (repository.path / "link").unlink()
    (repository.path / "a.py").chmod(0o644)
    odd.unlink()
    done = restored(repository, first)
    assert len(done.changes) == 3
    assert os.readlink(repository.path / "link") == "a.py"
    assert os.access(repository.path / "a.py", os.X_OK)
    assert odd.read_bytes() == b"odd\n"


def test_line_ends_and_filters_come_back_as_they_were_on_disk(repository: Repository) -> None:
    repository.write(".gitattributes", "*.txt text eol=crlf\n")
    repository.write("dos.txt", b"one\r\ntwo\r\n")
    first = repository.recorded()
    repository.write("dos.txt", b"wrecked\r\n")
    restored(repository, first, "dos.txt")
    assert (repository.path / "dos.txt").read_bytes() == b"one\r\ntwo\r\n"


def test_what_a_sparse_checkout_left_out_comes_when_it_is_asked_for(
    repository: Repository,
) -> None:
    """It is in the checkpoint as in the index, so nothing differs, and yet it is not on disk."""
    repository.write("a.py", "changed\n")
    first = repository.recorded()
    repository.git("sparse-checkout", "set", "--no-cone", "/a.py")
    assert not (repository.path / "src").exists()
    assert planned(repository, first).changes == ()
    done = restored(repository, first, "src/b.py")
    assert [(one.path, one.what) for one in done.changes] == [("src/b.py", "created")]
    assert repository.read("src/b.py") == "b\n"
    assert not (repository.path / "src/deep").exists()
    restored(repository, first, "src")
    assert repository.read("src/deep/c.py") == "c\n"
    assert planned(repository, first, "src").changes == ()


def test_an_ignored_link_in_a_directory_that_makes_way_is_kept(repository: Repository) -> None:
    repository.write("place", "a file\n")
    first = repository.recorded()
    (repository.path / "place").unlink()
    repository.write("place/x", "a directory now\n")
    (repository.path / "place/link.log").symlink_to(repository.path.parent)
    done = restored(repository, first, "place")
    assert (repository.path / "place/link.log").is_symlink()
    assert [path for path, _ in done.skipped] == ["place"]


def test_repositories_inside_are_left_alone(repository: Repository, tmp_path: Path) -> None:
    library = Repository.make(tmp_path / "library", {"lib.py": "1\n"})
    repository.git("submodule", "add", "-q", str(library.path), "lib")
    first = repository.recorded()
    inner = Repository(repository.path / "lib")
    inner.write("lib.py", "2\n")
    inner.git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qam", "two")
    repository.write("a.py", "wrecked\n")
    done = restored(repository, first)
    assert [path for path, _ in done.skipped] == ["lib"]
    assert inner.read("lib.py") == "2\n"
    assert repository.read("a.py") == "good\n"


def test_a_checkpoint_of_a_linked_worktree_can_be_restored_elsewhere(
    repository: Repository, tmp_path: Path
) -> None:
    repository.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Repository(tmp_path / "linked")
    linked.write("a.py", "of the other worktree\n")
    other = linked.recorded()
    restored(repository, other, "a.py")
    assert repository.read("a.py") == "of the other worktree\n"


def test_what_was_agreed_to_is_what_happens(repository: Repository) -> None:
    first = repository.recorded()
    repository.write("a.py", "wrecked\n")
    agreed = planned(repository, first)
    repository.write("src/b.py", "somebody writes here\n")
    with pytest.raises(HeldError, match="changed during the decision"):
        carry_out(repository.worktree, Settings(), agreed)
    assert repository.read("a.py") == "wrecked\n"


def test_a_restore_that_fails_names_the_checkpoint_of_what_was_there(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.recorded()
    repository.write("a.py", "wrecked\n")
    agreed = planned(repository, first)
    monkeypatch.setattr(restoring, "_write", _fails)
    with pytest.raises(TorchError, match="stopped half way") as raised:
        carry_out(repository.worktree, Settings(), agreed)
    saved = repository.ids()[-1]
    assert saved != first
    assert saved in raised.value.hint


def _fails(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_path_that_the_checkpoint_does_not_have(repository: Repository) -> None:
    first = repository.recorded()
    with pytest.raises(RefusedError, match=r"does not have 'nothing\.py'"):
        planned(repository, first, "nothing.py")


# -- the command -----------------------------------------------------------------------------------


def test_without_a_person_it_asks_for_yes_and_changes_nothing(
    repository: Repository, torch: Torch
) -> None:
    first = repository.recorded()
    repository.write("a.py", "wrecked\n")
    there = ("-C", str(repository.path))
    for words, code in (
        (("a.py", "--from", first), "not-confirmed"),
        (("--all", "--from", first), "not-confirmed"),
        (("a.py",), "usage"),
        (("--from", first), "usage"),
        (("a.py", "--all", "--from", first), "usage"),
        (("a.py", "--from", "c-nothing"), "no-checkpoint"),
    ):
        done = torch("checkpoint", "restore", *words, *there, "--json")
        assert done.json["error"]["code"] == code
        assert done.code in (2, 3)
    dry = torch("checkpoint", "restore", "--all", "--from", first, "--dry-run", "--json", *there)
    assert dry.json["changes"] == [{"path": "a.py", "change": "replaced"}]
    assert repository.read("a.py") == "wrecked\n"


@pytest.mark.parametrize(("answer", "content"), [("y", "good\n"), ("n", "wrecked\n")])
def test_a_person_is_shown_and_asked(
    repository: Repository, torch: Torch, answer: str, content: str
) -> None:
    first = repository.recorded()
    repository.write("a.py", "wrecked\n")
    words = torch.argv("checkpoint", "restore", "--all", "--from", first)
    shown = at_a_terminal(words, repository.path, [answer], ["[y/N]:"])
    assert "replace   a.py" in shown
    assert f"Restore 1 file from {first}?" in shown
    assert repository.read("a.py") == content


# -- the latest ------------------------------------------------------------------------------------


def test_the_example_of_the_help_brings_a_file_back_and_does_so_again(
    repository: Repository, torch: Torch
) -> None:
    """What a restore records of the wreck is not the latest."""
    there = ("-C", str(repository.path))
    first = repository.recorded()
    (repository.path / "a.py").unlink()
    words = ("checkpoint", "restore", "a.py", "--from", "latest")
    dry = torch(*words, "--dry-run", *there)
    assert (dry.code, dry.out) == (0, "create    a.py\n"), "nothing is created yet"
    assert torch(*words, *there, "--json").json["error"]["code"] == "not-confirmed"
    assert repository.ids() == [first], "neither has recorded anything"
    done = torch(*words, "--yes", *there)
    assert (done.code, done.out) == (0, "created   a.py\n"), done.err
    assert repository.read("a.py") == "good\n"
    assert len(repository.ids()) == 2
    again = torch(*words, "--yes", *there)
    assert (again.code, again.out) == (0, ""), again.err
    assert f"nothing to restore: the files are as in {first}" in again.err
    assert repository.read("a.py") == "good\n"
    listed = torch("checkpoint", "list", str(repository.path)).out.splitlines()
    assert [line.split()[0] for line in listed if "latest" in line] == [first]
    said = torch("checkpoint", "list", str(repository.path), "--json").out.splitlines()
    assert [json.loads(line)["latest"] for line in said] == [True, False]


def test_a_checkpoint_that_has_recorded_the_loss_leads_to_the_one_before(
    repository: Repository, torch: Torch
) -> None:
    there = ("-C", str(repository.path))
    repository.write("a.py", "old\n")
    old = repository.recorded()
    repository.write("a.py", "good\n")
    first = repository.recorded()
    (repository.path / "a.py").unlink()
    lost = repository.recorded()
    alone = torch("checkpoint", "restore", "a.py", "--from", "latest", *there, "--json")
    assert alone.json["error"]["code"] == "no-path"
    assert f"--from {first}" in alone.json["error"]["hint"]
    whole = torch("checkpoint", "restore", "--all", "--from", "latest", *there)
    assert f"the files are as in {lost}" in whole.err
    assert f"--from {first} would change 1 file" in whole.err
    repository.write("a.py", "wrecked\n")
    repository.recorded()
    named = torch("checkpoint", "restore", "a.py", "--from", "latest", "--json", *there).json
    assert named["earlier"] == {"id": first, "files": 1}
    assert named["changes"] == []
    assert old in repository.ids()


def test_a_path_that_is_nowhere_leads_to_the_commits(repository: Repository) -> None:
    first = repository.recorded()
    with pytest.raises(RefusedError, match="does not have") as raised:
        planned(repository, first, "nothing.py")
    assert "torch recover" in raised.value.hint


def test_where_only_restores_have_made_checkpoints_none_is_the_latest(
    repository: Repository, torch: Torch
) -> None:
    there = ("-C", str(repository.path))
    repository.write("a.py", "wrecked\n")
    assert torch("recover", "a.py", "--item", "1", "--yes", *there).code == 0
    (saved,) = repository.ids()
    done = torch("checkpoint", "restore", "--all", "--from", "latest", *there, "--json")
    assert done.json["error"]["code"] == "no-checkpoint"
    assert saved in done.json["error"]["hint"]


def test_a_restore_that_is_refused_in_the_end_records_nothing(repository: Repository) -> None:
    first = repository.recorded()
    repository.write("a.py", "wrecked\n")
    agreed = planned(repository, first)
    repository.write("src/b.py", "somebody writes here\n")
    with pytest.raises(HeldError):
        carry_out(repository.worktree, Settings(), agreed)
    assert repository.ids() == [first]


# -- retention -------------------------------------------------------------------------------------

NOON = datetime(2026, 6, 15, 12, 0).timestamp()


def made(hours: float, **known: object) -> Checkpoint:
    """Return a checkpoint that was made so many hours before ``NOON``."""
    at = NOON - hours * 3600
    identity = f"c-{int(hours * 1000):08x}"
    one = Checkpoint(
        id=identity,
        ref=f"refs/{identity}",
        object="",
        tree="",
        at=at,
        reason="interval",
        agent="",
        note="",
        head="",
        branch="",
        files=1,
        counts=Counts(),
    )
    return one._replace(**known)  # type: ignore[arg-type]


def kept(found: list[Checkpoint], settings: Settings | None = None) -> list[float]:
    """Return how many hours before ``NOON`` those that are kept were made."""
    found = sorted(found, key=lambda one: one.at)
    gone = {one.id for one in surplus(found, NOON, settings or Settings())}
    return [round((NOON - one.at) / 3600, 2) for one in found if one.id not in gone]


def test_all_of_today_hourly_for_a_week_and_daily_for_a_quarter() -> None:
    today = [made(n / 6) for n in range(60)]
    assert len(kept(today)) == 60
    yesterday = [made(24 + n / 6) for n in range(60)]
    assert len(kept([*today, *yesterday])) == 60 + 11
    month = [made(30 * 24 + n + (0.02 if n > 11 else 0)) for n in range(24)]
    # Those of a day from noon to noon lie in two days of the clock.
    assert kept([*month, made(0)]) == [732.02, 720.0, 0.0]
    assert kept([made(91 * 24), made(0)]) == [0.0]


def test_the_newest_is_kept_however_old() -> None:
    assert kept([made(200 * 24), made(201 * 24)]) == [4800.0]


def test_the_latest_is_kept_beside_a_newer_one_that_a_restore_has_made() -> None:
    found = [made(200 * 24), made(199 * 24), made(198 * 24, reason="before restore")]
    assert kept(found) == [4776.0, 4752.0]


def test_a_note_and_what_was_before_the_loss_are_kept() -> None:
    noted = made(50, note="before the change", reason="manual")
    assert kept([noted, made(49.9), made(49.8), made(0)]) == [50.0, 49.8, 0.0]
    lost = made(2000, alert="9 of 9 files are gone", before=made(4000).id)
    assert kept([made(4000), made(3999), lost, made(0)])[0] == 4000.0


def test_what_is_kept_stays_kept_as_time_goes() -> None:
    """Thinning each day ends with the same checkpoints as thinning once."""
    every = sorted((made(n * 0.5) for n in range(48 * 40)), key=lambda one: one.at)
    once = {one.id for one in every} - {one.id for one in surplus(every, NOON, Settings())}
    daily = every
    for day in range(40, -1, -1):
        now = NOON - day * 86_400
        known = [one for one in daily if one.at <= now]
        gone = {one.id for one in surplus(known, now, Settings())}
        daily = [one for one in daily if one.id not in gone]
    assert {one.id for one in daily} == once


def test_pruning_deletes_only_refs_of_torch(
    repository: Repository, torch: Torch, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = datetime.now().replace(hour=12, minute=0).timestamp()
    monkeypatch.setattr(time, "time", lambda: noon)  # both of one day, also at midnight
    first = repository.recorded()
    repository.write("a.py", "2\n")
    second = repository.recorded()
    before = repository.own()
    worktree = repository.worktree
    later = time.time() + 10 * 86_400  # then one of each day is kept
    assert [one.id for one in prune(worktree, Settings(), later, dry_run=True)] == [first]
    assert repository.ids() == [first, second]
    assert [one.id for one in prune(worktree, Settings(), later)] == [first]
    assert repository.ids() == [second]
    assert repository.own() == before
    said = torch("checkpoint", "prune", str(repository.path), "--json").json
    assert (said["pruned"], said["kept"]) == ([], 1)


def test_the_quota_takes_the_oldest(repository: Repository) -> None:
    worktree, git = repository.worktree, repository.worktree.git()
    for _ in range(6):
        repository.write("data", os.urandom(MIB))
        repository.recorded()
    found = checkpoints(worktree)
    assert 6 * MIB < size_of(git, found) < 7 * MIB
    gone = over_quota(git, found, int(3.5 * MIB))
    assert [one.id for one in gone] == [one.id for one in found[:3]]
    assert over_quota(git, found, 0) == found[:-1], "the newest stays"
    assert over_quota(git, found, 100 * MIB) == []
