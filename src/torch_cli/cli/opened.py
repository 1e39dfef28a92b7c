"""What ``-v`` prints about an opened window."""

from typing import TYPE_CHECKING

from torch_cli.cli.common import Common

if TYPE_CHECKING:
    from torch_cli.tmux.window import OpenedWindow


def explain(opened: "OpenedWindow", common: Common) -> None:
    """Print with -v how the window was opened."""
    pane = opened.pane
    made = "created" if opened.created_session else "exists already"
    which = "reused" if opened.reused else "opened"
    for words in (
        f"tmux server {pane.socket_path}",
        f"session {pane.session} ({pane.session_id}) {made}",
        f"window {pane.window} ({pane.window_id}, pane {pane.id}) {which}",
        f"its process {pane.pid} is in {opened.directory or 'a directory that cannot be seen'}",
    ):
        common.tell(words)
