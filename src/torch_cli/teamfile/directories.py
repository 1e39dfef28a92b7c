"""The directories of a team's members, worked out from the file alone, without looking at disk."""

import re

from torch_cli.teamfile.described import Member, Team


def directory_of(team: Team, member: Member) -> str:
    """Return where ``member`` works. Its worktree is beside the project and may not exist yet."""
    if not member.worktree:
        return member.directory
    return worktree_path(team.root, member.worktree)


def worktree_path(root: str, branch: str) -> str:
    """Return the directory for the worktree of ``branch``: beside the project at ``root``."""
    slug = re.sub(r"[^\w.-]+", "-", branch).strip("-.")
    return f"{root}-{slug or 'worktree'}"


_NO_BRANCH = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|(?:^|/)\.|\.lock(?:/|$)|^[-/]|[./]$|^HEAD$"
)


def is_branch(name: str) -> bool:
    """Return whether ``name`` can be a branch, by the rules of ``git check-ref-format``."""
    return bool(name) and not _NO_BRANCH.search(name)
