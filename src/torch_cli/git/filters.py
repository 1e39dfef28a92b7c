"""Filters that a repository's own configuration names: programs that git runs on its files.

Filters of the user's configuration always run. Everybody who works in a repository can write its
configuration. So a filter in there runs only if it is Git LFS's, or if the repository was trusted
with exactly these commands.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.git.command import Git, Running
from torch_cli.git.worktree import Worktree
from torch_cli.paths import make_private

LFS = re.compile(r"git[- ]lfs (?:(?:clean|smudge)(?: --skip)? -- %f|filter-process(?: --skip)?)")
"""What ``git lfs install --local`` writes (git-lfs, lfs/attribute.go)."""

OF_REPOSITORY = ("local", "worktree")
"""The scopes of ``git config --show-scope`` that are files in the repository."""

NO = ("", "false", "no", "off", "0")
"""The values that mean no, or nothing, in git's configuration (git-config(1), "boolean")."""

_ASKED = (
    r"^(filter\..*\.(clean|smudge|process)|user\.(name|email)|core\.(autocrlf|attributesfile))$"
)


class Configuration(NamedTuple):
    """What git's configuration says in a worktree.

    ``filters`` are the commands of the repository's own filters, ``untrusted`` the names of those
    that do not run. ``name`` and ``email`` are the user's, '' if there are none. ``autocrlf`` says
    that git changes line ends also without attributes. ``attributes`` says that the configuration
    names a file of attributes.
    """

    filters: dict[str, str]
    untrusted: frozenset[str]
    name: str
    email: str
    autocrlf: bool = False
    attributes: bool = False

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings with which git does not run the untrusted filters."""
        parts = ("clean=", "smudge=", "process=", "required=false")
        return tuple(f"filter.{name}.{part}" for name in sorted(self.untrusted) for part in parts)


def ask_configuration(git: Git) -> Running:
    """Ask git for its configuration; ``configuration_of`` reads the answer."""
    return git.start("config", "-z", "--show-scope", "--get-regexp", _ASKED)


def read_configuration(worktree: Worktree, git: Git) -> Configuration:
    """Return the configuration; raises ``RefusedError`` for a filter that cannot be disabled."""
    with ask_configuration(git) as asked:
        return configuration_of(worktree, asked)


def may_have_filters(worktree: Worktree) -> bool:
    """Say whether the repository's own configuration can name a filter, without asking git."""
    for name in (f"{worktree.common_dir}/config", f"{worktree.git_dir}/config.worktree"):
        try:
            with open(name, "rb") as file:
                text = file.read().lower()
        except FileNotFoundError:
            continue
        except OSError:
            return True
        if b"filter" in text or b"include" in text:
            return True
    return False


def configuration_of(worktree: Worktree, asked: Running) -> Configuration:
    """Read the answer; raises as ``read_configuration`` does."""
    said = asked.result(status=(0, 1))
    words = os.fsdecode(said).split("\0")
    known = dict.fromkeys(("user.name", "user.email", "core.autocrlf", "core.attributesfile"), "")
    filters: dict[str, str] = {}
    for scope, entry in zip(words[::2], words[1::2], strict=False):
        key, _, value = entry.partition("\n")
        if key in known:
            known[key] = value
        elif scope in OF_REPOSITORY and not LFS.fullmatch(value):
            filters[key] = value
    names = frozenset(key.removeprefix("filter.").rpartition(".")[0] for key in filters)
    for name in names:
        if "=" in name or "\n" in name:
            raise RefusedError(f"{worktree.top} has a filter named '{name}'", code="filter")
    trusted = bool(filters) and is_trusted(worktree, filters)
    untrusted = frozenset() if trusted else names
    return Configuration(
        filters,
        untrusted,
        known["user.name"],
        known["user.email"],
        autocrlf=known["core.autocrlf"].lower() not in NO,
        attributes=bool(known["core.attributesfile"]),
    )


def guarded(worktree: Worktree, *, lock: int = -1, index_file: str = "") -> Git:
    """Return how git is run for commands that read files: no untrusted filter runs."""
    git = worktree.git(lock=lock, index_file=index_file)
    return git._replace(settings=read_configuration(worktree, git).settings)


def filters_of(git: Git, paths: Sequence[str]) -> dict[str, str]:
    """Return the filter that the attributes name for each path."""
    given = os.fsencode("\0".join(paths))
    words = os.fsdecode(git.run("check-attr", "-z", "--stdin", "filter", given=given)).split("\0")
    return dict(zip(words[::3], words[2::3], strict=False))


def is_trusted(worktree: Worktree, commands: dict[str, str]) -> bool:
    """Return whether exactly these commands were trusted."""
    return os.path.exists(_file(worktree, commands))


def trust(worktree: Worktree, commands: dict[str, str]) -> None:
    """Trust exactly these commands from now on, in every worktree of the repository."""
    path = _file(worktree, commands)
    make_private(os.path.dirname(path))
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(f"{name} = {value}\n" for name, value in sorted(commands.items())))


def _file(worktree: Worktree, commands: dict[str, str]) -> str:
    """Return the file that exists if the repository is trusted with these commands."""
    return os.path.join(worktree.shared_place, "trusted", _fingerprint(commands))


def _fingerprint(filters: dict[str, str]) -> str:
    words = "\0".join(f"{key}\n{value}" for key, value in sorted(filters.items()))
    return hashlib.sha256(os.fsencode(words)).hexdigest()
