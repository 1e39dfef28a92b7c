"""Files come back byte for byte, whatever git would make of their line ends and encodings."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repository import Repository
from torch_cli.checkpoint import record
from torch_cli.checkpoint.record import Occasion, checkpoints, find_checkpoint, take
from torch_cli.checkpoint.restore import Source, carry_out, plan
from torch_cli.checkpoint.settings import Settings
from torch_cli.checkpoint.snapshot import Snapshot, snapshot
from torch_cli.commit.commit import commit
from torch_cli.commit.recover import find_item, items
from torch_cli.git.filters import trust

CRLF, LF, MIXED = b"one\r\ntwo\r\n", b"one\ntwo\n", b"one\r\ntwo\nthree\r\n"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "project", {"a.txt": "a\n", "src/b.txt": "b\n"})


def restored(repository: Repository, identity: str = "latest", *paths: str) -> list[str]:
    """Restore, and return what was changed."""
    worktree = repository.worktree
    source = Source.of(find_checkpoint(worktree, identity))
    agreed = plan(worktree, Settings(), source, paths)
    if agreed.changes:
        carry_out(worktree, Settings(), agreed)
    return [one.path for one in agreed.changes]


AttributesOf = Callable[[Repository], None]


def attributes(text: str) -> AttributesOf:
    return lambda repository: void(repository.write(".gitattributes", text))


def config(name: str, value: str) -> AttributesOf:
    return lambda repository: void(repository.git("config", name, value))


def void(_: object) -> None:
    """Return nothing."""


CASES = {
    "text=auto": attributes("* text=auto\n"),
    "text=auto below the top": lambda repository: void(
        repository.write("src/.gitattributes", "* text=auto\n")
    ),
    "text": attributes("*.txt text\n"),
    "eol=crlf": attributes("*.txt text eol=crlf\n"),
    "eol=lf": attributes("*.txt eol=lf\n"),
    "crlf=input": attributes("*.txt crlf=input\n"),
    "autocrlf=true": config("core.autocrlf", "true"),
    "autocrlf=input": config("core.autocrlf", "input"),
    "safecrlf": lambda repository: [
        config("core.autocrlf", "input")(repository),
        config("core.safecrlf", "true")(repository),
    ][0],
    "ident": attributes("*.txt ident\n"),
    "none": lambda repository: None,
    "binary": attributes("*.txt -text\n"),
}
CONTENTS = {
    "CRLF": CRLF,
    "LF": LF,
    "mixed": MIXED,
    "ident": b"$Id: somebody's own words $\n",
    "no end": b"one\r\ntwo",
    "empty": b"",
}


@pytest.mark.parametrize("case", CASES)
def test_every_file_comes_back_byte_for_byte(repository: Repository, case: str) -> None:
    CASES[case](repository)
    for place in ("", "src/"):
        for name, content in CONTENTS.items():
            repository.write(f"{place}{name}.txt", content)
    first = repository.recorded()
    for place in ("", "src/"):
        for name in CONTENTS:
            repository.write(f"{place}{name}.txt", "wrecked\n")
    restored(repository, first)
    for place in ("", "src/"):
        found = {name: (repository.path / f"{place}{name}.txt").read_bytes() for name in CONTENTS}
        assert found == CONTENTS, place
    assert restored(repository, first) == []


@pytest.mark.parametrize("case", ["text=auto", "eol=crlf", "autocrlf=input"])
def test_a_file_without_a_difference_for_git_comes_back_byte_for_byte(
    repository: Repository, case: str
) -> None:
    """It was committed with its other line ends, or they alone were changed since."""
    CASES[case](repository)
    repository.write("committed.txt", CRLF)
    repository.write("changed.txt", LF)
    repository.commit("two")
    repository.take()
    repository.write("changed.txt", CRLF)
    assert repository.git("diff", "--stat") == ""
    second = repository.recorded()
    for name in ("committed.txt", "changed.txt"):
        (repository.path / name).unlink()
    restored(repository, second)
    assert (repository.path / "committed.txt").read_bytes() == CRLF
    assert (repository.path / "changed.txt").read_bytes() == CRLF
    assert repository.git("diff", "--stat") == ""


def test_another_encoding_comes_back_byte_for_byte(repository: Repository) -> None:
    repository.write(".gitattributes", "*.txt text working-tree-encoding=UTF-16LE-BOM\n")
    wide = "one\r\nzwö\r\n".encode("utf-16")
    repository.write("wide.txt", wide)
    first = repository.recorded()
    assert repository.content("wide.txt", first) == wide
    (repository.path / "wide.txt").unlink()
    restored(repository, first)
    assert (repository.path / "wide.txt").read_bytes() == wide


def test_only_what_has_changed_is_looked_at_again(repository: Repository) -> None:
    """And what was found before holds for the rest."""
    repository.write(".gitattributes", "* text=auto\n")
    repository.write("dos.txt", CRLF)
    repository.write("other.txt", CRLF)
    repository.recorded()
    assert repository.take().checkpoint is None
    repository.write("dos.txt", MIXED)
    second = repository.recorded()
    assert repository.content("dos.txt", second) == MIXED
    assert repository.content("other.txt", second) == CRLF
    repository.write("other.txt", LF)
    third = repository.recorded()
    assert repository.content("other.txt", third) == LF
    assert restored(repository, second) == ["other.txt"]
    assert (repository.path / "other.txt").read_bytes() == CRLF


def test_what_was_found_before_may_have_been_collected(repository: Repository) -> None:
    repository.write(".gitattributes", "* text=auto\n")
    repository.write("dos.txt", CRLF)
    repository.commit("two")
    first = find_checkpoint(repository.worktree, repository.recorded())
    repository.git("update-ref", "-d", first.ref)
    repository.git("prune", "--expire=now")
    second = repository.recorded()
    assert repository.content("dos.txt", second) == CRLF


def test_a_secret_is_not_written_as_it_is_on_disk_either(repository: Repository) -> None:
    repository.write(".gitattributes", "* text=auto\n")
    repository.write("config.txt", "mode = 1\r\n")
    repository.commit("two")
    key = b"-----BEGIN RSA PRIVATE KEY-----\r\n" + b"QUJD" * 40 + b"\r\n"
    repository.write("config.txt", key)
    made = repository.take().checkpoint
    assert made is not None
    assert [one.path for one in made.left_out] == ["config.txt"]
    assert repository.content("config.txt", made.id) == b"mode = 1\n"
    blob = repository.git("hash-object", "--no-filters", "config.txt")
    assert repository.run("cat-file", "-e", blob).returncode != 0


def test_a_filter_still_makes_what_it_makes(repository: Repository) -> None:
    commands = {"filter.up.clean": "tr a-z A-Z", "filter.up.smudge": "tr A-Z a-z"}
    for name, command in commands.items():
        repository.git("config", name, command)
    trust(repository.worktree, commands)
    repository.write(".gitattributes", "* text=auto\n*.up filter=up\n")
    repository.write("x.up", b"one\n")
    first = repository.recorded()
    assert repository.content("x.up", first) == b"ONE\n"
    (repository.path / "x.up").unlink()
    restored(repository, first)
    assert (repository.path / "x.up").read_bytes() == b"one\n"


def test_links_and_modes_and_odd_names_are_kept(repository: Repository) -> None:
    repository.write(".gitattributes", "* text=auto\n")
    odd = 'new\nline "quoted" \\ tab\t\udcff.txt'
    repository.write(odd, CRLF).chmod(0o755)
    (repository.path / "link").symlink_to(odd)
    first = repository.recorded()
    (repository.path / odd).unlink()
    (repository.path / "link").unlink()
    restored(repository, first)
    assert (repository.path / odd).read_bytes() == CRLF
    assert os.access(repository.path / odd, os.X_OK)
    assert os.readlink(repository.path / "link") == odd


def test_a_commit_still_has_text_as_its_attributes_say(repository: Repository) -> None:
    repository.write(".gitattributes", "* text=auto\n")
    repository.write("dos.txt", CRLF)
    repository.commit("two")
    assert commit(repository.worktree, Settings()) is None
    repository.write("more.txt", CRLF)
    made = commit(repository.worktree, Settings())
    assert made is not None
    assert made.files == 1
    assert repository.git("ls-tree", "--name-only", "HEAD", "more.txt")
    assert repository.run("cat-file", "blob", "HEAD:more.txt").stdout == LF


def test_what_differs_in_line_ends_alone_is_no_loss_against_a_commit(
    repository: Repository,
) -> None:
    repository.write(".gitattributes", "* text=auto\n")
    repository.write("dos.txt", CRLF)
    repository.commit("two")
    repository.write("a.txt", "other\n")
    found = items(repository.worktree, Settings())
    last = find_item(found, repository.git("rev-parse", "HEAD")[:10])
    assert last.effect.files == 1
    agreed = plan(
        repository.worktree, Settings(), Source(last.name, last.tree, last.exact), ["dos.txt"]
    )
    assert agreed.changes == ()


def test_the_first_checkpoint_counts_what_git_calls_changed(repository: Repository) -> None:
    repository.write(".gitattributes", "* text=auto\n")
    repository.write("dos.txt", CRLF)
    repository.commit("two")
    repository.write("a.txt", "other\n")
    made = repository.take().checkpoint
    assert made is not None
    assert made.counts.files == 1


def test_a_checkpoint_of_an_earlier_version_comes_back_as_git_writes_it(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write(".gitattributes", "*.txt text eol=crlf\n")
    repository.write("dos.txt", CRLF)
    tag = record._tag

    def stored(*given: Any) -> Snapshot:
        now = snapshot(*given)
        return now._replace(tree=now.stored)

    with monkeypatch.context() as before:
        before.setattr("torch_cli.checkpoint.record.snapshot", stored)
        before.setattr(record, "_tag", lambda made, who: tag(made._replace(exact=False), who))
        take(repository.worktree, Settings(), Occasion("manual"))
    old = checkpoints(repository.worktree)[-1]
    assert not old.exact
    assert repository.content("dos.txt", old.id) == LF
    (repository.path / "dos.txt").unlink()
    restored(repository, old.id)
    assert (repository.path / "dos.txt").read_bytes() == CRLF
