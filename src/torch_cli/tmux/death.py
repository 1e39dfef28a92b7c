"""How the process of a dead pane has ended, as tmux knows it."""

from typing import NamedTuple

from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

_FACTS = "#{pane_pid}\t#{?pane_dead,1,0}\t#{pane_dead_status}\t#{pane_dead_signal}"


class Death(NamedTuple):
    """The exit status of the process, or the signal that ended it; ``None`` if tmux does not know.

    tmux tells the signal since version 3.3.
    """

    status: int | None
    signal: int | None


def death_of(pane: Pane) -> Death | None:
    """Return how the process of ``pane`` has ended; ``None`` if it has not, or the pane is gone."""
    socket = Socket(path=pane.socket_path)
    # tmux built with utempter misses ends until another of its processes ends: see with_status.
    run(socket, "-N", "run-shell", ":")
    done = run(socket, "-N", "display-message", "-p", "-t", pane.id, _FACTS)
    values = done.out.rstrip("\n").split("\t")
    # If its target is gone, display-message answers for another pane.
    if done.status != 0 or values[:2] != [str(pane.pid), "1"]:
        return None
    status, signal = (int(value) if value.isdecimal() else None for value in values[2:4])
    return Death(status, signal)
