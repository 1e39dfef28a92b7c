"""What a start that was killed has left: a window with the agent's program, and no agent.

Its ``torch`` was killed after it had opened the window and before it had registered the agent. The
name of the window is taken then, and the program gets no messages. Each start writes down a token
before it opens its window, gives the program the token as a variable, and strikes it out once the
agent is registered. A program with a token that was not struck out is such a leftover.
"""

import contextlib
import hashlib
import os
import secrets
import select
import time
from collections.abc import Iterator

from torch_cli import procs
from torch_cli.errors import HeldError, NotFoundError
from torch_cli.lifecycle.processes import end_tree
from torch_cli.paths import state_dir
from torch_cli.store import Store
from torch_cli.store.database import StoreError
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.remains import TOKEN, token_of
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import close_window

LEFTOVER_SECONDS = 600.0
"""A leftover that is older is left alone: a person may have found it, and work in it."""

ENDS_SECONDS = 5.0
"""Seconds in which the program of a closed window must have ended."""


class Start:
    """The start of an agent ``name``; ``begun`` is its token. The lock of such starts is held."""

    def __init__(self, name: str) -> None:
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._file = os.path.join(state_dir(), "locks", f"start-{digest}.token")
        self.begun = secrets.token_hex(8)

    @property
    def variables(self) -> dict[str, str]:
        """What the program gets."""
        return {TOKEN: self.begun}

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Keep the token written down while the block runs: only who is killed leaves it."""
        try:
            with open(self._file, "w", encoding="ascii") as file:
                file.write(self.begun)
        except OSError as error:
            raise StoreError(f"{self._file}: {error.strerror}; nothing was started") from error
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.unlink(self._file)

    def close_leftovers(self, store: Store, socket: Socket, keep: str = "") -> list[str]:
        """Close the window that the last start has left; return a note for it.

        In the pane ``keep``, which stays, only its program is ended. One whose program was ever an
        agent is no leftover, although its start was killed just before it struck out the token.
        Raises ``HeldError`` if its program does not end.
        """
        token = self._left()
        left = [pane for pane in _panes(socket) if token and _is_of(socket, pane, token)]
        left = [pane for pane in left if not store.agents.ever_in(pane.at)]
        left = [pane for pane in left if not (pane.dead and pane.id == keep)]
        return [_close(socket, pane, keep=pane.id == keep) for pane in left]

    def _left(self) -> str:
        try:
            with open(self._file, encoding="ascii") as file:
                return file.read(64)
        except (OSError, ValueError):
            return ""


def _panes(socket: Socket) -> list[Pane]:
    try:
        return list_panes(socket)
    except NotFoundError:  # no server
        return []


def _is_of(socket: Socket, pane: Pane, token: str) -> bool:
    """Return whether the process of ``pane`` was begun by the start with ``token``.

    If it lives, lately: a person may work in an older one. One that has ended keeps its pane, and
    with that the name.
    """
    if pane.dead:
        return token_of(socket, pane) == token
    process = procs.identify(pane.pid)
    if process is None or (procs.environment(pane.pid) or {}).get(TOKEN) != token:
        return False
    begun = procs.begun(process)
    return begun is not None and time.time() - begun < LEFTOVER_SECONDS


def _close(socket: Socket, pane: Pane, *, keep: bool) -> str:
    process = None if pane.dead else procs.identify(pane.pid)
    if keep:
        end_tree(pane)
    else:
        close_window(socket, pane)
    deadline = time.monotonic() + ENDS_SECONDS
    while process is not None and procs.alive(process):
        if time.monotonic() > deadline:
            raise HeldError(
                f"an interrupted start has left process {pane.pid}, which does not end; nothing "
                "was started",
                hint="Look at it, and end it.",
                code="still-running",
            )
        select.select([], [], [], 0.02)
    if keep:
        return f"an interrupted start had left its program in {pane.id}: it was ended"
    return f"an interrupted start had left its window {pane.id}: it was closed"
