"""What a scheduler has done for an agent by itself, for its log and for people."""

import contextlib
from typing import NamedTuple

from torch_cli.errors import TorchError


class Did(NamedTuple):
    """Something that was done for an agent, or that failed, with its error.

    ``what`` is its name in the log. ``people`` says that there is no agent to tell, so people
    should see it. ``socket`` is that of the agent's tmux server.
    """

    what: str
    agent: str
    words: str
    error: TorchError | None = None
    socket: str = ""
    people: bool = False


def show_people(did: Did) -> None:
    """Show people at the agent's tmux server what cannot be told to an agent."""
    from torch_cli.tmux.status_line import show_at

    with contextlib.suppress(TorchError):
        said = ": ".join(filter(None, ["torch", did.what, did.agent, did.words]))
        show_at(did.socket, said)
