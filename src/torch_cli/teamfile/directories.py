"""Where the members of a team work, by what its file says: names only, nothing is looked at."""

import re

from torch_cli.teamfile.described import Member, Team


def directory_of(team: Team, member: Member) -> str:
    """Return where ``member`` works; a worktree is beside the project, whether it is there."""
    if not member.worktree:
        return member.directory
    return worktree_path(team.root, member.worktree)


def worktree_path(root: str, branch: str) -> str:
    """Return where the worktree of ``branch`` stands: beside the project at ``root``."""
    slug = re.sub(r"[^\w.-]+", "-", branch).strip("-.")
    return f"{root}-{slug or 'worktree'}"


_NO_BRANCH = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|(?:^|/)\.|\.lock(?:/|$)|^[-/]|[./]$|^HEAD$"
)


def is_branch(name: str) -> bool:
    """Say whether a branch can be called so, by the rules of ``git check-ref-format``."""
    return bool(name) and not _NO_BRANCH.search(name)
