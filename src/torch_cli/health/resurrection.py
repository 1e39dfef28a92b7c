"""Bringing agents back when the daemon starts, if the user's settings ask for it.

It is ``torch resurrect`` in a process of its own. So it goes on if the daemon ends meanwhile, and
a lock keeps a second one away.
"""

import time
from collections.abc import Iterator
from typing import Any

from torch_cli.attention.channels import RETRY_SECONDS, Programs
from torch_cli.attention.notices import plain_notice, programs_of
from torch_cli.attention.notify_settings import NotifySettings, load_notify_settings
from torch_cli.attention.told import SEVERITIES
from torch_cli.background import Background
from torch_cli.errors import NotFoundError, TimedOutError, TorchError
from torch_cli.health.settings import load_health_settings
from torch_cli.lifecycle.did import Did
from torch_cli.roster.asleep import is_without_program
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
        self._notice: dict[str, Any] = {}
        self._programs = Programs(RETRY_SECONDS)

    @property
    def busy(self) -> bool:
        """Whether something is to be done, or told, or a program that tells has not ended."""
        return not self.settled or bool(self._notice) or self._programs.running

    def close(self) -> None:
        """Leave no program behind that tells a person. What brings agents back goes on."""
        self._programs.close()

    def run(self, store: Store) -> Iterator[Did]:
        """Begin, or look whether it has ended; yield what was done."""
        if not self.settled and self._going is None:
            yield from self._begin(store)
        elif not self.settled and self._going is not None and self._going.ended:
            self.settled = True
            yield from self._ended(store, self._going)
        if self._notice:
            yield from self._tell()
        for error in self._programs.check():
            yield Did(RESURRECT, "", error.message, error)

    def _tell(self) -> Iterator[Did]:
        """Tell people by the channels that they have, when their quiet hours are over."""
        try:
            settings = load_notify_settings()
        except TorchError:  # the notices of agents report it
            settings = NotifySettings()
        if settings.quiet.left(time.time()):
            return
        notice, self._notice = self._notice, {}
        if SEVERITIES.index(notice["severity"]) < SEVERITIES.index(settings.severity):
            return
        for program in programs_of(settings, notice):
            try:
                self._programs.start(program, settings.timeout, [RESURRECT])
            except TorchError as error:
                yield Did(RESURRECT, "", error.message, error)

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
        if event is not None and isinstance(words, str):
            self._notice = plain_notice(words, "high" if event.detail.get("failed") else "normal")
            for socket in self._sockets:
                yield Did(RESURRECT, "", words, socket=socket, people=True)
        elif command.failure:
            words = f"agents were not brought back: {command.failure}"
            yield Did(RESURRECT, "", words, TorchError(words, code=RESURRECT))


def _is_lost(store: Store, agent: Agent) -> bool:
    """Return whether the tmux server of ``agent`` is gone: not if it does not answer now.

    What else goes wrong is reported: an agent that is left out in silence would never come back.
    One that is hibernated is woken when it is needed.
    """
    if is_without_program(agent):
        return False
    try:
        end = end_of(store, agent)
    except (TimedOutError, NotFoundError):  # it is another user's, or it is stopped
        return False
    return end is not None and end.cause is Cause.SERVER_GONE
