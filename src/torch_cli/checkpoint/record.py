"""Checkpoints: making one, and listing them.

A checkpoint is a ref to a tag object, which refers to a tree. There is no commit, so ``git log
--all``, ``gitk --all`` and other commands that walk from every ref do not see it, and pruning
rewrites nothing.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from torch_cli import paths
from torch_cli.checkpoint.audit import note_event
from torch_cli.checkpoint.scan import LeftOut
from torch_cli.checkpoint.settings import Settings
from torch_cli.checkpoint.snapshot import Snapshot, snapshot
from torch_cli.checkpoint.turn import turn
from torch_cli.errors import NotFoundError, RefusedError, TorchError
from torch_cli.git.command import Git, saying
from torch_cli.git.counts import Counts
from torch_cli.git.worktree import REFS, Worktree, locate, locked

LISTED_FILES = 100
"""The most left-out files that a checkpoint lists; it gives the number of the others."""

TORCH_AUTHOR = ("Torch", "torch@localhost")
"""Name and address of a checkpoint's maker if git knows no user."""

BY_RESTORE = "before restore"
"""The reason of the checkpoint that a restore makes of what it replaces."""

LATEST_EPOCH_SECONDS = 10**11
"""Seconds since the epoch (the year 5138) before which a checkpoint was made."""

_ID = re.compile(r"c-[0-9a-f]{8,64}")

_MARK = "Torch-Checkpoint: "


class Checkpoint(NamedTuple):
    """A checkpoint as its repository has it.

    ``at`` is seconds since the epoch. ``head`` is the commit that was checked out and ``branch``
    its branch, '' if there was none. ``files`` is the number of its files. ``counts`` is the
    difference from the checkpoint before. If so many files were gone that the one before must never
    be pruned, ``before`` is its id and ``alert`` says so. ``more`` is the number of left-out files
    that are not listed. ``exact`` says that the tree has each file as it was on disk, except files
    of filters; earlier versions kept text as its attributes say.
    """

    id: str
    ref: str
    object: str
    tree: str
    at: float
    reason: str
    agent: str
    note: str
    head: str
    branch: str
    files: int
    counts: Counts
    left_out: tuple[LeftOut, ...] = ()
    more: int = 0
    alert: str = ""
    before: str = ""
    exact: bool = False


class Occasion(NamedTuple):
    """Why a checkpoint is made: by whom, and with which note."""

    reason: str
    agent: str = ""
    note: str = ""


class CheckpointOutcome(NamedTuple):
    """The outcome for one worktree: ``checkpoint`` is ``None`` if nothing had changed.

    ``last`` is the newest checkpoint. ``stored`` is a tree of the present files as git would commit
    them. ``nested`` are the outcomes of the worktrees below, or their errors. With an ``error`` the
    other fields say nothing.
    """

    top: str
    checkpoint: Checkpoint | None = None
    last: Checkpoint | None = None
    left_out: tuple[LeftOut, ...] = ()
    stored: str = ""
    nested: "tuple[CheckpointOutcome, ...]" = ()
    error: TorchError | None = None

    def each(self) -> "Iterator[CheckpointOutcome]":
        """Yield this outcome and those below it."""
        yield self
        for one in self.nested:
            yield from one.each()


def take(
    worktree: Worktree,
    settings: Settings,
    occasion: Occasion,
    *,
    skip: Callable[[str], bool] = lambda top: False,
) -> CheckpointOutcome:
    """Make a checkpoint of ``worktree`` and of the worktrees in it, if anything has changed.

    ``skip`` gets the top of a worktree below, and says whether to leave it out. Raises
    ``TorchError``; nothing is recorded then. Errors of worktrees below are in the outcome.
    """
    with locked(worktree) as lock, turn(), saying("nothing was recorded"):
        outcome, below = take_locked(worktree, settings, occasion, lock)
    if outcome.checkpoint is not None and os.path.exists(paths.database()):
        detail = {"checkpoint": outcome.checkpoint.id, "reason": occasion.reason}
        note_event("checkpoint", worktree, detail, actor=occasion.agent)
    nested = [_below(top, settings, occasion, skip) for top in below if not skip(top)]
    return outcome._replace(nested=tuple(nested))


def _below(
    top: str, settings: Settings, occasion: Occasion, skip: Callable[[str], bool]
) -> CheckpointOutcome:
    try:
        worktree = locate(top)
        if worktree.top != os.path.realpath(top):
            raise RefusedError(
                f"{top} has a .git, but is not a repository", code="not-a-repository"
            )
        return take(worktree, settings, occasion, skip=skip)
    except TorchError as error:
        return CheckpointOutcome(top, error=error)


def take_locked(
    worktree: Worktree,
    settings: Settings,
    occasion: Occasion,
    lock: int,
    check: Callable[[str], None] = lambda tree: None,
) -> tuple[CheckpointOutcome, list[str]]:
    """Like ``take``, with the lock held and only for this worktree; also return those below.

    ``check`` gets the tree of the present files, and raises if it must not be recorded.
    """
    git = worktree.git(lock=lock)
    _check_note(occasion.note)
    _sweep(worktree, git)
    with git.start(*_listing(worktree.refs), "--sort=-refname", "--count=1") as asked:
        newest = cache(lambda: next(iter(_listed(asked.result())), None))
        now = snapshot(worktree, settings, lock, lambda: _tree_of(newest()))
        last = newest()
    check(now.tree)
    left_out = tuple(now.left_out)
    if last and now.tree == last.tree and last.exact:
        return CheckpointOutcome(worktree.top, None, last, left_out, now.stored), now.nested
    made = _record(git, worktree, occasion, now, last)
    return CheckpointOutcome(worktree.top, made, made, left_out, now.stored), now.nested


def _sweep(worktree: Worktree, git: Git) -> None:
    """Remove the lock of a checkpoint's ref if git was killed while it made the ref.

    Only Torch makes refs there, and this process has the worktree's lock. The lock of an existing
    ref stays, because it may belong to a running garbage collection.
    """
    place = os.path.join(worktree.common_dir, worktree.refs)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(place):
            ref = f"{worktree.refs}{name.removesuffix('.lock')}"
            if name.endswith(".lock") and not git.run("for-each-ref", ref):
                os.unlink(os.path.join(place, name))


def _check_note(note: str) -> None:
    if "\0" in note:
        raise RefusedError("a note cannot contain a NUL character; nothing was recorded")


def _record(
    git: Git, worktree: Worktree, occasion: Occasion, now: Snapshot, last: Checkpoint | None
) -> Checkpoint:
    head = now.head
    counts = now.counts
    had = last.files if last else (_files(git, head.commit) if head.commit else 0)
    gone = counts.vanished > 1 and counts.vanished * 2 > had
    identity = f"c-{os.urandom(4).hex()}"
    # The clock may have been set back. The newest must still be the last in the order of names.
    moment = max(time.time(), last.at + 0.001 if last else 0.0)
    made = Checkpoint(
        id=identity,
        ref=f"{worktree.refs}{int(moment * 1000):013d}-{identity}",
        object="",
        tree=now.tree,
        at=moment,
        reason=occasion.reason,
        agent=occasion.agent,
        note=occasion.note.strip("\n"),
        head=head.commit,
        branch=head.branch,
        files=had - counts.vanished + counts.new,
        counts=counts,
        left_out=tuple(now.left_out[:LISTED_FILES]),
        more=max(0, len(now.left_out) - LISTED_FILES),
        alert=f"{counts.vanished:,} of {had:,} files are gone" if gone else "",
        before=last.id if last and gone else "",
        exact=True,
    )
    configuration = now.configuration
    known = configuration.name and configuration.email
    name, email = (configuration.name, configuration.email) if known else TORCH_AUTHOR
    tag = _tag(made, f"{_plain(name)} <{_plain(email)}>")
    written = git.run("mktag", given=tag).decode().strip()
    git.run("update-ref", made.ref, written, "0" * len(written))
    return made._replace(object=written)


def _files(git: Git, tree: str) -> int:
    return git.run("ls-tree", "-r", "-z", "--name-only", tree).count(b"\0")


def _plain(name: str) -> str:
    return "".join(char for char in name if char.isprintable() and char not in "<>").strip() or "?"


# -- the tag object ----------------------------------------------------------------------------


def _tag(made: Checkpoint, who: str) -> bytes:
    """Return the tag object: text for people, and in the last line everything for Torch."""
    whose = f" of {made.agent}" if made.agent else ""
    said = [f"Checkpoint{whose} ({made.reason}): {made.counts}"]
    said += ["", made.note] if made.note else []
    said += ["", f"Alert: {made.alert}"] if made.alert else []
    if made.left_out:
        said += ["", "Left out:"]
        said += [f"  {json.dumps(one.path)}: {one.detail}" for one in made.left_out]
        said += [f"  and {made.more:,} more"] if made.more else []
    facts = made._asdict()
    for name in ("id", "ref", "object", "tree"):
        del facts[name]
    said += ["", _MARK + json.dumps(facts)]
    head = [f"object {made.tree}", "type tree", f"tag {made.id}"]
    head += [f"tagger {who} {int(made.at)} +0000", ""]
    return "\n".join([*head, *said, ""]).encode("utf-8", "replace")


_FIELDS = ("refname", "objectname", "object", "type", "contents")
_FORMAT = "%00".join(f"%({field})" for field in _FIELDS) + "%00"


def checkpoints(worktree: Worktree, *, every: bool = False) -> list[Checkpoint]:
    """Return the checkpoints of ``worktree``, or of ``every`` one of its repository, by time."""
    where = f"{REFS}/" if every else worktree.refs
    return _listed(worktree.git().run(*_listing(where)))


def _listing(where: str) -> tuple[str, ...]:
    return ("for-each-ref", f"--format={_FORMAT}", where)


def _listed(said: bytes) -> list[Checkpoint]:
    words = said.split(b"\0")
    size = len(_FIELDS)
    rows = [words[n : n + size] for n in range(0, len(words) - 1, size)]
    found = (_read(*(os.fsdecode(word).lstrip("\n") for word in row)) for row in rows)
    return sorted((one for one in found if one), key=lambda one: (one.at, one.id))


def _tree_of(one: Checkpoint | None) -> str:
    return one.tree if one else ""


def _read(ref: str, written: str, tree: str, kind: str, message: str) -> Checkpoint | None:
    """Return the checkpoint of a ref; ``None`` for a ref that Torch has not made.

    Everybody who works in the repository can write there. Such a ref must not stop anything.
    """
    last = message.rstrip("\n").rpartition("\n")[2]
    identity = f"c-{ref.rpartition('-')[2]}"
    if kind != "tree" or not _ID.fullmatch(identity):
        return None
    try:
        facts: dict[str, Any] = json.loads(last.removeprefix(_MARK))
        facts["counts"] = Counts(*facts["counts"])
        facts["left_out"] = tuple(LeftOut(*one) for one in facts["left_out"])
        known = {name: facts[name] for name in Checkpoint._fields if name in facts}
        known |= {"id": identity, "ref": ref, "object": written, "tree": tree}
        made = Checkpoint(**known)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return made if _is_sound(made) else None


def _is_sound(made: Checkpoint) -> bool:
    """Return whether each value has the right type and range."""
    words = [made.reason, made.agent, made.note, made.head, made.branch, made.alert, made.before]
    words += [part for one in made.left_out for part in one]
    numbers = [made.files, made.more, *made.counts]
    return (
        type(made.at) in (int, float)
        and type(made.exact) is bool
        and 0 <= made.at < LATEST_EPOCH_SECONDS
        and all(isinstance(word, str) and _can_be_shown(word) for word in words)
        and all(type(number) is int and 0 <= number < LATEST_EPOCH_SECONDS for number in numbers)
    )


def _can_be_shown(word: str) -> bool:
    try:
        word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def latest(found: Sequence[Checkpoint]) -> Checkpoint | None:
    """Return the checkpoint of a worktree that ``latest`` means.

    It is the newest that no restore has made. The checkpoint of a restore holds the files that the
    restore replaced.
    """
    return next((one for one in reversed(found) if one.reason != BY_RESTORE), None)


def find_checkpoint(worktree: Worktree, name: str) -> Checkpoint:
    """Return the checkpoint with that id, or the only one whose id begins with it, or the
    ``latest``.

    Those of other worktrees of the repository are found too. Raises ``NotFoundError``.
    """
    own = checkpoints(worktree)
    if name == "latest" and own:
        if newest := latest(own):
            return newest
        raise NotFoundError(
            f"restores made all checkpoints of {worktree.top}: none of them is 'latest'",
            hint=f"Name one, for example '--from {own[-1].id}'; 'torch checkpoint "
            "list' shows them.",
            code="no-checkpoint",
        )
    for among in (own, checkpoints(worktree, every=True)):
        found = [one for one in among if name and one.id.startswith(name)]
        exact = [one for one in found if one.id == name]
        if len(found) == 1 or exact:
            return (exact or found)[0]
        if found:
            raise NotFoundError(
                f"checkpoint '{name}' is ambiguous: {', '.join(one.id for one in found)}"
            )
    raise NotFoundError(
        f"no checkpoint '{name}' of {worktree.top}",
        hint="'torch checkpoint list' shows them.",
        code="no-checkpoint",
    )
