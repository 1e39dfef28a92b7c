"""How the process of a pane has ended, also where tmux has missed that."""

import time

from torch_cli import procs
from torch_cli.tmux import quote
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, list_panes, pane_at
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

MISSED_SECONDS = 2.0
"""Seconds in which tmux is made to see the end of a process. Each time takes some 10 ms."""
_MISSED_POLL_SECONDS = 0.01


def with_end(pane: Pane, client: ControlClient | None = None) -> Pane:
    """Return ``pane``, with how its process has ended if it has, over ``client`` if one is open.

    tmux tells the signal since 3.3. Before, both are ``None`` after a signal. tmux built with
    utempter (Debian's 3.3a) sometimes misses the end of a process, until another one of its
    processes ends (17 to 24 of 40, 2026-11-25; GitHub issue 4559). So Torch has it run one, and
    again while it has not seen the end: it can miss that one, too (3 of 60, 2026-11-30).
    """
    if pane.dead_status is not None or pane.dead_signal is not None:
        return pane
    process = None if pane.dead else procs.identify(pane.pid)
    if process is not None and procs.alive(process):
        return pane
    deadline = time.monotonic() + MISSED_SECONDS
    while True:
        _run_one(pane, client)
        ended = procs.identify(pane.pid)
        # One that is not alive and still has a number has ended, and tmux has not seen it.
        last = ended is None or procs.alive(ended) or time.monotonic() >= deadline
        now = _known_of(pane, client)
        if last:
            return now
        time.sleep(_MISSED_POLL_SECONDS)


def _run_one(pane: Pane, client: ControlClient | None) -> None:
    """Have tmux run a process, without waiting for it: tmux may miss the end of that, too."""
    words = ("run-shell", "-b", ":")
    if client is None:
        run(Socket(path=pane.socket_path), "-N", *words)
    else:
        client.ask(quote.line(*words))


def _known_of(pane: Pane, client: ControlClient | None) -> Pane:
    """Return what tmux knows of ``pane`` now."""
    if client is None:
        return pane_at(pane.socket_path, pane.server, pane.id, pane.pid) or pane
    panes = [] if client.closed else list_panes(client.socket, client)
    return next((one for one in panes if one.at == pane.at), pane)
