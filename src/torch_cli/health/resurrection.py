"""Bringing agents back when the daemon starts, if the user's settings ask for it.

It is ``torch resurrect`` in a process of its own. So it goes on if the daemon ends meanwhile, and
a lock keeps a second one away.
"""

import contextlib
import time
from collections.abc import Iterator

from torch_cli.errors import TorchError
from torch_cli.health.settings import load_health_settings
from torch_cli.lifecycle.background import Background
from torch_cli.lifecycle.did import Did
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import RESURRECT
from torch_cli.watch.end import Cause, end_of

SPAN_SECONDS = 1.0
"""Seconds by which an event may be earlier than the clock that was read before it."""

BY = "the daemon was started"
"""Why agents are restarted, as they are told."""


class Resurrection:
    """Brings agents back once. ``settled`` says that this is done, or that nothing is to be done.

    Until then the tasks of agents without a program are not lost to them.
    """

    def __init__(self) -> None:
        self.settled = False
        self._going: Background | None = None
        self._began = 0.0
        self._sockets: list[str] = []

    def run(self, store: Store) -> Iterator[Did]:
        """Begin, or look whether it has ended; yield what was done."""
        if self.settled:
            return
        if self._going is None:
            yield from self._begin(store)
        elif self._going.ended:
            self.settled = True
            yield from self._ended(store, self._going)

    def _begin(self, store: Store) -> Iterator[Did]:
        try:
            wanted = load_health_settings().resurrect
        except TorchError as error:
            self.settled = True
            yield Did(RESURRECT, "", error.message, error)
            return
        fallen = [one for one in store.agents.all() if _is_lost(store, one)] if wanted else []
        if not fallen:
            self.settled = True
            return
        self._sockets = sorted({one.socket for one in fallen})
        self._began = time.time() - SPAN_SECONDS
        self._going = Background([RESURRECT, "--server-gone", "--by", BY], environment={})
        yield Did(RESURRECT, ", ".join(one.name for one in fallen), "their tmux server is gone")

    def _ended(self, store: Store, command: Background) -> Iterator[Did]:
        event = store.events.last_resurrection(self._began)
        words = event.detail.get("words") if event is not None else None
        if isinstance(words, str):
            for socket in self._sockets:
                yield Did(RESURRECT, "", words, socket=socket, people=True)
        elif command.failure:
            words = f"agents were not brought back: {command.failure}"
            yield Did(RESURRECT, "", words, TorchError(words, code=RESURRECT))


def _is_lost(store: Store, agent: Agent) -> bool:
    with contextlib.suppress(TorchError):  # without tmux nobody knows
        end = end_of(store, agent)
        return end is not None and end.cause is Cause.SERVER_GONE
    return False
