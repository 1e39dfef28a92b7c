"""Waiting until a pane is in a state, woken by what it writes."""

import time
from collections.abc import Collection

from torch_cli.agents.observe import Sight, observe
from torch_cli.agents.profile import Profile
from torch_cli.agents.registry import Found
from torch_cli.agents.state import State
from torch_cli.errors import NotFoundError, TimedOutError
from torch_cli.store import Store
from torch_cli.tmux.control import ControlClient

LOOK_AGAIN = 1.0
"""Seconds after which a silent pane is looked at again: hooks and exits write nothing to it."""


def wait_for(
    client: ControlClient,
    store: Store,
    found: Found,
    profile: Profile,
    wanted: Collection[State],
    seconds: float,
) -> Sight:
    """Return the first sight of the pane in one of the ``wanted`` states.

    Raises ``TimedOutError`` after ``seconds`` with the state it is in, ``NotFoundError`` if the
    pane vanishes while none of ``exited`` and ``dead`` is wanted.
    """
    deadline = time.monotonic() + seconds
    while True:
        heard = client.output.get(found.pane.id, 0)
        sight = observe(
            client, store, found.pane, profile, since=found.started, program=found.program
        )
        if sight.state.state in wanted:
            return sight
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimedOutError(
                f"'{found.name}' was not {' or '.join(sorted(wanted))} within {seconds:g} s: it is "
                f"{sight.state.state} ({sight.state.evidence})"
            )
        if client.closed:
            raise NotFoundError(f"the tmux server of '{found.name}' has gone", code="no-server")
        client.wait_output(found.pane.id, heard, min(left, LOOK_AGAIN))
