"""The parts of Torch on a machine: what is there, and what removes it.

Each part is removed by itself, so that one that cannot be removed keeps no other. Nothing here ends
an agent or touches a worktree.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from torch_cli import paths
from torch_cli.errors import NotFoundError, RefusedError, TorchError
from torch_cli.programs import setup_files
from torch_cli.programs.changes import FileChange, apply
from torch_cli.roster.actor import actor
from torch_cli.schedule import crontab, daemon, service
from torch_cli.snippet import conf, running
from torch_cli.store import Store
from torch_cli.store.lease import HolderKind
from torch_cli.uninstall import completion, saved


class InstalledPart(NamedTuple):
    """One thing that Torch, or a person on its advice, has put there.

    ``what`` names it, and ``diff`` shows the change of files. ``remove`` removes it and returns
    what a person has left to do. If ``trouble`` is not ``None``, the part cannot be removed.
    """

    name: str
    what: str
    remove: Callable[[], list[str]]
    diff: str = ""
    trouble: TorchError | None = None


class Removal(NamedTuple):
    """What became of a part: what is ``left`` to do, and the ``error`` if it was not removed."""

    part: InstalledPart
    left: tuple[str, ...]
    error: TorchError | None = None


def parts(*, checkpoints: bool, state: bool) -> list[InstalledPart]:
    """Return what is there, in the order in which it is removed.

    ``checkpoints`` and ``state`` ask for these two, which hold a person's data. Raises
    ``RefusedError`` if an agent runs this process.
    """
    _check_person()
    finders: list[tuple[str, Callable[[], Iterator[InstalledPart]]]] = [
        ("service", _service),
        ("daemon", _daemon),
        ("crontab", _crontab),
        ("hooks", _hooks),
        ("tmux", _tmux),
        ("completion", _completion),
    ]
    finders += [("checkpoints", _checkpoints)] if checkpoints else []
    finders += [("state", _state)] if state else []
    found: list[InstalledPart] = []
    for name, find in finders:
        try:
            found += find()
        except TorchError as error:
            found.append(InstalledPart(name, error.message, list, trouble=error))
    return found


def _check_person() -> None:
    """Raise ``RefusedError`` if an agent runs this process."""
    if not has_state():
        return
    with Store() as store:
        own = actor(store).agent
    if own is not None:
        raise RefusedError(
            f"'{own.name}' is an agent, and only people uninstall Torch; nothing was removed",
            hint="Ask a person to run the command.",
            code="not-yours",
        )


def remove(part: InstalledPart) -> Removal:
    """Remove one part; an error is part of the result, and keeps no other part."""
    if part.trouble is not None:
        return Removal(part, (), part.trouble)
    try:
        return Removal(part, tuple(part.remove()))
    except TorchError as error:
        return Removal(part, (), error)


def has_state() -> bool:
    """Return whether there is a state file. Opening it would make one."""
    return os.path.exists(paths.database())


def _service() -> Iterator[InstalledPart]:
    unit = service.service()
    if os.path.lexists(unit.path):
        yield InstalledPart("service", unit.path, lambda: _ended(service.remove(unit, now=True)))


def _ended(left: list[str]) -> list[str]:
    return [f"run: {command}" for command in left]


def _daemon() -> Iterator[InstalledPart]:
    if not has_state():
        return
    with Store() as store:
        held = store.lease.current()
    if held is not None and held.kind is HolderKind.DAEMON:
        words = f"the daemon, process {held.process.pid}"
        yield InstalledPart("daemon", words, partial(_none_left, daemon.stop))


def _crontab() -> Iterator[InstalledPart]:
    try:
        change = crontab.change(keep=False)
    except NotFoundError:
        return  # no crontab on this machine
    if change.line_before:
        yield InstalledPart(
            "crontab", change.line_before, partial(_none_left, crontab.write, change.after)
        )


def _hooks() -> Iterator[InstalledPart]:
    yield from _files("hooks", setup_files.plan_undo_everywhere())


def _tmux() -> Iterator[InstalledPart]:
    yield from _files("tmux", conf.plan_removal())
    for path in running.servers():
        words = f"its keys and marks in the tmux server {path}, which goes on"
        yield InstalledPart("tmux server", words, partial(_none_left, running.take_back, path))


def _completion() -> Iterator[InstalledPart]:
    yield from _files("completion", completion.plan_removal())


def _files(name: str, changes: list[FileChange]) -> Iterator[InstalledPart]:
    needed = [change for change in changes if change.needed]
    if needed:
        what = ", ".join(change.path for change in needed)
        # What Torch alone wrote goes whole: its text would hide what becomes of a person's files.
        diff = "".join(change.diff for change in needed if change.after is not None)
        yield InstalledPart(name, what, partial(_none_left, apply, changes), diff)


def _checkpoints() -> Iterator[InstalledPart]:
    for one in saved.repositories():
        words = f"{one.held} checkpoint{'s' if one.held != 1 else ''} in {one.worktree.top}"
        yield InstalledPart("checkpoints", words, partial(_none_left, saved.delete, one))


def _state() -> Iterator[InstalledPart]:
    if has_state():
        saved.check_nobody_lives()
    if os.path.isdir(paths.state_dir()):
        yield InstalledPart("state", paths.state_dir(), saved.delete_state)


def _none_left(remove: Callable[..., object], *given: object) -> list[str]:
    remove(*given)
    return []
