"""A tree of a worktree's files, made with a copy of the index. Index and HEAD stay as they are."""

import contextlib
import os
import re
from collections.abc import Callable
from hashlib import sha1
from typing import NamedTuple

from torch_cli.checkpoint.exact import exact_tree, may_differ
from torch_cli.checkpoint.scan import STATUS, Head, LeftOut, head_of, scan
from torch_cli.checkpoint.settings import Settings
from torch_cli.errors import TorchError
from torch_cli.git.command import Git, GitError
from torch_cli.git.counts import DIFFERENCE, Counts, counts_of, empty_tree
from torch_cli.git.filters import (
    Configuration,
    ask_configuration,
    configuration_of,
    may_have_filters,
)
from torch_cli.git.worktree import Worktree
from torch_cli.regular import open_regular

_LINK_MODE = b"\0\0\xe0\0"
"""The mode of a submodule, 160000, in an entry of the index (git, index-format.txt)."""

_LINK = re.compile(rb"(?:^|\0)160000 [0-9a-f]+ [0-3]\t([^\0]+)")


LIST_FLAGS = ("ls-files", "-v", "-z")
"""Git's list of the index, with a letter for files that git was told not to look at."""

_HIDDEN = re.compile(rb"(?<![^\0])[a-zS] [^\0]+")

_ENCODING = ("failed to encode", "and back is not the same", "BOM is ", "would be replaced by")
"""Git's messages about a file that is not in the encoding of its attributes (convert.c), and about
line ends under ``core.safecrlf``."""


class Snapshot(NamedTuple):
    """``tree`` is the id of the tree, ``nested`` are the worktrees below, which are not in it.

    ``stored`` is the tree as git would make it, with text as its attributes say. ``counts`` is how
    the tree differs from the last checkpoint, or ``stored`` from HEAD if there is none.
    """

    tree: str
    stored: str
    head: Head
    counts: Counts
    left_out: list[LeftOut]
    nested: list[str]
    configuration: Configuration


def snapshot(
    worktree: Worktree, settings: Settings, lock: int, last_tree: Callable[[], str] = str
) -> Snapshot:
    """Return a tree of the files on disk, without those that must not be kept.

    ``last_tree`` returns the tree of the last checkpoint, '' if there is none. The caller holds the
    worktree's lock, whose file is ``lock``. Raises the ``TorchError`` of the first step that fails;
    nothing is recorded then.
    """
    try:
        return _snapshot(worktree, settings, lock, last_tree)
    except GitError as error:
        # A file changed while git read it. Trying again helps only against that.
        if "file changed" not in error.said and "short read" not in error.said:
            raise
        return _snapshot(worktree, settings, lock, last_tree)


def _snapshot(
    worktree: Worktree, settings: Settings, lock: int, last_tree: Callable[[], str]
) -> Snapshot:
    index = os.path.join(worktree.place, "index")
    try:
        content = _copy_index(worktree, index)
        git = worktree.git(index_file=index, lock=lock)
        configuration, status = _look(worktree, git, content)
        git = git._replace(settings=configuration.settings)
        listed = git.run("ls-files", "--stage", "-z") if _LINK_MODE in content else b""
        links = [os.fsdecode(path) for path in _LINK.findall(listed)]
        found = scan(git, status, links, settings, configuration, lambda: _paths(git, last_tree()))
        if found.lines:
            _feed(git, "--index-info", given=found.lines)
        odd = _add(git, found.take) if found.take else []
        head = head_of(status)
        left_out = [*found.left_out, *odd]
        last = last_tree()
        stored, counts = _written(git, last or head.commit)
        tree = stored
        if may_differ(worktree, content, status, configuration):
            paths = {one.path for one in left_out}
            tree = exact_tree(worktree, git, stored, paths, autocrlf=configuration.autocrlf)
            if last and tree != stored:
                _, counts = _written(git, last)
        nested = [os.path.join(worktree.top, path) for path in found.nested]
        return Snapshot(tree, stored, head, counts, left_out, nested, configuration)
    finally:
        for name in (index, f"{index}.lock"):
            with contextlib.suppress(OSError):
                os.unlink(name)


def _written(git: Git, before: str) -> tuple[str, Counts]:
    """Return the tree of the index, and how it differs from the tree or commit ``before``."""
    with git.start("diff-index", "--cached", *DIFFERENCE, before or empty_tree(git)) as compared:
        return git.text("write-tree"), counts_of(compared.result())


def _look(worktree: Worktree, git: Git, index: bytes) -> tuple[Configuration, bytes]:
    """Return git's configuration, and its status with the files it was told not to look at.

    ``index`` is the content of the copied index.
    """
    if may_hide(index):
        _look_everywhere(git)
    with ask_configuration(git) as asked:
        if may_have_filters(worktree):
            configuration = configuration_of(worktree, asked)
            return configuration, git._replace(settings=configuration.settings).run(*STATUS)
        with git.start(*STATUS) as running:
            return configuration_of(worktree, asked), running.result()


def may_hide(index: bytes) -> bool:
    """Return whether git may have been told not to look at a file of the index.

    In version 2 an entry has 60 bytes, two of flags with ``assume-valid`` as the highest bit and
    the path's length as the last twelve, and the path, padded with NUL to a multiple of eight;
    ``skip-worktree`` needs version 3. It ends with its SHA-1, else names are longer (git,
    index-format.txt). 20,000 entries take 5 ms, and asking git for them three times that.
    """
    if (
        index[4:8] != b"\0\0\0\2"
        or sha1(index[:-20], usedforsecurity=False).digest() != index[-20:]
    ):
        return bool(index)
    at = 12
    for _ in range(int.from_bytes(index[8:12], "big")):
        high, low = index[at + 60 : at + 62]
        length = (high & 15) << 8 | low
        if high & 0x80 or length == 4095:  # or longer than that
            return True
        at += (62 + length + 8) // 8 * 8
    return False


def _look_everywhere(git: Git) -> None:
    """Have git look at files that it was told not to look at, in the copied index.

    ``assume-unchanged`` shows as a small letter, ``skip-worktree`` as ``S`` (git-ls-files). Files
    that a sparse checkout has not written are not gone.
    """
    hidden = [os.fsdecode(line) for line in _HIDDEN.findall(git.run(*LIST_FLAGS))]
    assumed = [line[2:] for line in hidden if line[0].islower()]
    skipped = [line[2:] for line in hidden if line[0] in "Ss"]
    if skipped:
        asked = git.run("config", "--type=bool", "--get", "core.sparseCheckout", status=(0, 1))
        if asked.strip() == b"true":
            top = git.directory
            skipped = [path for path in skipped if os.path.lexists(os.path.join(top, path))]
    for option, paths in (("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)):
        if paths:
            _feed(git, option, "--stdin", given=paths)


def _add(git: Git, paths: list[str]) -> list[LeftOut]:
    """Put files into the index; return those that are not in the encoding of their attributes.

    If git fails at one of ``paths`` it adds none, so that one is searched for.
    """
    try:
        _feed(git, "--add", "--remove", "--replace", "--stdin", given=paths)
    except GitError as error:
        if not any(words in error.said for words in _ENCODING):
            raise
        if len(paths) == 1:
            said = error.said.partition("\n")[0].partition(": ")[2] or error.said
            why = f"git cannot store it as its attributes say: {said}"
            return [LeftOut(paths[0], "encoding", why)]
        half = len(paths) // 2
        return [*_add(git, paths[:half]), *_add(git, paths[half:])]
    return []


def _copy_index(worktree: Worktree, target: str) -> bytes:
    """Copy the index with its time, by which git finds files that changed just when it was written.

    Returns its content, empty if there is no index yet.
    """
    for old in (target, f"{target}.lock"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(old)
    try:
        with open_regular(os.path.join(worktree.git_dir, "index")) as source:
            content, facts = source.read(), os.fstat(source.fileno())
        with open(target, "xb") as copy:
            copy.write(content)
        os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        return content
    except FileNotFoundError:
        return b""  # nothing was ever added
    except OSError as error:
        raise TorchError(
            f"could not copy the index of {worktree.top} to {target}: {error.strerror}; nothing "
            "was recorded",
            hint="Check that the state directory is writable and not full, or set TORCH_HOME.",
            code="store",
        ) from error


def _paths(git: Git, tree: str) -> set[str]:
    if not tree:
        return set()
    return set(os.fsdecode(git.run("ls-tree", "-r", "-z", "--name-only", tree)).split("\0"))


def _feed(git: Git, *options: str, given: list[str]) -> None:
    lines = os.fsencode("\0".join([*given, ""]))
    git.run("update-index", "-z", *options, given=lines)
