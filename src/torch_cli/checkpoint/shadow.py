"""Repositories that Torch keeps beside its state, for directories outside of any repository."""

import os
import shutil
import tempfile

from torch_cli.errors import NotFoundError, RefusedError, TorchError
from torch_cli.git.command import Git, NotARepositoryError
from torch_cli.git.worktree import Worktree, locate, shadow_dir, shadow_of
from torch_cli.paths import make_private

IGNORED = (
    *("node_modules/", ".venv/", "venv/", "__pycache__/", ".mypy_cache/", ".pytest_cache/"),
    *(".ruff_cache/", ".tox/", "target/", ".gradle/", ".next/", ".cache/", "*.pyc", ".DS_Store"),
)
"""What a shadow leaves out, beside the files in the directory's own .gitignore."""


def make_shadow(directory: str) -> Worktree:
    """Make the repository for checkpoints of ``directory``. Nothing in the directory is touched.

    Raises ``RefusedError`` if it is in a repository or already has a shadow, ``NotFoundError`` if
    there is no such directory.
    """
    path = os.path.realpath(directory)
    if not os.path.isdir(path):
        raise NotFoundError(f"no directory {directory}", code="no-directory")
    if path in (os.path.realpath(os.path.expanduser("~")), "/"):
        raise RefusedError(
            f"{path} is not a project's directory: each checkpoint would read all of it",
            code="refused",
        )
    try:
        found = locate(path)
    except NotARepositoryError:
        found = None
    if found is not None:
        what = "already has a shadow" if found.shadow else "is already in the repository"
        raise RefusedError(f"{path} {what}: {found.top}", code="repository")
    target = shadow_dir(path)
    try:
        make_private(os.path.dirname(target))
        fresh = tempfile.mkdtemp(prefix="new-", dir=os.path.dirname(target))
        try:
            Git(fresh).run("init", "--quiet", "--bare", "--shared=0600", "--template=", fresh)
            _configure(fresh)
            os.rename(fresh, target)  # whole or not at all
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise TorchError(
            f"no repository could be made for {path} at {target}: {error.strerror}",
            hint="Check that the state directory is writable and not full, or set TORCH_HOME.",
            code="store",
        ) from error
    shadow = shadow_of(path)
    assert shadow is not None
    return shadow


def _configure(repository: str) -> None:
    make_private(os.path.join(repository, "info"))
    exclude = os.open(
        os.path.join(repository, "info", "exclude"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600
    )
    with open(exclude, "w", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in IGNORED))
    Git(repository).run("config", "core.bare", "false")
