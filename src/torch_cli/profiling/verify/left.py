"""What a proof leaves behind whose processes were all killed at once: it is found, and ended.

While a proof runs, a file in the state directory names its directory, and its process has a lock on
that file. The lock ends with the process, however that ends. So a file without a lock is that of a
dead proof, and what runs in its directory was started by nobody else.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from torch_cli import flock, paths
from torch_cli.errors import TorchError
from torch_cli.profiling.verify.leaving import leave_nothing

_TRY_ONCE = 0.0
"""A deadline that has passed: the lock of a proof that runs is not waited for."""


class _Place(NamedTuple):
    """The directory of a proof, and what tells it from a later one of that name."""

    root: str
    device: int
    inode: int

    @property
    def stands(self) -> bool:
        """Whether it is still there, and this user's."""
        try:
            facts = os.lstat(self.root)
        except OSError:
            return False
        return (facts.st_dev, facts.st_ino) == self[1:] and facts.st_uid == os.geteuid()


@contextlib.contextmanager
def noted(root: Path) -> Iterator[None]:
    """Note that a proof runs in ``root``, as long as the block lasts or its process is killed.

    If the state directory cannot be written, nothing is noted.
    """
    path = _folder() / root.name
    fresh = path.with_name(f".{root.name}")
    facts = os.lstat(root)
    file = -1
    try:
        with contextlib.suppress(TorchError, OSError):
            file = flock.open_lock(str(fresh), "nothing was noted")
            if flock.hold(file, _TRY_ONCE):  # before it has its name, so that it never lacks a lock
                place = _Place(str(root), facts.st_dev, facts.st_ino)
                os.write(file, json.dumps(place).encode())
                fresh.rename(path)
        yield
    finally:
        for one in (path, fresh):
            with contextlib.suppress(OSError):
                one.unlink()
        if file >= 0:
            os.close(file)


def left() -> list[Path]:
    """Return the directories of dead proofs, which may have tmux servers and programs in them."""
    found = []
    for path in _notes():
        with _dead(path) as place:
            if place is not None and place.stands:
                found.append(Path(place.root))
    return found


def end_left() -> list[Path]:
    """End what dead proofs have left, with their directories; return those."""
    ended = []
    for path in _notes():
        with _dead(path) as place:
            if place is None:
                continue
            if place.stands:
                leave_nothing(Path(place.root), by_directory=False)
                ended.append(Path(place.root))
            with contextlib.suppress(OSError):
                path.unlink()
    return ended


def _folder() -> Path:
    return Path(paths.state_dir(), "verifying")


def _notes() -> list[Path]:
    try:
        return sorted(path for path in _folder().iterdir() if path.name.startswith("torch-"))
    except OSError:
        return []


@contextlib.contextmanager
def _dead(path: Path) -> Iterator[_Place | None]:
    """Yield the place that a note names if its proof is dead; nobody else ends it meanwhile."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        yield None
        return
    try:
        yield _read(file)
    finally:
        os.close(file)


def _read(file: int) -> _Place | None:
    """Return what stands in a note; ``None`` if its proof runs, or that cannot be read."""
    try:
        if not flock.hold(file, _TRY_ONCE):
            return None
        root, device, inode = json.loads(os.read(file, 1 << 16))
    except (OSError, ValueError, TypeError):
        return None
    known = isinstance(root, str) and isinstance(device, int) and isinstance(inode, int)
    return _Place(root, device, inode) if known else None
