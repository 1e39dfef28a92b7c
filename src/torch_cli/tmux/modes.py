"""Leaving copy mode and other modes, unless a person is looking at the pane."""

from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, list_panes


def leave_mode(client: ControlClient, pane: Pane) -> str:
    """End every mode of ``pane``, unless the client of a person shows a session with its window.

    Returns '' if the modes were ended, else the name of the client of a person who is looking.
    Control-mode clients are programs and do not count.
    """
    sessions = {
        other.session_id
        for other in list_panes(client.socket, client)
        if other.window_id == pane.window_id
    }
    rows = client.call(
        "list-clients", "-F", "#{?client_control_mode,1,0} #{session_id} #{client_name}"
    ).lines
    for row in rows:
        control, session, name = row.split(" ", 2)
        if control == "0" and session in sessions:
            return name
    client.call("copy-mode", "-q", "-t", pane.id)
    return ""
