"""The last lines of a pane, its history included where tmux keeps one."""

import re
from typing import NamedTuple

from torch_cli.errors import NotFoundError
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

_SGR = re.compile(r"\x1b\[[0-9;:]*m|[\x0e\x0f]")


class Shown(NamedTuple):
    """What a pane shows. ``alternate`` says that its program draws on the alternate screen.

    tmux keeps no history of the alternate screen: the lines above it are older than the program.
    """

    lines: list[str]
    alternate: bool


def last_lines(socket: Socket, pane: Pane, *, history: bool = False) -> list[str]:
    """Return the lines of ``shown``."""
    return shown(socket, pane, history=history).lines


def shown(
    socket: Socket,
    pane: Pane,
    *,
    count: int | None = None,
    history: bool = False,
    ansi: bool = False,
    join: bool = False,
) -> Shown:
    """Return what ``pane`` shows, without blank lines at the end.

    ``count`` asks for exactly that many last lines, if they exist, and ``history`` for all that
    tmux has kept. ``ansi`` keeps colours, ``join`` joins wrapped lines. Raises ``NotFoundError`` if
    the pane is gone.
    """
    flags = ["-p", *(["-e"] if ansi else []), *(["-J"] if join else [])]
    # Blank lines at the end do not count, and joining makes fewer, so all of it is read: 100,000
    # lines of history took 0.1 s (tmux 3.3a, 2026-11-22).
    if history or count is not None:
        flags += ["-S", "-"]
    asked = ("display-message", "-p", "-t", pane.id, "#{?alternate_on,1,0}")
    done = run(socket, "-N", *asked, ";", "capture-pane", *flags, "-t", pane.id, timeout=30.0)
    if done.status != 0:
        raise NotFoundError(f"pane {pane.id} ({pane.place}) is gone: {done.error}")
    alternate, *lines = done.out.split("\n")
    while lines and not _SGR.sub("", lines[-1]).strip():
        lines.pop()
    return Shown(lines[-count:] if count is not None else lines, alternate == "1")
