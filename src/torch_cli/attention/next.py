"""The way to who needs you, and back to where you were."""

from typing import NamedTuple

from torch_cli.attention.needs import Need, needs
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.roster.registry import find
from torch_cli.store import Store
from torch_cli.tmux.attach import Attachment, came_from, client_here, inside, keep, switch
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.socket import Socket


class Visit(NamedTuple):
    """The next one who needs you, where, and the client that can be switched there.

    ``client`` is ``None`` where this terminal has to be attached instead.
    """

    need: Need
    pane: Pane
    client: Attachment | None


def next_step(store: Store, socket: Socket, client: str | None = None) -> Visit | str:
    """Return who needs you and has waited longest; if nobody else does, who is shown, '' if nobody.

    Who is shown already is passed over, for the one that has waited longest after it. ``client`` is
    the name of the terminal that is meant. Raises ``NotFoundError`` if there is no such client.
    """
    home = inside() or (socket if client is not None else None)
    here = client_here(home, client) if home is not None else None
    waiting = [one for one in needs(store, socket) if one.urgent and _is_there(one)]
    shown = [
        at
        for at, one in enumerate(waiting)
        if here is not None
        and home is not None
        and one.agent.pane == here.pane
        and home.leads_to(one.agent.socket)
    ]
    if not waiting or len(waiting) == len(shown):
        return waiting[shown[0]].agent.name if shown else ""
    at = (shown[0] + 1) % len(waiting) if shown else 0
    need = waiting[at]
    pane = find(store, socket, need.agent.name).pane
    same = here is not None and home is not None and home.leads_to(pane.socket_path)
    return Visit(need, pane, here if same else None)


def go(step: Visit) -> None:
    """Switch the client of ``step`` to the agent, and keep where it was, for ``back``."""
    client, pane = step.client, step.pane
    assert client is not None
    socket, place = Socket(path=pane.socket_path), f"{pane.session_id}/{pane.window_id}/{pane.id}"
    before, brought = came_from(socket, client)
    # From one who needs you to the next: you still want to go back to where you were at first.
    first = before if before and client.place == brought else client.place
    keep(socket, client, first, place)
    if not switch(socket, client, place):
        raise NotFoundError(f"the pane of '{step.need.agent.name}' has gone", code="vanished")


def back(socket: Socket, name: str | None = None) -> Attachment:
    """Switch the client back to where it was before ``go``, and return it as it was.

    Raises ``RefusedError`` outside of tmux and if nothing is kept, ``NotFoundError`` if the place
    has gone.
    """
    home = inside() or (socket if name is not None else None)
    client = client_here(home, name) if home is not None else None
    if home is None or client is None:
        raise RefusedError(
            "this terminal is not inside tmux: there is nothing to go back to",
            hint="If 'torch next' has attached it, detach: the prefix key, then d.",
            code="no-client",
        )
    before, _ = came_from(home, client)
    if not before:
        raise RefusedError(
            "'torch next' has not brought this terminal anywhere", code="nothing-kept"
        )
    keep(home, client, "", "")
    if not switch(home, client, before):
        raise NotFoundError("the pane where you were has gone", code="vanished")
    return client


def _is_there(one: Need) -> bool:
    """Return whether there is a pane to look at."""
    return one.state.error is None and one.state.state.rule != "gone"
