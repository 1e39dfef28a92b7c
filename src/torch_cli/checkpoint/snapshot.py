"""A tree of what a worktree holds, made beside its index: neither it nor HEAD is touched."""

import contextlib
import os
import re
from collections.abc import Callable
from typing import NamedTuple

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
"""The mode of a submodule, 160000, as an entry of the index has it (git, index-format.txt)."""

_LINK = re.compile(rb"(?:^|\0)160000 [0-9a-f]+ [0-3]\t([^\0]+)")


FLAGS = ("ls-files", "-v", "-z")
"""Git's list of the index, with a letter for what it was told not to look at."""

_ENCODING = ("failed to encode", "and back is not the same", "BOM is ", "would be replaced by")
"""What git says of a file that is not in the encoding of its attributes (convert.c), and of line
ends under ``core.safecrlf``."""


class Snapshot(NamedTuple):
    """``tree`` is the id of the tree, ``nested`` are the worktrees below, which are not in it.

    ``counts`` is how it differs from the last checkpoint, or from HEAD if there is none.
    """

    tree: str
    head: Head
    counts: Counts
    left_out: list[LeftOut]
    nested: list[str]
    configuration: Configuration


def snapshot(
    worktree: Worktree, settings: Settings, lock: int, last_tree: Callable[[], str] = str
) -> Snapshot:
    """Return a tree of what is on disk, without what must not be kept.

    ``last_tree`` returns that of the last checkpoint, '' if there is none. The lock of the worktree
    is held, its file is ``lock``. Raises ``TorchError`` of the first step that fails; nothing is
    recorded then.
    """
    try:
        return _snapshot(worktree, settings, lock, last_tree)
    except GitError as error:
        # A file that somebody is writing changes while git reads it. Nothing else passes by itself.
        if "file changed" not in error.said and "short read" not in error.said:
            raise
        return _snapshot(worktree, settings, lock, last_tree)


def _snapshot(
    worktree: Worktree, settings: Settings, lock: int, last_tree: Callable[[], str]
) -> Snapshot:
    index = os.path.join(worktree.place, "index")
    try:
        has_links = _copy_index(worktree, index)
        git = worktree.git(index_file=index, lock=lock)
        _look_everywhere(git)
        configuration, status = _look(worktree, git)
        git = git._replace(settings=configuration.settings)
        listed = git.run("ls-files", "--stage", "-z") if has_links else b""
        links = [os.fsdecode(path) for path in _LINK.findall(listed)]
        found = scan(git, status, links, settings, configuration, lambda: _paths(git, last_tree()))
        if found.lines:
            _feed(git, "--index-info", given=found.lines)
        odd = _add(git, found.take) if found.take else []
        head = head_of(status)
        before = last_tree() or head.commit or empty_tree(git)
        with git.start("diff-index", "--cached", *DIFFERENCE, before) as compared:
            tree = git.text("write-tree")
            counts = counts_of(compared.result())
        nested = [os.path.join(worktree.top, path) for path in found.nested]
        return Snapshot(tree, head, counts, [*found.left_out, *odd], nested, configuration)
    finally:
        for name in (index, f"{index}.lock"):
            with contextlib.suppress(OSError):
                os.unlink(name)


def _look(worktree: Worktree, git: Git) -> tuple[Configuration, bytes]:
    """Return git's configuration and status, asked for side by side if no filter can run."""
    with ask_configuration(git) as asked:
        if may_have_filters(worktree):
            configuration = configuration_of(worktree, asked)
            return configuration, git._replace(settings=configuration.settings).run(*STATUS)
        with git.start(*STATUS) as running:
            return configuration_of(worktree, asked), running.result()


def _look_everywhere(git: Git) -> None:
    """Have git look at files that it was told not to look at, in the copied index.

    ``assume-unchanged`` shows as a small letter, ``skip-worktree`` as ``S`` (git-ls-files). What a
    sparse checkout has not written is not gone.
    """
    rows = [line.split(" ", 1) for line in os.fsdecode(git.run(*FLAGS)).split("\0") if line]
    assumed = [path for letter, path in rows if letter.islower()]
    skipped = [path for letter, path in rows if letter in "Ss"]
    if skipped:
        asked = git.run("config", "--type=bool", "--get", "core.sparseCheckout", status=(0, 1))
        if asked.strip() == b"true":
            top = git.directory
            skipped = [path for path in skipped if os.path.lexists(os.path.join(top, path))]
    for option, paths in (("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)):
        if paths:
            _feed(git, option, "--stdin", given=paths)


def _add(git: Git, paths: list[str]) -> list[LeftOut]:
    """Put files as they are into the index; return those that git cannot put into their encoding.

    Git puts none of ``paths`` in if it fails at one, so that one is looked for.
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


def _copy_index(worktree: Worktree, target: str) -> bool:
    """Copy the index with its time: what changed in the moment it was written is found by it.

    Returns whether it may have submodules.
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
        return _LINK_MODE in content
    except FileNotFoundError:
        return False  # nothing was ever added
    except OSError as error:
        raise TorchError(
            f"the index of {worktree.top} could not be copied to {target}: {error.strerror}; "
            "nothing was recorded",
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
