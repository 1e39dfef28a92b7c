"""Obstacles to a commit on the branch, or to a new branch."""

import os

from torch_cli.checkpoint.scan import Head
from torch_cli.errors import HeldError
from torch_cli.git.command import Git
from torch_cli.git.worktree import Worktree

IN_PROGRESS = {
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase, or 'git am'",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisection",
    "sequencer": "a cherry-pick or revert of several commits",
}
"""Files of the git directory, and what they mean (wt-status.c, wt_status_get_state)."""


def read_head(git: Git) -> Head:
    """Return what is checked out."""
    branch = os.fsdecode(git.run("symbolic-ref", "-q", "HEAD", status=(0, 1))).strip()
    commit = git.run("rev-parse", "-q", "--verify", "HEAD^{commit}", status=(0, 1))
    return Head(commit.decode().strip(), branch.removeprefix("refs/heads/"))


def check_quiet(worktree: Worktree, git: Git, nothing: str) -> None:
    """Raise ``HeldError`` if a merge or similar is in progress, or the index is locked or has
    conflicts.

    ``nothing`` says what was not done.
    """
    for name, what in IN_PROGRESS.items():
        if os.path.lexists(os.path.join(worktree.git_dir, name)):
            raise HeldError(
                f"{what} is in progress in {worktree.top}; {nothing}",
                hint="Finish or abort it first: 'git status' says how.",
                code="in-progress",
            )
    lock = os.path.join(worktree.git_dir, "index.lock")
    if os.path.lexists(lock):
        raise HeldError(
            f"{lock} exists: another git is working, or was killed; {nothing}",
            hint="Try again when it has ended. If no git is running, remove that file.",
            code="index-locked",
        )
    if git.run("ls-files", "--unmerged", "-z"):
        raise HeldError(
            f"files in {worktree.top} have conflicts; {nothing}",
            hint="Resolve them first: 'git status' names them.",
            code="conflicts",
        )
