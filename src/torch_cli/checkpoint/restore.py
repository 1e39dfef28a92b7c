"""Restoring files: what would change, and changing it, after a checkpoint of the present files.

HEAD and the index stay as they are: a restored file is a change in the worktree like any other.
"""

import contextlib
import enum
import os
import stat
import time
from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.checkpoint.audit import note_event
from torch_cli.checkpoint.exact import write_as_stored
from torch_cli.checkpoint.record import (
    BY_RESTORE,
    Checkpoint,
    Occasion,
    checkpoints,
    take_locked,
)
from torch_cli.checkpoint.settings import Settings
from torch_cli.checkpoint.snapshot import Snapshot, snapshot
from torch_cli.errors import HeldError, RefusedError, TorchError
from torch_cli.git.command import Git, saying
from torch_cli.git.counts import ChangedPath, above, rows
from torch_cli.git.filters import guarded
from torch_cli.git.worktree import Worktree, locked

SUBMODULE = "160000"
"""The mode of a submodule."""


class PathFate(enum.StrEnum):
    """What happens to a path."""

    CREATED = "created"
    REPLACED = "replaced"
    DELETED = "deleted"


_FATES = {"A": PathFate.CREATED, "D": PathFate.DELETED}


class PathChange(NamedTuple):
    """What happens to a path."""

    path: str
    what: PathFate


class Source(NamedTuple):
    """The source of a restore: its name, and its tree.

    ``exact`` says that the tree has the exact files of the disk, as a checkpoint has. Files of
    other trees are written as git writes them.
    """

    name: str
    tree: str
    exact: bool

    @classmethod
    def of(cls, one: Checkpoint) -> "Source":
        """Return a checkpoint as a source."""
        return cls(one.id, one.tree, one.exact)


class RestorePlan(NamedTuple):
    """What a restore from ``source`` would do. ``now`` is the tree of the present files.

    ``skipped`` are paths that stay as they are, each with the reason.
    """

    source: Source
    now: str
    changes: tuple[PathChange, ...]
    skipped: tuple[tuple[str, str], ...]


class Earlier(NamedTuple):
    """A checkpoint that would change something, and how many files."""

    checkpoint: Checkpoint
    files: int


COMPARED_CHECKPOINTS = 200
"""At most this many checkpoints, the newest first, are compared with the disk. Each takes 5 ms."""


def pathspecs(worktree: Worktree, paths: Sequence[str], base: str) -> list[str]:
    """Return ``paths``, which are relative to the directory ``base``, as paths from the top.

    Raises ``RefusedError`` for one that is outside of the worktree, or git's own.
    """
    found = []
    for path in paths:
        parent, name = os.path.split(os.path.normpath(os.path.join(base, path)))
        # The last part may be a link. Then the link itself is meant. Links before it are resolved.
        full = os.path.normpath(os.path.join(os.path.realpath(parent), name))
        inside = os.path.relpath(full, worktree.top)
        if inside == ".." or inside.startswith("../"):
            raise RefusedError(
                f"{path} is outside of the worktree {worktree.top}; nothing was restored",
                code="outside",
            )
        if ".git" in (part.lower() for part in inside.split("/")):
            raise RefusedError(f"{path} belongs to git; nothing was restored", code="outside")
        found.append("" if inside == "." else inside)
    return found


def plan(
    worktree: Worktree, settings: Settings, source: Source, paths: Sequence[str]
) -> RestorePlan:
    """Return what restoring ``paths`` (all, if none are given) from ``source`` would change.

    Nothing is recorded. Raises ``RefusedError`` for a path that the source does not have.
    """
    tree = source.tree
    with locked(worktree) as lock:
        git = worktree.git(lock=lock)
        wanted = _wanted(paths)
        for path in wanted:
            if not git.run("ls-tree", "-z", tree, "--", path):
                raise _no_path(worktree, git, path, source)
        with saying("nothing was restored"):
            there = snapshot(worktree, settings, lock, lambda: tree)
        return _plan(worktree, git, there, source, wanted)


def earlier(
    worktree: Worktree, settings: Settings, tree: str, paths: Sequence[str]
) -> Earlier | None:
    """Return the newest checkpoint that would change the present ``paths`` (all, if none).

    Looks at those before the checkpoint with the tree ``tree``, or at all if none has that tree.
    """
    with locked(worktree) as lock:
        git = worktree.git(lock=lock)
        there = snapshot(worktree, settings, lock, lambda: tree)
        wanted = _wanted(paths)
        seen = {tree, there.tree}
        for one in _before(worktree, tree)[:COMPARED_CHECKPOINTS]:
            if one.tree in seen:
                continue
            seen.add(one.tree)
            if not all(git.run("ls-tree", "-z", one.tree, "--", path) for path in wanted):
                continue  # it has recorded the loss
            if changes := _plan(worktree, git, there, Source.of(one), wanted).changes:
                return Earlier(one, len(changes))
    return None


def _before(worktree: Worktree, tree: str) -> list[Checkpoint]:
    """Return the checkpoints before the newest one with the tree ``tree``, the newest first."""
    found = checkpoints(worktree)[::-1]
    at = next((n for n, one in enumerate(found) if one.tree == tree), -1)
    return found[at + 1 :]


def _wanted(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if path] if "" not in paths else []


def _no_path(worktree: Worktree, git: Git, path: str, source: Source) -> RefusedError:
    """Return the error for a path that is not in ``source``; it names a checkpoint that has it."""
    for one in _before(worktree, source.tree)[:COMPARED_CHECKPOINTS]:
        if git.run("ls-tree", "-z", one.tree, "--", path):
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.at))
            hint = f"{one.id} of {at} ({one.reason}) has it: --from {one.id}."
            break
    else:
        hint = "'torch checkpoint list' shows the others. 'torch recover' also looks at commits."
    return RefusedError(
        f"{source.name} does not have '{path}'; nothing was restored", hint=hint, code="no-path"
    )


def _plan(
    worktree: Worktree, git: Git, there: Snapshot, source: Source, wanted: Sequence[str]
) -> RestorePlan:
    tree = source.tree
    found = rows(git, there.tree if source.exact else there.stored, tree, wanted)
    found += _not_written(git, tree, wanted, {row.path for row in found})
    left_out = {one.path: one.detail for one in there.left_out}
    skipped = _unsaved(git, tree, wanted, left_out, {row.path for row in found})
    deleted = {row.path for row in found if row.letter == "D"}
    changes: list[PathChange] = []
    for row in found:
        why = _objection(worktree, row, left_out, deleted)
        if why:
            skipped.append((row.path, why))
        else:
            changes.append(PathChange(row.path, _FATES.get(row.letter, PathFate.REPLACED)))
    return RestorePlan(source, there.tree, tuple(changes), tuple(skipped))


def _not_written(git: Git, tree: str, wanted: Sequence[str], listed: set[str]) -> list[ChangedPath]:
    """Return the wanted paths that a sparse checkout has not written.

    Such files are not gone, so restoring everything leaves them out.
    """
    if not wanted:
        return []
    rows_of_tree = os.fsdecode(git.run("ls-tree", "-r", "-z", tree, "--", *wanted)).split("\0")
    found = []
    for line in rows_of_tree:
        facts, _, path = line.partition("\t")
        full = os.path.join(git.directory, path)
        if path and path not in listed and " blob " in facts and not os.path.lexists(full):
            mode = facts.partition(" ")[0]
            found.append(ChangedPath(mode, mode, "A", path))
    return found


def _unsaved(
    git: Git, tree: str, wanted: Sequence[str], left_out: dict[str, str], listed: set[str]
) -> list[tuple[str, str]]:
    """Return files on disk that differ from the tree and that no checkpoint has."""
    asked = [
        path
        for path in left_out
        if path not in listed
        and (not wanted or any(path == w or path.startswith(f"{w}/") for w in wanted))
    ]
    if not asked:
        return []
    there = os.fsdecode(git.run("ls-tree", "-r", "-z", "--name-only", tree, "--", *asked))
    return [
        (path, _no_checkpoint(left_out[path])) for path in there.split("\0") if path in left_out
    ]


def _no_checkpoint(why: str) -> str:
    return f"the present file is in no checkpoint: {why}"


def _objection(
    worktree: Worktree, row: ChangedPath, left_out: dict[str, str], deleted: set[str]
) -> str:
    """Return why a path is not touched, '' if it may be."""
    path = row.path
    if SUBMODULE in (row.before, row.after):
        return "it is a repository of its own: restore there"
    if path in left_out:
        return _no_checkpoint(left_out[path])
    if any(parent in deleted for parent in above(path)):
        return ""  # a file or link that the same restore removes
    blocked = _blocked_by(worktree.top, path)
    if blocked:
        return blocked
    full = os.path.join(worktree.top, path)
    if row.letter == "A" and os.path.lexists(full) and not _only_deleted(full, path, deleted):
        return "the present file is in no checkpoint: it is ignored, or was left out"
    return ""


def _blocked_by(top: str, path: str) -> str:
    """Say which parent of ``path`` is not a directory of the worktree."""
    for parent in above(path):
        try:
            mode = os.lstat(os.path.join(top, parent)).st_mode
        except OSError:
            return ""
        if not stat.S_ISDIR(mode):
            return f"'{parent}' is a link or a file, and Torch neither follows nor replaces it"
        if os.path.lexists(os.path.join(top, parent, ".git")):
            return f"'{parent}' is a repository of its own"
    return ""


def _only_deleted(full: str, path: str, deleted: set[str]) -> bool:
    """Return whether a directory in place of a file contains only files that are deleted too."""
    if os.path.islink(full) or not os.path.isdir(full):
        return False
    for place, folders, names in os.walk(full):
        inside = os.path.join(path, os.path.relpath(place, full))
        links = (name for name in folders if os.path.islink(os.path.join(place, name)))
        for name in (*names, *links):
            if os.path.normpath(os.path.join(inside, name)) not in deleted:
                return False
    return True


def carry_out(worktree: Worktree, settings: Settings, planned: RestorePlan) -> Checkpoint:
    """Carry out the plan, after a checkpoint of the present files; return that checkpoint.

    Raises ``HeldError``, and changes and records nothing, if the files have changed since the plan
    was made: the person agreed to something else. Raises ``TorchError`` if it fails half way,
    naming the checkpoint with all files from before.
    """
    source = planned.source.name
    with locked(worktree) as lock:
        saved = _save(worktree, settings, planned, lock)
        git = guarded(worktree, lock=lock, index_file=os.path.join(worktree.place, "index"))
        try:
            _write(worktree, git, planned)
        except (TorchError, OSError) as error:
            words = error.message if isinstance(error, TorchError) else str(error)
            raise TorchError(
                f"the restore from {source} stopped half way: {words}",
                hint=f"The files from before are in {saved.id}: torch checkpoint restore --all "
                f"--from {saved.id}",
                code="half-restored",
            ) from error
        finally:
            with contextlib.suppress(OSError):
                os.unlink(git.index_file)
        detail = {"from": source, "files": len(planned.changes), "saved": saved.id}
        note_event("restore", worktree, detail)
        return saved


def _save(worktree: Worktree, settings: Settings, planned: RestorePlan, lock: int) -> Checkpoint:
    """Make a checkpoint of the present files, if they are still those of the plan."""

    def check(tree: str) -> None:
        if tree != planned.now:
            raise HeldError(
                f"files in {worktree.top} changed during the decision; nothing was restored",
                hint="Try again when nobody writes there.",
                code="changed",
            )

    occasion = Occasion(BY_RESTORE, note=f"from {planned.source.name}")
    with saying("nothing was restored"):
        saved = take_locked(worktree, settings, occasion, lock, check)[0].last
    assert saved is not None
    return saved


def _write(worktree: Worktree, git: Git, now: RestorePlan) -> None:
    """Delete first, so that a file can take the place of a directory, then write."""
    for change in now.changes:
        if change.what is PathFate.DELETED:
            _delete(worktree.top, change.path)
    wanted = [change.path for change in now.changes if change.what is not PathFate.DELETED]
    if not wanted:
        return
    git.run("read-tree", now.source.tree)
    given = os.fsencode("\0".join([*wanted, ""]))
    git.run("checkout-index", "--force", "-z", "--stdin", given=given)
    if now.source.exact:
        write_as_stored(git, wanted)


def _delete(top: str, path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(top, path))
    parent = os.path.dirname(path)
    while parent:  # git keeps no empty directories
        try:
            os.rmdir(os.path.join(top, parent))
        except OSError:
            return
        parent = os.path.dirname(parent)
