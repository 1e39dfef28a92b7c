"""What names one life of one pane, on every server that ever was: a value of three parts."""

from typing import NamedTuple


class PaneId(NamedTuple):
    """The ``server`` (``Pane.server``), tmux's id of the ``pane`` (``%7``), and the ``pid`` of the
    process that tmux started in it: ids begin anew with each server, and panes are respawned.
    """

    server: str
    pane: str
    pid: int

    @property
    def columns(self) -> dict[str, str | int]:
        """The columns of a table that hold it."""
        return {"server": self.server, "pane": self.pane, "pane_pid": self.pid}
