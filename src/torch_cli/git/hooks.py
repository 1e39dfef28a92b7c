"""Hooks that git runs when it makes a worktree: programs of the repository that need consent.

Hooks in a directory outside of the repository that the user's own configuration names always run.
Hooks that ``torch checkpoint trust`` has shown run as long as they do not change.
"""

import hashlib
import os
from typing import NamedTuple

from torch_cli.git.filters import OF_REPOSITORY, is_trusted
from torch_cli.git.worktree import Worktree

OF_WORKTREES = ("post-checkout", "post-index-change", "reference-transaction")
"""The hooks that ``git worktree add`` runs (githooks(5))."""


class GitHooks(NamedTuple):
    """The existing hooks: the path of each by the name under which it is trusted.

    ``directory`` is where they are. ``run`` says whether they run.
    """

    directory: str
    found: dict[str, str]
    run: bool


def read_hooks(worktree: Worktree) -> GitHooks:
    """Return the hooks that git would run when it makes a worktree, and whether it may."""
    scope, directory = _directory(worktree)
    found = {}
    for name in OF_WORKTREES:
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            found[f"hook.{name}"] = path
    own = scope not in OF_REPOSITORY and not _is_inside(directory, worktree)
    return GitHooks(
        directory, found, bool(found) and (own or is_trusted(worktree, contents(found)))
    )


def contents(found: dict[str, str]) -> dict[str, str]:
    """Return what is trusted: the place of each hook, and a digest of its content."""
    return {name: f"{path} {_sum(path)}" for name, path in found.items()}


def _sum(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _directory(worktree: Worktree) -> tuple[str, str]:
    """Return the scope of the setting that names the directory of the hooks, and the directory."""
    asked = ("config", "-z", "--show-scope", "--type=path", "--get-all", "core.hooksPath")
    words = os.fsdecode(worktree.git().run(*asked, status=(0, 1))).split("\0")
    named = [pair for pair in zip(words[::2], words[1::2], strict=False) if pair[0] != "command"]
    scope, directory = named[-1] if named else ("local", os.path.join(worktree.common_dir, "hooks"))
    return scope, os.path.realpath(os.path.join(worktree.top, directory))


def _is_inside(directory: str, worktree: Worktree) -> bool:
    tops = (worktree.top, worktree.common_dir)
    return any(f"{directory}/".startswith(f"{os.path.realpath(top)}/") for top in tops)
