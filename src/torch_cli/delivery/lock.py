"""One sender at a time for each pane: a file lock that ends with its holder."""

import contextlib
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
    directory = os.path.join(state_dir(), "locks")
    # The server's process and its start identify it like its path, and fit into a file's name.
    name = "-".join([*server.rsplit("|", 2)[1:], pane])
    file = open_lock(os.path.join(directory, name), "nothing was typed")
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


def _holder(file: int) -> str:
    said = os.pread(file, 200, 0).decode("utf-8", "replace").strip()
    return f"another sender (process {said})"


def _tell(file: int, holder: str) -> None:
    """Record who holds the lock. On a full disk this is left out."""
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, holder.encode("utf-8", "replace"), 0)
