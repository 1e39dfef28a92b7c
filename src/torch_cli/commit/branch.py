"""A feature branch from the current commit, and tags of stable states."""

import time
from typing import NamedTuple

from torch_cli.checkpoint.audit import note_event
from torch_cli.checkpoint.scan import STATUS, entries
from torch_cli.commit.commit import COMMIT_SECONDS
from torch_cli.commit.obstacle import check_quiet, read_head
from torch_cli.errors import HeldError, RefusedError, TimedOutError, TorchError
from torch_cli.git.command import Git, GitError
from torch_cli.git.filters import guarded
from torch_cli.git.worktree import Worktree


class StartedBranch(NamedTuple):
    """A branch that was made and checked out; ``carried`` is how many changes came along."""

    branch: str
    before: str
    commit: str
    carried: int


class Tagged(NamedTuple):
    """A tag that was made; ``loose`` is how many changes are not in the commit it names."""

    tag: str
    commit: str
    loose: int


def start_branch(worktree: Worktree, name: str, *, clean: bool = False) -> StartedBranch:
    """Make the branch ``name`` from the current commit and switch to it; changes come along.

    With ``clean`` there must be no changes. Raises ``RefusedError`` for a name that git does not
    accept or that is taken, ``HeldError`` in the middle of a merge or similar, or with conflicts.
    """
    nothing = "no branch was made"
    _check_own(worktree, nothing)
    git = guarded(worktree)
    _check_name(git, name, f"refs/heads/{name}", nothing)
    check_quiet(worktree, git, nothing)
    if git.run("for-each-ref", f"refs/heads/{name}", f"refs/heads/{name}/"):
        raise RefusedError(
            f"branch '{name}', or one below it, already exists; {nothing}", code="branch-taken"
        )
    before = read_head(git)
    changes = len(list(entries(git.run(*STATUS))))
    if clean and changes:
        raise HeldError(
            f"{changes} paths in {worktree.top} have changes; {nothing}",
            hint="'torch commit' commits them; without --clean they come along.",
            code="dirty",
        )
    _visible(worktree, nothing, "switch", "--quiet", "--no-guess", "--create", name)
    note_event("branch", worktree, {"branch": name, "commit": before.commit})
    return StartedBranch(name, before.branch or before.commit[:10], before.commit, changes)


def tag_stable(worktree: Worktree, name: str, message: str, now: float) -> Tagged:
    """Make the annotated tag ``stable-NAME-YYYYMMDD-HHMMSS`` of the current commit.

    ``now`` is epoch seconds; the tag has the local time. Raises ``RefusedError`` for a name that
    git does not accept, and if there is no commit.
    """
    nothing = "no tag was made"
    _check_own(worktree, nothing)
    git = guarded(worktree)
    tag = f"stable-{name}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}"
    _check_name(git, name, f"refs/tags/{tag}", nothing)
    head = read_head(git)
    if not head.commit:
        raise RefusedError(f"{worktree.top} has no commit yet; {nothing}", code="no-commit")
    loose = len(list(entries(git.run(*STATUS))))
    words = message.strip() or f"Stable: {name}"
    _visible(worktree, nothing, "tag", "--annotate", f"--message={words}", tag, head.commit)
    note_event("tag", worktree, {"tag": tag, "commit": head.commit})
    return Tagged(tag, head.commit, loose)


def _check_own(worktree: Worktree, nothing: str) -> None:
    if worktree.shadow:
        raise RefusedError(
            f"{worktree.top} is not in a repository of yours; {nothing}", code="not-a-repository"
        )


def _check_name(git: Git, name: str, ref: str, nothing: str) -> None:
    bad = not name or name.startswith("-") or name == "HEAD"
    if bad or not _is_ref(git, ref):
        raise RefusedError(
            f"'{name}' is not a name that git takes; {nothing}",
            hint="Use letters, digits, - and /, without spaces, '..', '~', '^', "
            "':', '?', '*', '['.",
            code="bad-name",
        )


def _is_ref(git: Git, ref: str) -> bool:
    try:
        git.run("check-ref-format", ref)
    except GitError:
        return False
    return True


def _visible(worktree: Worktree, nothing: str, *words: str) -> None:
    try:
        Git(worktree.top, visible=True, timeout=COMMIT_SECONDS).run(*words)
    except TimedOutError as error:
        raise TimedOutError(
            f"hooks or signing took more than {COMMIT_SECONDS:g} s, and were ended",
            hint=f"Check with 'git status' and 'git tag' in {worktree.top} whether it was done.",
        ) from error
    except GitError as error:
        raise TorchError(
            f"git {words[0]} failed in {worktree.top}: {error.said or error.message}; {nothing}",
            code="refused-by-git",
        ) from error
