"""A person's data: the checkpoints in their repositories, and the state directory."""

import os
import shutil
from typing import NamedTuple

from torch_cli import paths
from torch_cli.errors import RefusedError, TorchError
from torch_cli.git.worktree import REFS, Worktree, locate, locked, top_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.watch.asleep import lives

_OURS = (
    *("accepted", "agent-setup", "answers", "checkpoints", "crontab-installed", "daemon.err"),
    *(
        "handoffs",
        "locks",
        "logs",
        "program-logs",
        "shadows",
        "snippet.tmux.conf",
        "top.json",
        "verified",
        "worktrees",
    ),
)
"""The names that Torch uses in the state directory, besides those below."""

_OURS_BEGIN = (paths.DATABASE, "daemon.log")
"""How further names begin: the state file with its copies, and the log with its older parts."""


class Repository(NamedTuple):
    """A repository with checkpoints: one of its worktrees, and how many it has ``held``."""

    worktree: Worktree
    held: int


def repositories() -> list[Repository]:
    """Return the repositories with checkpoints among those that Torch knows.

    It knows those of its agents, of the directories that are watched, of the checkpoints whose
    events are kept, and the one of this directory. What cannot be read is left out. Shadows are no
    repositories of a person's: they go with the state.
    """
    places = {os.getcwd()}
    if os.path.exists(paths.database()):
        with Store() as store:
            places |= {agent.directory for agent in store.agents.all()}
            places |= {*store.watches.all(), *store.events.targets("checkpoint")}
    found: dict[str, Repository] = {}
    for top in sorted({top for place in places if (top := top_of(place)) is not None}):
        try:
            worktree = locate(top)
            count = len(_refs(worktree))
        except TorchError:
            continue
        if count and not worktree.shadow:
            found.setdefault(worktree.common_dir, Repository(worktree, count))
    return list(found.values())


def delete(repository: Repository) -> None:
    """Delete all checkpoints of a repository. Git frees their space later."""
    worktree = repository.worktree
    with locked(worktree) as lock:
        given = "".join(f"delete {ref}\n" for ref in _refs(worktree))
        worktree.git(lock=lock).run("update-ref", "--stdin", given=os.fsencode(given))


def _refs(worktree: Worktree) -> list[str]:
    said = worktree.git().run("for-each-ref", "--format=%(refname) %(objectname)", f"{REFS}/")
    return os.fsdecode(said).splitlines()


def check_nobody_lives() -> None:
    """Raise ``RefusedError`` if an agent lives: its messages and its name are in the state."""
    with Store() as store:
        names = [agent.name for agent in store.agents.all() if _may_live(store, agent)]
    if names:
        some = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        raise RefusedError(
            f"{len(names)} agents still live ({some}); {paths.state_dir()} stays"
            if len(names) > 1
            else f"'{some}' still lives; {paths.state_dir()} stays",
            hint="'torch stop NAME' ends an agent, with --forget only Torch's record of it; 'torch "
            "down' ends a team.",
            code="in-use",
        )


def _may_live(store: Store, agent: Agent) -> bool:
    try:
        return agent.stopped is None and lives(store, agent)
    except TorchError:
        return True


def delete_state() -> list[str]:
    """Delete what is Torch's in the state directory; return words about what stays in it.

    The directory may be one that a person has chosen (``TORCH_HOME``), so nothing else is deleted.
    """
    check_nobody_lives()
    folder = paths.state_dir()
    try:
        for name in os.listdir(folder):
            if name in _OURS or name.startswith(_OURS_BEGIN):
                _delete(os.path.join(folder, name))
        rest = sorted(os.listdir(folder))
        if not rest:
            os.rmdir(folder)
    except OSError as error:
        raise TorchError(
            f"{error.filename or folder} cannot be deleted: {error.strerror}", code="unwritable"
        ) from error
    return [
        f"kept, for it is not Torch's or is a setting of yours: {folder}/{name}" for name in rest
    ]


def _delete(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
