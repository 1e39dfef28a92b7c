"""The identity of one pane with one process in it, on one server: a value of three parts."""

from typing import NamedTuple


class PaneId(NamedTuple):
    """The ``server`` (``Pane.server``), tmux's id of the ``pane`` (``%7``), and the ``pid`` of the
    process that tmux started in the pane. Ids begin again with each server, and a pane can be
    respawned.
    """

    server: str
    pane: str
    pid: int

    @property
    def columns(self) -> dict[str, str | int]:
        """The columns of a table that hold it."""
        return {"server": self.server, "pane": self.pane, "pane_pid": self.pid}
