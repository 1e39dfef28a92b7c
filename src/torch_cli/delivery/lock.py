"""One sender at a time for each pane: a file lock that ends with its holder."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator

from torch_cli.errors import HeldError
from torch_cli.flock import hold, open_lock
from torch_cli.paths import state_dir


@contextlib.contextmanager
def pane_lock(
    server: str,
    pane: str,
    holder: str,
    timeout: float,
    *,
    on_wait: Callable[[str], None] = lambda by: None,
) -> Iterator[None]:
    """Hold the right to type into ``pane`` of ``server``.

    ``holder`` is shown to others while they wait, by ``on_wait``. Raises ``HeldError`` with the
    present holder's words if the right is not free within ``timeout`` seconds.
    """
    file = open_lock(_path(server, pane), "nothing was typed")
    try:
        if not hold(file, time.monotonic() + timeout, lambda: on_wait(_holder(file))):
            raise HeldError(
                f"{_holder(file)} is typing into pane {pane}; nothing was typed",
                hint="Send again when it has finished.",
                code="locked",
            )
        _tell(file, f"{os.getpid()} {holder}")
        yield
    finally:
        os.close(file)


def typist_of(server: str, pane: str) -> int:
    """Return the process that has the right to type into ``pane`` now, 0 if none has.

    The look takes the lock for microseconds, so ask only where something seems left behind.
    """
    with contextlib.suppress(OSError):
        file = os.open(_path(server, pane), os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            said = os.pread(file, 20, 0).decode("utf-8", "replace").partition(" ")[0]
            return int(said) if said.isdecimal() else -1
        finally:
            os.close(file)
    return 0


def _path(server: str, pane: str) -> str:
    # The server's process and its start identify it like its path, and fit into a file's name.
    return os.path.join(state_dir(), "locks", "-".join([*server.rsplit("|", 2)[1:], pane]))


def _holder(file: int) -> str:
    said = os.pread(file, 200, 0).decode("utf-8", "replace").strip()
    return f"another sender (process {said})"


def _tell(file: int, holder: str) -> None:
    """Record who holds the lock. On a full disk this is left out."""
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, holder.encode("utf-8", "replace"), 0)
