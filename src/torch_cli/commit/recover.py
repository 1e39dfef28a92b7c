"""What a person can go back to: commits, checkpoints, stashes, and the reflog."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from torch_cli.checkpoint.record import checkpoints
from torch_cli.checkpoint.settings import Settings
from torch_cli.checkpoint.snapshot import snapshot
from torch_cli.errors import NotFoundError, TorchError
from torch_cli.git.command import KEPT_VARIABLES
from torch_cli.git.counts import Counts, count
from torch_cli.git.worktree import Worktree, locked

if TYPE_CHECKING:
    from git import Commit, Repo

COMMITS, CHECKPOINTS, STASHES, MOVES = 5, 10, 10, 10
"""How many of each are listed."""

SHA1 = 40
"""Digits of an object's name in a repository without SHA-256."""


class Item(NamedTuple):
    """An item to go back to; ``name`` is the name to choose it by.

    ``kind`` is ``commit``, ``checkpoint``, ``stash`` or ``reflog``. ``at`` is seconds since the
    epoch. ``effect`` is what going back would change in the present worktree. ``exact`` says that
    the tree has the files as they were on disk.
    """

    name: str
    kind: str
    at: float
    words: str
    tree: str
    effect: Counts = Counts()
    exact: bool = False


def items(worktree: Worktree, settings: Settings) -> list[Item]:
    """Return the items to go back to, each kind with the newest first.

    From the reflog only commits that are not listed already. Items that would change nothing are
    left out. In a repository with SHA-256 names there are only checkpoints, because GitPython 3.1
    cannot read such a history.
    """
    with locked(worktree) as lock:
        now = snapshot(worktree, settings, lock)
    readable = not worktree.shadow and len(now.tree) == SHA1
    found = list(_history(worktree)) if readable else []
    saved = [
        Item(
            *(one.id, "checkpoint", one.at, _words(one.agent, one.reason, one.note), one.tree),
            exact=one.exact,
        )
        for one in reversed(checkpoints(worktree)[-CHECKPOINTS:])
    ]
    order = ("commit", "checkpoint", "stash", "reflog")
    every = sorted([*found, *saved], key=lambda item: order.index(item.kind))
    git = worktree.git()
    seen = {(now.tree, True), (now.stored, False)}
    shown = []
    for item in every:
        if (item.tree, item.exact) in seen:
            continue
        seen.add((item.tree, item.exact))
        there = now.tree if item.exact else now.stored
        shown.append(item._replace(effect=count(git, there, item.tree)))
    return shown


def find_item(found: list[Item], name: str) -> Item:
    """Return the item that ``name`` chooses: its number in the list from 1, or its name."""
    if name.isdecimal() and 1 <= int(name) <= len(found):
        return found[int(name) - 1]
    for item in found:
        if item.name == name:
            return item
    raise NotFoundError(
        f"'{name}' is not in the list of 'torch recover'; nothing was changed",
        hint="'torch recover' shows the list.",
        code="no-item",
    )


def _words(agent: str, reason: str, note: str) -> str:
    said = note.partition("\n")[0]
    return f"{reason}{f' of {agent}' if agent else ''}{f': {said}' if said else ''}"


def _history(worktree: Worktree) -> Iterator[Item]:
    """Yield the last commits, the stashes, and the places where HEAD was."""
    from git import GitCommandError, SymbolicReference
    from git.exc import InvalidGitRepositoryError, ODBError

    try:
        with _opened(worktree) as repo:
            if repo.head.is_valid():
                for commit in repo.iter_commits("HEAD", max_count=COMMITS):
                    yield _item(commit.hexsha[:10], "commit", commit, str(commit.summary))
            stash = SymbolicReference(repo, "refs/stash")
            stashed = list(reversed(stash.log())) if stash.is_valid() else []
            for n, entry in enumerate(stashed[:STASHES]):
                if saved := _commit(repo, entry.newhexsha):
                    yield _item(f"stash@{{{n}}}", "stash", saved, entry.message)
            moves = list(reversed(repo.head.log())) if repo.head.is_valid() else []
            for n, entry in enumerate(moves[:MOVES]):
                if was := _commit(repo, entry.newhexsha):
                    yield _item(f"HEAD@{{{n}}}", "reflog", was, entry.message)
    except (GitCommandError, InvalidGitRepositoryError, ODBError, ValueError, OSError) as error:
        raise TorchError(f"the history of {worktree.top} cannot be read: {error}") from error


def _commit(repo: "Repo", name: str) -> "Commit | None":
    """Return that commit; ``None`` if ``git gc`` has deleted it, which a reflog does not notice."""
    from git.exc import ODBError

    try:
        return repo.commit(name)
    except (ODBError, ValueError):
        return None


def _item(name: str, kind: str, commit: "Commit", words: str) -> Item:
    return Item(name, kind, float(commit.committed_date), words, commit.tree.hexsha)


@contextmanager
def _opened(worktree: Worktree) -> "Iterator[Repo]":
    """Open the repository in the block, with an environment that names no other repository."""
    hidden = {
        n: v for n, v in os.environ.items() if n.startswith("GIT_") and n not in KEPT_VARIABLES
    }
    for name in hidden:
        del os.environ[name]
    try:
        from git import Repo

        with Repo(worktree.top) as repo:
            yield repo
    finally:
        os.environ.update(hidden)
