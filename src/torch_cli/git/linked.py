"""Making a linked worktree without running untrusted programs of the repository."""

import os
from collections.abc import Callable, Iterator

from torch_cli.errors import TimedOutError, TorchError
from torch_cli.git.command import GIT_SECONDS, QUIET, Git, GitError
from torch_cli.git.filters import filters_of, read_configuration
from torch_cli.git.hooks import GitHooks, read_hooks
from torch_cli.git.worktree import Worktree, locate

GIT_HOOKS_SECONDS = 120.0
"""Seconds that git may take if it runs hooks. Nobody is there to answer a hook's question."""


def add_linked(
    project: Worktree,
    path: str,
    branch: str,
    *,
    new: bool,
    tell: Callable[[str], None],
    timeout: float = GIT_HOOKS_SECONDS,
) -> None:
    """Make the worktree of ``branch`` at ``path``; a ``new`` branch begins at the current commit.

    ``tell`` is called with what a person should know: a hook that failed, did not end within
    ``timeout`` seconds, or was not run; a filter that was not run; empty submodules. Raises
    ``TorchError`` if there is no worktree in the end.
    """
    configuration = read_configuration(project, project.git())
    hooks = read_hooks(project)
    settings = (*QUIET, *configuration.settings, "core.logAllRefUpdates=true")
    if hooks.run:
        settings = (*settings, f"core.hooksPath={hooks.directory}")
    limit = timeout if hooks.run else GIT_SECONDS
    git = Git(project.top, settings=settings, visible=hooks.run, timeout=limit)
    git.run("worktree", "prune")
    words = ["-b", branch, "--", path] if new else ["--", path, branch]
    try:
        git.run("worktree", "add", "--quiet", *words)
    except TimedOutError:
        if not _is_made(path):
            raise
        tell(f"a hook did not end within {limit:g} s, and was ended; the worktree exists")
    except GitError as error:
        if not _is_made(path):
            raise
        said = error.said.rpartition("\n")[2] or "it did not say why"
        tell(f"the worktree exists, but its hook failed: {said}")
    for words_of in _remarks(project, path, hooks, configuration.untrusted):
        tell(words_of)


def _is_made(path: str) -> bool:
    """Return whether git has made the worktree. Until its last hook, git removes it on failure."""
    try:
        made = locate(path)
    except TorchError:
        return False
    whole = os.path.exists(os.path.join(made.git_dir, "index"))
    return made.top == os.path.realpath(path) and whole


def _remarks(
    project: Worktree, path: str, hooks: GitHooks, untrusted: frozenset[str]
) -> Iterator[str]:
    """Yield what differs from a worktree that ``git worktree add`` would make."""
    made = locate(path)
    allow = f"'torch checkpoint trust {project.top}' shows and allows it"
    if hooks.found and not hooks.run:
        names = ", ".join(name.removeprefix("hook.") for name in hooks.found)
        yield f"the repository's hook {names} was not run: {allow}"
    git = made.git()
    listed = os.fsdecode(git.run("ls-files", "--stage", "-z")).split("\0")
    rows = [line.split("\t", 1) for line in listed if line]
    links = [name for facts, name in rows if facts.startswith("160000 ")]
    if links:
        shown = ", ".join(links[:3]) + (f" and {len(links) - 3} more" if len(links) > 3 else "")
        yield f"its submodules are empty ({shown}): 'git submodule update --init' there fills them"
    used = set(filters_of(git, [name for _, name in rows]).values()) if untrusted else set()
    for name in sorted(used & untrusted):
        yield f"the filter '{name}' was not run, so its files are as git stores them: {allow}"
