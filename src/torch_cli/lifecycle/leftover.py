"""What a start that was killed has left: a window with the agent's program, and no agent.

Its ``torch`` was killed after it had opened the window and before it had registered the agent. The
name of the window is taken then, and the program gets no messages.
"""

from torch_cli import procs
from torch_cli.errors import NotFoundError
from torch_cli.paths import is_chosen, state_dir
from torch_cli.store import Store
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import close_window

_BY_TORCH = "/usr/bin/env "
"""How the command of a window begins that Torch has opened. Nobody types that before a path."""


def close_leftovers(
    store: Store, socket: Socket, name: str, session: str | None, program: str
) -> list[str]:
    """Close the windows that starts of the agent ``name`` have left; return a note for each.

    The caller holds the lock of its starts, so that no other start is under way. Only a window is
    closed whose process Torch itself began for this agent: by its name, by ``program``, the path of
    its program, and by the variables that Torch gives to an agent, or if the process has ended, by
    the form of its command. ``session`` is where to look, ``None`` for everywhere.
    """
    notes = []
    for pane in _named(socket, name, session):
        known = any(agent.at == pane.at for agent in store.agents.all())
        if not known and _is_ours(socket, pane, name, program) and close_window(socket, pane):
            notes.append(f"an interrupted start had left its window {pane.id}: it was closed")
    return notes


def _named(socket: Socket, name: str, session: str | None) -> list[Pane]:
    try:
        panes = list_panes(socket)
    except NotFoundError:  # no server
        return []
    return [one for one in panes if one.window == name and session in (None, one.session)]


def _is_ours(socket: Socket, pane: Pane, name: str, program: str) -> bool:
    command = _command(socket, pane)
    if program not in command:
        return False
    if pane.dead:
        return command.startswith(_BY_TORCH)
    known = procs.environment(pane.pid) or {}
    home = state_dir() if is_chosen() else None
    return (known.get("TORCH_AGENT"), known.get("TORCH_HOME")) == (name, home)


def _command(socket: Socket, pane: Pane) -> str:
    """Return the command that tmux was given for ``pane``, '' for a shell."""
    done = run(socket, "-N", "display-message", "-p", "-t", pane.id, "#{pane_start_command}")
    return done.out if done.status == 0 else ""
