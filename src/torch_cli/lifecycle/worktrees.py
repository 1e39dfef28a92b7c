"""Where a member of a team works: its directory, or a git worktree beside the project."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from torch_cli import procs
from torch_cli.errors import RefusedError, TorchError
from torch_cli.git.command import Git, GitError
from torch_cli.git.filters import guarded
from torch_cli.git.linked import add_linked
from torch_cli.git.worktree import locate
from torch_cli.paths import make_private, state_dir
from torch_cli.roster.project import MADE, NEW, made_for
from torch_cli.roster.started import pane_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import MemberKind, Started
from torch_cli.teamfile.directories import worktree_path
from torch_cli.watch.asleep import lives


def make_worktree(root: str, branch: str, name: str, tell: Callable[[str], None]) -> None:
    """Make the git worktree of ``branch`` for ``name`` if it does not exist, and ``tell`` of it.

    Unless the branch exists, it is made from the current commit. No untrusted hook or filter of the
    repository runs. Raises ``RefusedError`` if something else is in that place, or the worktree of
    another branch.
    """
    path = worktree_path(root, branch)
    if os.path.lexists(path):
        _check_own(root, name, path, branch)
        return
    intent = _intent(path)
    try:
        project = locate(root)
        known = project.git().run("for-each-ref", f"refs/heads/{branch}").strip()
    except TorchError as error:
        error.message += f"; no worktree was made, and '{name}' was not started"
        raise
    mark = f"{branch}\n{'' if known else NEW}\n{root}\n"
    remarks: list[str] = []
    try:
        make_private(str(intent.parent))
        intent.write_text(mark, "utf-8", "surrogateescape")
    except OSError as error:
        raise TorchError(
            f"{intent} cannot be written: {error.strerror}; no worktree was made, and '{name}' was "
            "not started",
            code="store",
        ) from error
    try:
        add_linked(project, path, branch, new=not known, tell=remarks.append)
    except TorchError as error:
        intent.unlink(missing_ok=True)
        said = error.said if isinstance(error, GitError) else ""
        raise TorchError(
            f"no worktree of the branch '{branch}' could be made at {path}: "
            f"{said or error.message}; '{name}' was not started",
            code="worktree",
        ) from error
    _complete(path, locate(path).git_dir)
    for words in (f"made a worktree of the branch {branch}", *remarks):
        tell(words)


def _intent(path: str) -> Path:
    """Return the file that says that a worktree is being made, because git may outlive Torch."""
    key = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(state_dir()) / "worktrees" / key


def _complete(path: str, git_dir: str) -> None:
    """Mark a worktree as made by Torch, also if the process that was making it is gone.

    Raises ``TorchError`` if that cannot be written.
    """
    intent = _intent(path)
    try:
        (Path(git_dir) / MADE).write_bytes(intent.read_bytes())
        intent.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise TorchError(
            f"the worktree {path} cannot be marked as made by Torch: {error.strerror}", code="store"
        ) from error


def remove_worktree(store: Store, member: Started) -> str:
    """Remove a worktree that Torch made for the member if it is clean and merged; return what
    happened.

    The member has ended. Ignored files in it are removed with it. It stays while another agent or
    process is in it.
    """
    path, root = member.directory, os.path.dirname(member.team)
    if not path.startswith(f"{root}-") or not os.path.isdir(path):
        return ""
    try:
        worktree = locate(path)
        _complete(path, worktree.git_dir)
        if worktree.top != os.path.realpath(path) or not os.path.exists(
            os.path.join(worktree.git_dir, MADE)
        ):
            return ""  # not made by Torch
        if others := _in_it(store, worktree.top):
            return f"the worktree {path} stays: still used by {', '.join(others)}"
        git = guarded(worktree)
        changed = git.run("status", "--porcelain", "-z", "--untracked-files=all")
        changed = changed or _overlooked(git, worktree.top)
        merged = not Git(root).run("rev-list", "-n1", git.text("rev-parse", "HEAD"), "^HEAD")
        if changed or not merged:
            why = "has changes" if changed else "is not merged"
            return f"the worktree {path} stays: it {why}"
        branch, new, _ = made_for(worktree.git_dir)
        main = Git(root, settings=git.settings)  # it reads files and runs no hook
        main.run("worktree", "remove", "--", path)
        if new and branch == member.name:  # of a pool: the next one begins at the present commit
            main.run("branch", "-d", "--", branch)
    except TorchError as error:
        return f"the worktree {path} stays: {error.message}"
    return f"the worktree {path} was removed: all of it is merged"


def _in_it(store: Store, top: str) -> list[str]:
    """Return the names of the agents and team processes that work in a worktree."""
    agents = (one for one in store.agents.all() if _is_below(one.directory, top))
    found = {one.name for one in agents if _may_live(store, one)}
    for team in store.teams.paths():
        for one in store.teams.members(team).values():
            if (
                one.kind == MemberKind.PROCESS
                and _is_below(one.directory, top)
                and pane_of(store, one)
            ):
                found.add(one.name)
    if found:
        return sorted(found)
    known = ((pid, procs.arguments(pid) or ["?"]) for pid in procs.working_in(top))
    return [f"{os.path.basename(words[0])} (process {pid})" for pid, words in known][:3]


def _may_live(store: Store, agent: Agent) -> bool:
    try:
        return lives(store, agent)
    except TorchError:  # nobody can tell
        return True


def _is_below(place: str, top: str) -> bool:
    return f"{os.path.realpath(place)}/".startswith(f"{top}/")


def _overlooked(git: Git, top: str) -> bytes:
    """Return the existing files that git was told not to look at. They may be changed.

    ``assume-unchanged`` shows as a small letter, ``skip-worktree`` as ``S`` (git-ls-files).
    """
    lines = (line.partition(b" ") for line in git.run("ls-files", "-v", "-z").split(b"\0"))
    names = (name for flag, _, name in lines if flag.islower() or flag == b"S")
    return b"\0".join(n for n in names if os.path.lexists(os.path.join(os.fsencode(top), n)))


def _check_own(root: str, name: str, path: str, branch: str) -> None:
    """Raise ``RefusedError`` unless ``path`` is the project's worktree for ``branch``."""
    try:
        found, project = locate(path), locate(root)
    except TorchError as error:
        raise _not_ours(name, path) from error
    if found.common_dir != project.common_dir or found.top != os.path.realpath(path):
        raise _not_ours(name, path)
    _complete(path, found.git_dir)
    try:
        own = made_for(found.git_dir).branch
    except OSError:  # not made by Torch
        own = found.git().text("branch", "--show-current")
    if own and own != branch:
        raise RefusedError(
            f"{path} is the worktree of the branch '{own}', not of '{branch}'; '{name}' was not "
            "started",
            hint="Rename one of the branches: their directories would be the same.",
            code="worktree",
        )


def _not_ours(name: str, path: str) -> RefusedError:
    return RefusedError(
        f"{path} already exists and is not a worktree of this project; '{name}' was not started",
        code="worktree",
    )
