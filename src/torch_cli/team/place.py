"""Where a member of a team works: its directory, or a git worktree beside the project."""

import os
import re
from pathlib import Path

from torch_cli.errors import RefusedError, TorchError
from torch_cli.git.command import Git, GitError
from torch_cli.git.filters import guarded
from torch_cli.git.worktree import locate
from torch_cli.store import Store
from torch_cli.store.teams import Started
from torch_cli.team.described import Member, Team

MADE = "torch-worktree"
"""The file in a linked worktree's own git directory that says that Torch made it."""


def directory_of(team: Team, member: Member) -> str:
    """Return where ``member`` works; a worktree stands beside the project, whether it is there."""
    if not member.worktree:
        return member.directory
    return worktree_path(team.root, member.worktree)


def worktree_path(root: str, branch: str) -> str:
    """Return where the worktree of ``branch`` stands: beside the project at ``root``."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", branch).strip("-.")
    return f"{root}-{slug or 'worktree'}"


_NO_BRANCH = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|(?:^|/)\.|\.lock(?:/|$)|^[-/]|[./]$|^HEAD$"
)


def is_branch(name: str) -> bool:
    """Say whether a branch can be called so, by the rules of ``git check-ref-format``."""
    return bool(name) and not _NO_BRANCH.search(name)


def make_worktree(root: str, branch: str, name: str) -> bool:
    """Make the git worktree of ``branch`` for ``name`` if it is not there; return whether it was.

    Its branch is made from the current commit unless there is one of that name. Raises
    ``RefusedError`` if something else stands there.
    """
    path = worktree_path(root, branch)
    git = Git(root, visible=True)
    if os.path.lexists(path):
        _check_own(root, name, path)
        return False
    known = git.run("for-each-ref", f"refs/heads/{branch}").strip()
    words = [branch] if known else []
    make = [] if known else ["-b", branch]
    try:
        git.run("worktree", "prune")
        git.run("worktree", "add", "--quiet", *make, "--", path, *words)
    except GitError as error:
        raise TorchError(
            f"no worktree of the branch '{branch}' could be made at {path}: "
            f"{error.said or error.message}; '{name}' was not started",
            code="worktree",
        ) from error
    (Path(locate(path).git_dir) / MADE).touch()
    return True


def remove_worktree(store: Store, member: Started) -> str:
    """Remove a worktree that Torch made for the member if it is clean and merged; say what is so.

    The member has ended. What git ignores in it goes with it. It stays while anybody else is in it.
    """
    path, root = member.directory, os.path.dirname(member.team)
    if not path.startswith(f"{root}-") or not os.path.isdir(path):
        return ""
    try:
        worktree = locate(path)
        if worktree.top != os.path.realpath(path) or not os.path.exists(
            os.path.join(worktree.git_dir, MADE)
        ):
            return ""  # somebody else's
        if others := _in_it(store, worktree.top):
            return f"the worktree {path} stays: still used by {', '.join(others)}"
        git = guarded(worktree)
        changed = git.run("status", "--porcelain", "-z", "--untracked-files=all")
        merged = not Git(root).run("rev-list", "-n1", git.text("rev-parse", "HEAD"), "^HEAD")
        if changed or not merged:
            why = "has changes" if changed else "is not merged"
            return f"the worktree {path} stays: it {why}"
        Git(root, visible=True, settings=git.settings).run("worktree", "remove", "--", path)
    except TorchError as error:
        return f"the worktree {path} stays: {error.message}"
    return f"the worktree {path} was removed: all of it is merged"


def _in_it(store: Store, top: str) -> list[str]:
    """Return the names of the agents, and of what teams have started, that work in a worktree."""
    places = [(agent.name, agent.directory) for agent in store.agents.all()]
    for team in store.teams.paths():
        places += [(one.name, one.directory) for one in store.teams.members(team).values()]
    found = (name for name, place in places if f"{os.path.realpath(place)}/".startswith(f"{top}/"))
    return sorted(set(found))


def _check_own(root: str, name: str, path: str) -> None:
    """Raise ``RefusedError`` unless ``path`` is a worktree of the project's repository."""
    try:
        found, project = locate(path), locate(root)
    except TorchError as error:
        raise _not_ours(name, path) from error
    if found.common_dir != project.common_dir or found.top != os.path.realpath(path):
        raise _not_ours(name, path)


def _not_ours(name: str, path: str) -> RefusedError:
    return RefusedError(
        f"{path} is there already, and is no worktree of this project; '{name}' was not started",
        code="worktree",
    )
