"""A commit on the current branch, as its user makes it: with identity, hooks and signing."""

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.checkpoint.audit import note_event
from torch_cli.checkpoint.record import Occasion, Outcome, take_locked
from torch_cli.checkpoint.scan import STATUS, Entry, LeftOut, entries
from torch_cli.checkpoint.settings import Settings
from torch_cli.commit.obstacle import check_quiet, read_head
from torch_cli.errors import HeldError, RefusedError, TimedOutError, TorchError
from torch_cli.git.command import Git, GitError
from torch_cli.git.filters import read_configuration
from torch_cli.git.worktree import Worktree, locked

TIMEOUT = 60.0
"""Seconds that hooks and signing may take: nobody is there to answer a prompt."""

NOTHING = "nothing was committed"

_MARKERS = re.compile(rb"^<{7} .*\n(?:.*\n)*?={7}\n(?:.*\n)*?>{7} ", re.MULTILINE)


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
    timeout: float = TIMEOUT,
) -> Committed | None:
    """Commit what has changed in ``worktree``, new files too; ``None`` if nothing has.

    A checkpoint comes first, and what it leaves out is left out here as well. Without ``message``
    it is ``said``, what the agent last said of its work, else one is made of the changed files.
    Raises ``HeldError`` in the middle of a merge and the like, on a detached HEAD, with conflicts
    or their markers; ``TorchError`` if a hook or signing refuses, ``TimedOutError`` after
    ``timeout`` seconds. Nothing is committed then, and the index is as it was.
    """
    if worktree.shadow:
        raise RefusedError(
            f"{worktree.top} is in no repository of yours; {NOTHING}", code="not-a-repository"
        )
    with locked(worktree) as lock:
        quiet = worktree.git(lock=lock)
        check_quiet(worktree, quiet, NOTHING)
        head = read_head(quiet)
        if not head.branch:
            raise HeldError(
                f"HEAD is detached in {worktree.top}; {NOTHING}",
                hint="'torch branch start NAME' makes a branch from here.",
                code="detached",
            )
        outcome, below = take_locked(worktree, settings, Occasion("commit", agent), lock)
        configuration = read_configuration(worktree, quiet)
        quiet = quiet._replace(settings=configuration.settings)
        assert outcome.last is not None
        changed = _changed(worktree, quiet, outcome, below)
        # What is only in the index, of which the files are as HEAD has them, is somebody's own.
        if not changed or outcome.last.tree == _tree_of(quiet, head.commit):
            return None
        _check_markers(worktree, changed)
        text = message.strip() or said or summary(changed)
        trailers = [f"Torch-Agent: {agent}"] if agent else []
        trailers += [f"Torch-Checkpoint: {outcome.last.id}"]
        git = Git(worktree.top, visible=True, timeout=timeout, settings=configuration.settings)
        _commit(git, quiet, changed, "\n".join([text, "", *trailers, ""]))
        made = read_head(quiet)
        detail = {"commit": made.commit, "branch": made.branch, "checkpoint": outcome.last.id}
        note_event("commit", worktree, detail, actor=agent)
        return Committed(
            commit=made.commit,
            branch=made.branch,
            subject=text.partition("\n")[0],
            files=len(changed),
            checkpoint=outcome.last.id,
            left_out=outcome.left_out,
        )


def _tree_of(git: Git, commit: str) -> str:
    return git.text("rev-parse", f"{commit}^{{tree}}") if commit else ""


def _changed(worktree: Worktree, git: Git, outcome: Outcome, below: Sequence[str]) -> list[Entry]:
    """Return the entries that go into the commit."""
    nested = {os.path.relpath(top, worktree.top) for top in below}
    left_out = [one.path for one in outcome.left_out]
    groups = tuple(path for path in left_out if path.endswith("/"))
    loose = "./" in groups  # new files at the top are too many
    return [
        entry
        for entry in entries(git.run(*STATUS))
        if entry.path not in left_out
        and not (entry.new and entry.path.rstrip("/") in nested)
        and not (entry.new and (entry.path.startswith(groups) or (loose and "/" not in entry.path)))
    ]


def _check_markers(worktree: Worktree, changed: Sequence[Entry]) -> None:
    for entry in changed:
        path = os.path.join(worktree.top, entry.path)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            if _MARKERS.search(file.read()):
                raise HeldError(
                    f"'{entry.path}' has conflict markers in it; {NOTHING}",
                    hint="Settle the conflict first.",
                    code="conflicts",
                )


def _commit(git: Git, quiet: Git, changed: Sequence[Entry], message: str) -> None:
    """Let git commit just these paths: it locks the index, and puts it back if that fails."""
    known = quiet.run("ls-files", "-z").split(b"\0")
    index = {os.fsdecode(path) for path in known}
    new = [entry.path for entry in changed if entry.new]
    # A path that is staged as deleted, and not on disk, is known to HEAD alone: that is enough.
    if new:
        _feed(git, "add", "--intent-to-add", paths=new)
    given = _pathspecs([entry.path for entry in changed])
    options = ("--pathspec-from-file=-", "--pathspec-file-nul", "--quiet", "--cleanup=whitespace")
    try:
        git.run("commit", *options, "--only", f"--message={message}", given=given)
    except TorchError as error:
        if new:
            undo = os.fsencode("\0".join([*(path for path in new if path not in index), ""]))
            quiet.run("update-index", "-z", "--force-remove", "--stdin", given=undo)
        raise _explained(error, git.directory, git.timeout) from error


def _feed(git: Git, *words: str, paths: Sequence[str]) -> None:
    git.run(*words, "--pathspec-from-file=-", "--pathspec-file-nul", given=_pathspecs(paths))


def _pathspecs(paths: Sequence[str]) -> bytes:
    # Not GIT_LITERAL_PATHSPECS: hooks would inherit it.
    return os.fsencode("\0".join(f":(top,literal){path}" for path in paths))


def _explained(error: TorchError, top: str, timeout: float) -> TorchError:
    if isinstance(error, TimedOutError):
        return TimedOutError(
            f"hooks or signing took more than {timeout:g} s in {top}, and were ended; {NOTHING}",
            hint="Signing may wait for a passphrase: unlock the key first. Or give --timeout.",
        )
    said = error.said if isinstance(error, GitError) else error.message
    if any(word in said for word in ("failed to sign", "gpg", "Couldn't sign", "signing")):
        return TorchError(
            f"the commit in {top} could not be signed without asking for something; {NOTHING}: "
            f"{said.splitlines()[0] if said else ''}",
            hint="Unlock the key first (its agent remembers it), and try again.",
            code="signing",
        )
    if "index.lock" in said:
        return HeldError(f"another git locks the index of {top}; {NOTHING}", code="index-locked")
    if "tell me who you are" in said or "ident name" in said:
        return RefusedError(
            f"git does not know who commits in {top}; {NOTHING}",
            hint="git config user.name NAME; git config user.email ADDRESS",
            code="no-identity",
        )
    return TorchError(
        f"git did not commit in {top}; {NOTHING}: {said[-1000:] or 'it did not say why'}",
        code="refused-by-git",
    )


VERBS = {"A": "add", "?": "add", "D": "delete", "M": "change", "T": "change"}


def summary(changed: Sequence[Entry]) -> str:
    """Return a message made of what has changed: ``Progress: add a.py, change b.py (2 files)``."""
    words = [f"{_verb(entry)} {_shown(entry.path)}" for entry in changed]
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


def _verb(entry: Entry) -> str:
    letter = entry.changed if entry.changed != "." else entry.staged
    return VERBS.get("A" if entry.staged == "A" and letter != "D" else letter, "change")


def _shown(path: str) -> str:
    return "".join(c if c.isprintable() and not "\udc80" <= c <= "\udcff" else "?" for c in path)
