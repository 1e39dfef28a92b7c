"""Which worktree a directory is in, the names of its checkpoints, and the lock for making one."""

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from torch_cli.errors import HeldError, NotFoundError, RefusedError
from torch_cli.flock import hold, open_lock
from torch_cli.git.command import Git, NotARepositoryError
from torch_cli.paths import state_dir

REFS = "refs/torch/checkpoints"
"""Where checkpoints are: ``REFS/WORKTREE/MILLISECONDS-ID``. Git does not push or clone these."""

WORKTREE_LOCK_SECONDS = 60.0
"""Seconds to wait for another checkpoint of the same worktree."""


class Worktree(NamedTuple):
    """A worktree: its top directory, its git directory and the one that all worktrees share.

    ``name`` is its name in refs: ``main``, or ``linked-`` and git's own name of a linked worktree,
    which stays when the worktree is moved. ``shadow`` says that Torch keeps the repository beside
    its state.
    """

    top: str
    git_dir: str
    common_dir: str
    name: str
    shadow: bool = False

    @property
    def refs(self) -> str:
        """The prefix of the names of its checkpoints."""
        return f"{REFS}/{self.name}/"

    @property
    def place(self) -> str:
        """Torch's own directory for this worktree: the lock, and the index of a checkpoint."""
        return _place(self.git_dir)

    @property
    def shared_place(self) -> str:
        """Torch's own directory for the repository, the same for all its worktrees."""
        return _place(self.common_dir)

    def git(self, **options: object) -> Git:
        """Return how git is run here."""
        return Git(self.top, self.git_dir if self.shadow else "", **options)  # type: ignore[arg-type]


def _place(git_dir: str) -> str:
    key = hashlib.sha256(os.fsencode(git_dir)).hexdigest()[:16]
    return os.path.join(state_dir(), "checkpoints", key)


def locate(directory: str) -> Worktree:
    """Return the worktree that ``directory`` is in.

    Raises ``NotFoundError`` if there is no such directory, ``NotARepositoryError`` if it is not in
    a repository and has no shadow, ``RefusedError`` if the repository has no worktree, belongs to
    another user, or says that another directory is its worktree.
    """
    path = os.path.realpath(directory)
    if not os.path.isdir(path):
        raise NotFoundError(f"no directory {directory}", code="no-directory")
    git = Git(path)
    try:
        top, git_dir, common = _ask(git, "--show-toplevel", "--git-dir", "--git-common-dir")
    except NotARepositoryError:
        shadow = shadow_of(path)
        if shadow is None:
            raise
        return shadow
    git_dir = os.path.realpath(os.path.join(path, git_dir))
    common = os.path.realpath(os.path.join(path, common))
    if _git_dir_at(top) != git_dir:
        raise RefusedError(
            f"the repository {git_dir} names {top} as its worktree, but {top} does not lead "
            "back to it; nothing was done",
            hint="Its setting core.worktree names that directory.",
            code="redirected",
        )
    return Worktree(top, git_dir, common, _name(git_dir, common))


def _git_dir_at(top: str) -> str:
    """Return the git directory that ``.git`` in a directory is, or names; '' if there is none."""
    path = os.path.join(top, ".git")
    if os.path.isdir(path):
        return os.path.realpath(path)
    try:
        with open(path, "rb") as file:
            named = os.fsdecode(file.read(8192)).removeprefix("gitdir:").strip()
    except OSError:
        return ""
    return os.path.realpath(os.path.join(top, named))


def _ask(git: Git, *facts: str) -> list[str]:
    """Return facts of ``git rev-parse``. A directory's name may contain a newline."""
    lines = git.text("rev-parse", *facts).split("\n")
    return lines if len(lines) == len(facts) else [git.text("rev-parse", fact) for fact in facts]


def _name(git_dir: str, common: str) -> str:
    if git_dir == common:
        return "main"
    given = os.fsencode(os.path.basename(git_dir))
    safe = re.sub(rb"[^A-Za-z0-9_-]", lambda found: b"%%%02x" % found[0][0], given)
    return f"linked-{safe.decode()}"


def shadow_dir(path: str) -> str:
    """Return where a shadow of the directory ``path`` is kept, also if there is none."""
    key = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return os.path.join(state_dir(), "shadows", f"{key}.git")


def shadow_of(path: str) -> Worktree | None:
    """Return the shadow of the directory ``path``, or of one above it."""
    while True:
        kept = shadow_dir(path)
        if os.path.isdir(kept):
            kept = os.path.realpath(kept)
            return Worktree(path, kept, kept, "main", shadow=True)
        if path == os.path.dirname(path):
            return None
        path = os.path.dirname(path)


def top_of(directory: str) -> str | None:
    """Return the top of the worktree that ``directory`` is in. Looks only for ``.git``.

    It costs microseconds. Whether git accepts it shows when a checkpoint is made. ``None`` if it is
    not in a worktree and has no shadow.
    """
    path = os.path.realpath(directory)
    while not os.path.lexists(os.path.join(path, ".git")):
        if path == os.path.dirname(path):
            shadow = shadow_of(os.path.realpath(directory))
            return shadow.top if shadow else None
        path = os.path.dirname(path)
    return path


@contextlib.contextmanager
def locked(worktree: Worktree, patience: float = WORKTREE_LOCK_SECONDS) -> Iterator[int]:
    """Hold the right to make, restore or prune checkpoints of ``worktree``; yields the lock's file.

    Raises ``HeldError`` if another process has it for longer than ``patience`` seconds.
    """
    file = open_lock(os.path.join(worktree.place, "lock"), "nothing was recorded")
    try:
        if not hold(file, time.monotonic() + patience):
            raise HeldError(
                f"another process is making or restoring a checkpoint of {worktree.top}; "
                "nothing was done",
                hint="Try again when it has finished.",
                code="locked",
            )
        yield file
    finally:
        os.close(file)
