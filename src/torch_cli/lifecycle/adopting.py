"""Registering a program that Torch has found by itself, if it is still the one that was shown."""

from torch_cli.errors import RefusedError
from torch_cli.lifecycle.spawn import adopt
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.panes import pane_at
from torch_cli.tmux.socket import Socket
from torch_cli.watch.strangers import Stranger


def adopt_stranger(store: Store, one: Stranger, name: str) -> Agent:
    """Register the program of ``one`` as the agent ``name``.

    Raises ``RefusedError``, with nothing registered, if another program has its pane now, and what
    ``adopt`` raises.
    """
    pane = one.pane
    now = pane_at(pane.socket_path, pane.server, pane.id, pane.pid)
    if now is None or now.dead or now.command != pane.command:
        raise RefusedError(
            f"the program in pane {pane.id} ({pane.place}) has ended since; it was not registered",
            code="vanished",
        )
    return adopt(store, Socket(path=pane.socket_path), pane.id, name, one.profile.name)
