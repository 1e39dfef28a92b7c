"""Which project a directory, an agent or a task belongs to.

A project is the directory of one ``torch.toml``, else one git repository with all its worktrees.
"""

import os
from typing import NamedTuple

from torch_cli.regular import read_regular
from torch_cli.roster.membership import team_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import Task

FILE = "torch.toml"

LARGEST_TEAM_FILE_BYTES = 256 * 1024
"""The most bytes of a team file. A scheduler repeatedly reads the files of all teams."""

MADE = "torch-worktree"
"""A file in the git directory of a linked worktree. It says that Torch made the worktree, and for
which project.
"""

LARGEST_MARK_BYTES = 16 * 1024
"""The most bytes of such a file, and of a ``.git`` file. Each holds one or two paths."""

NEW = "new"
"""The file's second line, if Torch made the branch too."""


class ProjectPlace(NamedTuple):
    """Where a directory is: ``project`` is the top of its project, '' if it is in none.

    ``path`` is the directory. In a linked worktree it is the same directory of the main worktree.
    """

    project: str
    path: str


class Made(NamedTuple):
    """A worktree that Torch has made: its branch, whether the branch was ``new``, and its project,
    '' if that was not recorded.
    """

    branch: str
    new: bool
    root: str


def made_for(git_dir: str) -> Made:
    """Read the mark in the git directory of a worktree; raises ``OSError`` if there is none."""
    mark = read_regular(os.path.join(git_dir, MADE), LARGEST_MARK_BYTES).decode(
        "utf-8", "surrogateescape"
    )
    lines = [*mark.split("\n"), "", "", ""]
    return Made(lines[0], lines[1] == NEW, lines[2])


def made_at(directory: str) -> Made | None:
    """Return how Torch made the worktree of ``directory``, ``None`` if Torch did not make it."""
    top = _above(os.path.realpath(directory), ".git")
    try:
        return made_for(_linked_to(top)) if top else None
    except OSError:
        return None


def place_of(directory: str) -> ProjectPlace:
    """Return where ``directory`` is. Looks only for ``torch.toml`` and ``.git``."""
    path = os.path.realpath(os.path.expanduser(directory))
    top, made = _above(path, ".git"), made_at(path)
    if top:
        main = _main_worktree(top)
        path = os.path.normpath(os.path.join(main, os.path.relpath(path, top)))
        top = main
    return ProjectPlace(_above(path, FILE) or (made.root if made else "") or top, path)


def own_place(directory: str) -> str:
    """Return ``directory``; in a worktree that Torch made, the same directory of the project."""
    made = made_at(directory)
    if made is None:
        return directory
    place = place_of(directory)
    return place.path if place.path.startswith(place.project) else place.project


def project_of(store: Store, agent: Agent) -> str:
    """Return the project of an agent, '' for none: that of its team, else of its directory."""
    if team := team_of(store, agent):
        return project_of_team(team)
    return place_of(agent.directory).project if agent.directory else ""


def project_of_team(path: str) -> str:
    """Return the project that the team of the file ``path`` works on.

    A file in a linked worktree means the same project as the file in the main worktree.
    """
    root = os.path.dirname(path)
    return place_of(root).project or root


def project_here(store: Store, agent: Agent | None) -> str:
    """Return the project that this process works in, '' for none. In an agent it is the agent's."""
    return project_of(store, agent) if agent else place_of(".").project


def belongs(task: Task, project: str) -> bool:
    """Return whether a task belongs to ``project`` ('' for none), or was made for anywhere."""
    return not task.directory or place_of(task.directory).project == project


def _above(path: str, name: str) -> str:
    """Return the nearest directory from ``path`` up that holds ``name``, '' if none does."""
    while not os.path.lexists(os.path.join(path, name)):
        if path == os.path.dirname(path):
            return ""
        path = os.path.dirname(path)
    return path


def _main_worktree(top: str) -> str:
    """Return the main worktree of the one at ``top``; ``top`` itself if it is that, or has none."""
    try:
        where = _linked_to(top)
    except OSError:  # a directory: this is the main worktree
        return top
    shared, kind = os.path.split(os.path.dirname(where))
    if kind != "worktrees" or os.path.basename(shared) != ".git":
        return top  # a submodule, or the worktree of a bare repository
    return os.path.dirname(shared)


def _linked_to(top: str) -> str:
    """Return the git directory of the linked worktree at ``top``; ``OSError`` if it is not one.

    There ``.git`` is a file, ``gitdir: MAIN/.git/worktrees/NAME`` (gitrepository-layout).
    """
    text = read_regular(os.path.join(top, ".git"), LARGEST_MARK_BYTES).decode(
        "utf-8", "surrogateescape"
    )
    key, _, target = text.strip().partition(" ")
    return os.path.realpath(os.path.join(top, target)) if key == "gitdir:" else top
