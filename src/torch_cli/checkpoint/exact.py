"""Files byte for byte as they are on disk, also if git would store other bytes.

Git stores text as attributes and ``core.autocrlf`` say. It does not keep line ends, encodings and
``$Id$``. This module makes a tree in which each such file is exactly as on disk. Files of a filter
(Git LFS) stay as the filter stores them.

The result is kept beside Torch's state: the index of that time, named after both trees. The next
time only changed files are looked at.
"""

import contextlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from torch_cli.git.command import Git, GitError
from torch_cli.git.filters import Configuration
from torch_cli.git.worktree import Worktree

ATTRIBUTES = ("text", "crlf", "eol", "ident", "working-tree-encoding", "filter")
"""Attributes with which git stores other bytes than those on disk (gitattributes(5))."""

_NAME = "exact-"

_UNSET = frozenset({"unspecified", "unset"})

_TRIES = 3
"""Files that disappear while git reads them are left out, at most this many times."""


class File(NamedTuple):
    """A regular file of the index: its mode, and the blob that git stores for it."""

    mode: str
    blob: str


class _LastResult(NamedTuple):
    """The result of last time: the index's file, the tree that git made of it, the exact tree."""

    file: str
    stored: str
    exact: str


def may_differ(
    worktree: Worktree, index: bytes, status: bytes, configuration: Configuration
) -> bool:
    """Return whether git may store other bytes than those on disk. Starts no process.

    ``index`` is the content of the index's file, ``status`` the output of ``git status``. One of
    them names each file of attributes, except ignored ones below the top. In version 4 of the
    index, names are shortened (git, index-format.txt).
    """
    home = os.path.expanduser("~")
    user = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    files = (
        os.path.join(worktree.top, ".gitattributes"),
        os.path.join(worktree.common_dir, "info", "attributes"),
        os.path.join(user, "git", "attributes"),
        "/etc/gitattributes",
    )
    return (
        configuration.autocrlf
        or configuration.attributes
        or any(b".gitattributes" in said for said in (index, status))
        or index[4:8] == b"\0\0\0\4"
        or any(os.path.exists(path) for path in files)
    )


def exact_tree(
    worktree: Worktree, git: Git, stored: str, left_out: Collection[str], *, autocrlf: bool
) -> str:
    """Put the exact files on disk into the index of ``git``; return its tree.

    ``stored`` is the tree that git has made of the index. The files ``left_out`` stay as they are
    in it. Raises ``GitError``.
    """
    known = _known(worktree)
    kept = os.path.join(worktree.place, f"{_NAME}new")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(kept)
    os.link(git.index_file, kept)  # git replaces its index and does not change this file
    try:
        tree = _exact_tree(git, stored, left_out, autocrlf, known)
    except GitError:  # the objects of last time may have been deleted by git gc
        if known is None:
            raise
        os.unlink(git.index_file)
        os.link(kept, git.index_file)
        tree = _exact_tree(git, stored, left_out, autocrlf, None)
    name = f"{_NAME}{stored}-{tree}"
    os.replace(kept, os.path.join(worktree.place, name))
    _forget(worktree, but=name)
    return tree


def _exact_tree(
    git: Git, stored: str, left_out: Collection[str], autocrlf: bool, known: _LastResult | None
) -> str:
    lines: dict[str, File] = {}
    if known is None:
        files = dict(listed_files(git.run("ls-files", "--stage", "-z")))
    else:
        files = _changed(git, known, stored)
        before = _trees(git, known.stored, known.exact)
        lines = {path: file for path, (_, file) in before.items() if path not in files}
    there = [path for path in _on_disk(git, files) if path not in left_out]
    lines |= _as_on_disk(git, _convertible(git, there, autocrlf=autocrlf), files)
    if not lines:
        return stored
    given = "".join(f"{mode} {blob}\t{path}\0" for path, (mode, blob) in lines.items())
    git.run("update-index", "-z", "--index-info", given=os.fsencode(given))
    return git.text("write-tree")


# -- what was found last time ------------------------------------------------------------------


def _names(worktree: Worktree) -> list[str]:
    return [name for name in os.listdir(worktree.place) if name.startswith(_NAME)]


def _known(worktree: Worktree) -> _LastResult | None:
    for name in _names(worktree):
        stored, _, exact = name.removeprefix(_NAME).partition("-")
        if exact:
            return _LastResult(os.path.join(worktree.place, name), stored, exact)
    return None


def _forget(worktree: Worktree, but: str = "") -> None:
    for name in _names(worktree):
        if name != but:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(worktree.place, name))


def _changed(git: Git, known: _LastResult, stored: str) -> dict[str, File]:
    """Return the files that have changed since, in the tree ``stored`` or on disk."""
    before = git._replace(index_file=known.file)
    with before.start("diff-files", "-z", "--raw") as touched:
        since = _trees(git, known.stored, stored)
        on_disk = _difference(touched.result())
    found = {path: file for path, (file, _) in on_disk.items()}
    return found | {path: file for path, (_, file) in since.items()}


def _trees(git: Git, before: str, after: str) -> dict[str, tuple[File, File]]:
    """Return the paths that differ between two trees, each with the old and the new file."""
    if before == after:
        return {}
    return _difference(git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", before, after))


def _difference(raw: bytes) -> dict[str, tuple[File, File]]:
    """Read what git prints with ``--raw -z``: each path with the old and the new file."""
    words = os.fsdecode(raw).split("\0")
    found = {}
    for head, path in zip(words[::2], words[1::2], strict=False):
        old, new, was, now, _ = head.removeprefix(":").split(" ")
        found[path] = File(old, was), File(new, now)
    return found


def listed_files(stage: bytes) -> Iterator[tuple[str, File]]:
    """Read what ``git ls-files --stage -z`` prints."""
    for line in os.fsdecode(stage).split("\0"):
        facts, _, path = line.partition("\t")
        if path:
            mode, blob, _ = facts.split(" ")
            yield path, File(mode, blob)


# -- what is on disk ---------------------------------------------------------------------------


def _on_disk(git: Git, files: dict[str, File]) -> Iterator[str]:
    """Yield those of ``files`` that are regular files, in the index and on disk."""
    for path, file in files.items():
        with contextlib.suppress(OSError):
            if file.mode.startswith("100") and stat.S_ISREG(
                os.lstat(os.path.join(git.directory, path)).st_mode
            ):
                yield path


def _convertible(git: Git, paths: list[str], *, autocrlf: bool) -> list[str]:
    """Return those of ``paths`` that git may store with other bytes, and without a filter."""
    return [
        path
        for path, says in _attributes(git, paths)
        if says["filter"] in _UNSET
        and (
            says["ident"] == "set"
            or says["working-tree-encoding"] not in _UNSET
            or (says["text"] != "unset" and (autocrlf or _is_text(says)))
        )
    ]


def _is_text(says: dict[str, str]) -> bool:
    return says["text"] not in _UNSET or says["crlf"] not in _UNSET or says["eol"] not in _UNSET


def _attributes(git: Git, paths: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    given = os.fsencode("\0".join(paths))
    said = git.run("check-attr", "-z", "--stdin", *ATTRIBUTES, given=given) if given else b""
    words = os.fsdecode(said).split("\0")
    size = 3 * len(ATTRIBUTES)
    for at in range(0, len(words) - size + 1, size):
        row = words[at : at + size]
        yield row[0], dict(zip(row[1::3], row[2::3], strict=True))


def _as_on_disk(git: Git, paths: list[str], files: dict[str, File]) -> dict[str, File]:
    """Write the files whose bytes on disk differ into the repository; return their blobs.

    Files that changed meanwhile are left out: git would no longer store the blob in ``files``.
    """
    raw = hashes(git, paths, "--no-filters")
    other = [path for path, blob in raw.items() if blob != files[path].blob]
    now = hashes(git, other)
    same = [path for path, blob in now.items() if blob == files[path].blob]
    written = hashes(git, same, "-w", "--no-filters")
    return {p: File(files[p].mode, blob) for p, blob in written.items() if blob == raw[p]}


def hashes(git: Git, paths: list[str], *options: str) -> dict[str, str]:
    """Return the blobs of files on disk, without files that are gone. Raises ``GitError``."""
    for turn in range(_TRIES):
        there = [p for p in paths if os.path.isfile(os.path.join(git.directory, p))]
        if not there:
            return {}
        given = b"".join(_quoted(path) + b"\n" for path in there)
        try:
            said = git.run("hash-object", "--stdin-paths", *options, given=given)
        except GitError:
            if turn == _TRIES - 1:
                raise
            continue
        return dict(zip(there, said.decode().split("\n"), strict=False))
    raise AssertionError("the last try returns or raises")


def _quoted(path: str) -> bytes:
    """Return a path quoted as git reads it from a line (git, quote.c)."""
    raw = os.fsencode(path)
    if not (raw.startswith(b'"') or b"\n" in raw):
        return raw
    special = {ord('"'): b'\\"', ord("\\"): b"\\\\"}
    parts = (special.get(n, b"\\%03o" % n if n < 32 else bytes([n])) for n in raw)
    return b'"' + b"".join(parts) + b'"'


def write_as_stored(git: Git, paths: list[str]) -> None:
    """Write the exact bytes of the blobs to files of the index of ``git``, where they differ.

    Files of a filter stay as the filter wrote them. Raises ``GitError`` or ``OSError``.
    """
    wanted = set(paths)
    every = listed_files(git.run("ls-files", "--stage", "-z"))
    files = {path: file for path, file in every if path in wanted}
    there = list(_on_disk(git, files))
    found = hashes(git, there, "--no-filters")
    other = [path for path, blob in found.items() if blob != files[path].blob]
    for path, says in _attributes(git, other):
        if says["filter"] in _UNSET:
            content = git.run("cat-file", "blob", files[path].blob)
            full = os.path.join(git.directory, path)
            with open(os.open(full, os.O_WRONLY | os.O_NOFOLLOW | os.O_TRUNC), "wb") as file:
                file.write(content)
