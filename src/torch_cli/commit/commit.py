"""A commit on the current branch, with the user's identity, hooks and signing."""

import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch_cli.checkpoint.audit import note_event
from torch_cli.checkpoint.record import Occasion, take_locked
from torch_cli.checkpoint.scan import LeftOut
from torch_cli.checkpoint.settings import Settings
from torch_cli.checkpoint.snapshot import LIST_FLAGS
from torch_cli.commit.obstacle import check_quiet, read_head
from torch_cli.errors import HeldError, RefusedError, TimedOutError, TorchError
from torch_cli.git.command import Git, GitError, saying
from torch_cli.git.counts import ChangedPath, above, empty_tree, rows
from torch_cli.git.filters import guarded
from torch_cli.git.worktree import Worktree, locked
from torch_cli.programs.state import one_line

COMMIT_SECONDS = 60.0
"""Seconds that hooks and signing may take. Nobody is there to answer a prompt."""

NOTHING_COMMITTED = "nothing was committed"

_MARKERS = [re.compile(line, re.MULTILINE) for line in (rb"^<{7} ", rb"^={7}\r?$", rb"^>{7} ")]
"""The lines of a conflict, in their order; one after the other, because one pattern for all three
takes a time that grows with the cube of what is between them.
"""


class Committed(NamedTuple):
    """A commit that was made. ``left_out`` are changes that are not in it."""

    commit: str
    branch: str
    subject: str
    files: int
    checkpoint: str
    left_out: tuple[LeftOut, ...]


def commit(
    worktree: Worktree,
    settings: Settings,
    *,
    message: str = "",
    said: str = "",
    agent: str = "",
    timeout: float = COMMIT_SECONDS,
    slow: Callable[[], None] | None = None,
) -> Committed | None:
    """Commit the changes in ``worktree``, new files too; return ``None`` if there are none.

    A checkpoint comes first, and files that it leaves out are left out here as well. Without
    ``message`` the message is ``said``, the agent's last status, else it is made from the changed
    files. ``slow`` is called once if hooks and signing take long. Raises ``HeldError`` in the
    middle of a merge and the like, on a detached HEAD, with conflicts or their markers;
    ``TorchError`` if a hook or signing refuses, ``TimedOutError`` after ``timeout`` seconds.
    Nothing is committed then, and the index is as it was.
    """
    if worktree.shadow:
        raise RefusedError(
            f"{worktree.top} is not in a repository of yours; {NOTHING_COMMITTED}",
            code="not-a-repository",
        )
    with locked(worktree) as lock:
        quiet = guarded(worktree, lock=lock)
        check_quiet(worktree, quiet, NOTHING_COMMITTED)
        head = read_head(quiet)
        if not head.branch:
            raise HeldError(
                f"HEAD is detached in {worktree.top}; {NOTHING_COMMITTED}",
                hint="'torch branch start NAME' makes a branch from here.",
                code="detached",
            )
        with saying(NOTHING_COMMITTED):
            outcome, _ = take_locked(worktree, settings, Occasion("commit", agent), lock)
        assert outcome.last is not None
        listed = os.fsdecode(quiet.run(*LIST_FLAGS)).split("\0")
        index = {line[2:] for line in listed}
        # Files that git was told not to look at are in the checkpoint, but must not be committed.
        hidden = {line[2:] for line in listed if line[:1].islower() or line[:1] == "S"}
        every = _changed(quiet, head.commit, outcome.stored, index)
        changed = [row for row in every if row.path not in hidden]
        if not changed:
            return None
        _check_markers(worktree, changed)
        text = message.strip() or said or summary(changed)
        trailers = [f"Torch-Agent: {agent}"] if agent else []
        trailers += [f"Torch-Checkpoint: {outcome.last.id}"]
        git = Git(worktree.top, visible=True, timeout=timeout, settings=quiet.settings)
        git = git._replace(slow=slow)
        _commit(git, quiet, changed, index, "\n".join([text, "", *trailers, ""]))
        made = read_head(quiet)
        _settle(quiet, head.commit, made.commit, changed)
        subject = text.partition("\n")[0]
        detail = {"commit": made.commit, "branch": made.branch, "checkpoint": outcome.last.id}
        detail |= {"subject": one_line(subject)}
        note_event("commit", worktree, detail, actor=agent)
        return Committed(
            commit=made.commit,
            branch=made.branch,
            subject=subject,
            files=len(changed),
            checkpoint=outcome.last.id,
            left_out=outcome.left_out,
        )


def _changed(git: Git, commit: str, tree: str, index: set[str]) -> list[ChangedPath]:
    """Return what goes into the commit: the differences of ``tree``, git's tree of files, to HEAD.

    So files that the checkpoint left out stay out. A file on disk that was only taken out of the
    index stays staged, because that was a person's choice.
    """
    return [
        row
        for row in rows(git, commit or empty_tree(git), tree)
        if row.letter != "D"
        or row.path in index
        or not os.path.lexists(os.path.join(git.directory, row.path))
    ]


def _check_markers(worktree: Worktree, changed: Sequence[ChangedPath]) -> None:
    for row in changed:
        path = os.path.join(worktree.top, row.path)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            if has_markers(file.read()):
                raise HeldError(
                    f"'{row.path}' contains conflict markers; {NOTHING_COMMITTED}",
                    hint="Resolve the conflict first.",
                    code="conflicts",
                )


def has_markers(content: bytes) -> bool:
    """Say whether ``content`` has the three lines of a conflict, one after the other."""
    at = 0
    for marker in _MARKERS:
        found = marker.search(content, at)
        if found is None:
            return False
        at = found.end()
    return True


def _commit(
    git: Git, quiet: Git, changed: Sequence[ChangedPath], index: set[str], message: str
) -> None:
    """Have git commit exactly these paths. Git locks the index, and restores it on failure."""
    new = [row.path for row in changed if row.letter == "A" and row.path not in index]
    if new:
        _feed(git, "add", "--intent-to-add", paths=new)
    given = _pathspecs(_named(changed))
    options = ("--pathspec-from-file=-", "--pathspec-file-nul", "--quiet", "--cleanup=whitespace")
    try:
        git.run("commit", *options, "--only", f"--message={message}", given=given)
    except TorchError as error:
        if new:
            undo = os.fsencode("\0".join([*new, ""]))
            quiet.run("update-index", "-z", "--force-remove", "--stdin", given=undo)
        raise _explained(error, quiet, git.timeout) from error


def _settle(quiet: Git, before: str, made: str, changed: Sequence[ChangedPath]) -> None:
    """Make the index match the commit, also if a hook has added to it.

    If paths are named, git gives hooks another index, and the remaining one would undo their work.
    Raises ``TorchError`` if it cannot be written.
    """
    committed = {row.path for row in (*changed, *rows(quiet, before or empty_tree(quiet), made))}
    told = quiet.run("diff-index", "--cached", "--name-only", "-z", "--no-renames", made)
    differing = [path for path in os.fsdecode(told).split("\0") if path in committed]
    if not differing:
        return
    given = os.fsencode("\0".join(differing))
    try:
        quiet.run("reset", "--quiet", "--pathspec-from-file=-", "--pathspec-file-nul", given=given)
    except GitError as error:
        raise TorchError(
            f"{made[:10]} is committed in {quiet.directory}, and a hook changed it, but the index "
            f"still has {len(differing)} of its files as they were before that hook: {error.said}",
            hint="'git add -u' there fixes that.",
            code="index",
        ) from error


def _named(changed: Sequence[ChangedPath]) -> list[str]:
    """Return the paths to name. If a file replaces a directory, or a directory a file, the old path
    is left out, because git would not find it."""
    here = {row.path for row in changed if row.letter != "D"}
    filled = {parent for path in here for parent in above(path)}
    return [
        row.path
        for row in changed
        if row.letter != "D" or (row.path not in filled and here.isdisjoint(above(row.path)))
    ]


def _feed(git: Git, *words: str, paths: Sequence[str]) -> None:
    git.run(*words, "--pathspec-from-file=-", "--pathspec-file-nul", given=_pathspecs(paths))


def _pathspecs(paths: Sequence[str]) -> bytes:
    # Not GIT_LITERAL_PATHSPECS: hooks would inherit it.
    return os.fsencode("\0".join(f":(top,literal){path}" for path in paths))


def _explained(error: TorchError, quiet: Git, timeout: float) -> TorchError:
    top = quiet.directory
    if isinstance(error, TimedOutError):
        return TimedOutError(
            f"hooks or signing took more than {timeout:g} s in {top}, and were ended; "
            f"{NOTHING_COMMITTED}",
            hint="Signing may wait for a passphrase: unlock the key first. Or give --timeout.",
        )
    said = error.said if isinstance(error, GitError) else error.message
    if "failed to write commit object" in said and "No space" not in said and _signs(quiet):
        return TorchError(
            f"the commit in {top} could not be signed without a question; {NOTHING_COMMITTED}: "
            f"{said.splitlines()[0] if said else ''}",
            hint="Unlock the key first (its agent remembers it), and try again.",
            code="signing",
        )
    if "index.lock" in said:
        return HeldError(
            f"another git locks the index of {top}; {NOTHING_COMMITTED}", code="index-locked"
        )
    if "tell me who you are" in said or "ident name" in said:
        return RefusedError(
            f"git does not know who commits in {top}; {NOTHING_COMMITTED}",
            hint="git config user.name NAME; git config user.email ADDRESS",
            code="no-identity",
        )
    return TorchError(
        f"git did not commit in {top}; {NOTHING_COMMITTED}: {said[-1000:] or 'it did not say why'}",
        code="refused-by-git",
    )


def _signs(git: Git) -> bool:
    asked = git.run("config", "--type=bool", "--get", "commit.gpgSign", status=(0, 1))
    return asked.strip() == b"true"


VERBS = {"A": "add", "D": "delete", "M": "change", "T": "change"}


def summary(changed: Sequence[ChangedPath]) -> str:
    """Return a message made from the changes: ``Progress: add a.py, change b.py (2 files)``."""
    words = [f"{VERBS[row.letter]} {_shown(row.path)}" for row in changed]
    count = f"{len(changed)} file" + ("" if len(changed) == 1 else "s")
    if len(words) > 1:
        named = words[:3]
        while len(named) > 1 and len(", ".join(named)) > 50:
            named.pop()
        rest = len(words) - len(named)
        subject = f"Progress: {', '.join(named)}" + (f" and {rest} more ({count})" if rest else "")
    else:
        subject = f"Progress: {words[0]}"
    body = [f"- {word}" for word in words[:50]]
    body += [f"- and {len(words) - 50} more"] if len(words) > 50 else []
    return "\n".join([subject, "", *body]) if len(words) > 1 else subject


def _shown(path: str) -> str:
    return "".join(c if c.isprintable() and not "\udc80" <= c <= "\udcff" else "?" for c in path)
