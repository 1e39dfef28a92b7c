"""Whether anybody can see the pane of tmux that this process draws in."""

import os

from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.tmux.attach import inside
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.process import run
from torch_cli.tmux.running import server_at
from torch_cli.tmux.terminals import is_seen


class Onlookers:
    """Asks the tmux server that this process runs in. It belongs to one thread.

    In a popup, in another terminal, and where tmux does not answer, somebody is taken to look.
    """

    def __init__(self) -> None:
        self._socket = inside()
        self._pane = os.environ.get("TMUX_PANE", "")
        self._device = _device()
        self._client: ControlClient | None = None

    def any(self) -> bool:
        """Return whether a terminal shows the pane now."""
        if self._socket is None or not self._pane or not self._device:
            return True
        try:
            if self._client is None or self._client.closed:
                _, session = server_at(self._socket)
                self._client = ControlClient(self._socket, session, hears=False)
            return is_seen(self._client, self._pane, self._device)
        except TorchError:
            self.close()
            return True

    def close(self) -> None:
        """Leave the server."""
        if self._client is not None:
            self._client.close()
            self._client = None


def in_popup() -> bool:
    """Return whether tmux has started this process in no pane of its own: in a popup.

    Another terminal in a pane, as ``script`` or an editor opens one, is in that pane.
    """
    socket = inside()
    if socket is None or not _device():
        return False
    done = run(socket, "-N", "list-panes", "-a", "-F", "#{pid} #{pane_pid}")
    rows = [line.split() for line in done.out.splitlines()]
    if done.status != 0 or not all(len(row) == 2 for row in rows):
        return False
    family = {str(one) for one in procs.ancestors(os.getpid())}
    return any(row[0] in family for row in rows) and not any(row[1] in family for row in rows)


def _device() -> str:
    try:
        return os.ttyname(1)
    except OSError:
        return ""
