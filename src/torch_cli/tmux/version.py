"""Versions of tmux: reading them, the version of a server, and names that versions change."""

import os
import re

from torch_cli.errors import RefusedError
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

OLDEST = (3, 2)
"""The oldest tmux that has what Torch needs: ``-f ignore-size``, ``new-session -e``, ``-N``."""

_seen: dict[tuple[int, ...], str] = {}
"""The versions of the servers that this process has asked, by the identity of their sockets."""


def numbers(version: str) -> tuple[int, int] | None:
    """Return the numbers of tmux ``version``: (3, 3) of ``3.3a``, (3, 8) of ``next-3.8``.

    ``None`` if it has none, or only those of OpenBSD, whose tmux has no version of its own.
    """
    found = re.search(r"(\d{1,9})\.(\d{1,9})", version)
    return (int(found[1]), int(found[2])) if found and "openbsd" not in version else None


def check_version(version: str) -> None:
    """Raise ``RefusedError`` if ``version`` (``3.3a``) is older than ``OLDEST``."""
    known = numbers(version)
    if known and known < OLDEST:
        raise RefusedError(
            f"tmux {version} is too old: Torch needs {OLDEST[0]}.{OLDEST[1]} or later",
            hint="Install a newer tmux; a running server keeps its version until it ends.",
            code="old-tmux",
        )


def kept_name(name: str, version: str) -> str:
    """Return the name that tmux ``version`` keeps for a window that gets the name ``name``.

    From 3.7 on tmux doubles backslashes (``clean_name()`` in its tmux.c).
    """
    return name.replace("\\", "\\\\") if (numbers(version) or OLDEST) >= (3, 7) else name


def note(socket: Socket, version: str) -> None:
    """Remember that the server at ``socket`` has ``version``."""
    if identity := _identity(socket):
        _seen[identity] = version


def of_server(socket: Socket) -> str:
    """Return the version of the server, '' if none answers; it is asked only once.

    Raises ``TorchError`` if there is no tmux, or it takes too long.
    """
    version = _seen.get(_identity(socket), "")
    if not version:
        version = run(socket, "-N", "display-message", "-p", "#{version}").out.strip()
        note(socket, version)
    return version


def _identity(socket: Socket) -> tuple[int, ...]:
    """Return what distinguishes this socket from one of a later server at the same path.

    The socket's modification time is the time when it was made. Attaching changes its mode, and so
    its ctime.
    """
    try:
        found = os.stat(socket.file)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_mtime_ns)
