"""How the program of an agent has ended: which cause, by what evidence, and what was recorded."""

import enum
import signal
from typing import Any, NamedTuple

from torch_cli import procs
from torch_cli.lifecycle.memory import count_in, log_names
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import END, Event
from torch_cli.store.health import MemoryKills
from torch_cli.tmux.death import death_of
from torch_cli.tmux.panes import Pane, pane_at


class Cause(enum.StrEnum):
    """Why a program runs no longer."""

    EXITED = "exited"
    KILLED = "killed"
    OUT_OF_MEMORY = "out-of-memory"
    SHELL_LEFT = "shell-left"
    """It has ended, nobody knows how, and the shell that started it has the pane."""
    PANE_GONE = "pane-gone"
    SERVER_GONE = "server-gone"


class End(NamedTuple):
    """How a program has ended. ``code`` is its exit status, ``signal`` what ended it, if known.

    ``words`` say it with the evidence, for people.
    """

    cause: Cause
    words: str
    code: int | None = None
    signal: int | None = None

    @property
    def crashed(self) -> bool:
        """Whether it failed, and was not ended by somebody who closed its pane."""
        by_force = self.cause in (Cause.KILLED, Cause.OUT_OF_MEMORY)
        return by_force or (self.cause is Cause.EXITED and self.code != 0)

    def is_against(self, policy: str) -> bool:
        """Whether a program with this restart policy is started again after such an end.

        Whatever else it says: a person may use the shell that is left, and has closed a pane that
        is gone. ``torch resurrect`` is for a server that is gone.
        """
        if self.cause not in (Cause.EXITED, Cause.KILLED, Cause.OUT_OF_MEMORY):
            return False
        return policy == "always" or (policy == "on-failure" and self.crashed)


def end_of(store: Store, agent: Agent) -> End | None:
    """Return how the program of ``agent`` has ended; ``None`` if it runs, or that is not clear yet.

    Raises ``TorchError`` if tmux does not answer.
    """
    program = procs.Process(agent.program_pid, agent.program_started)
    if procs.alive(program):
        return None  # also if its pane is gone
    pane = pane_at(agent.socket, agent.server, agent.pane, agent.pane_pid)
    if pane is None:
        return _without_pane(agent)
    death = death_of(pane)
    if death is None:
        return _shell_left(agent, pane)
    if death.status is not None:
        return End(Cause.EXITED, f"it exited with status {death.status}", code=death.status)
    number = death.signal
    if number in (None, signal.SIGKILL):
        words = _memory_words(agent, store.health.kills(agent.identity))
        if words:
            return End(Cause.OUT_OF_MEMORY, f"it was killed for want of memory: {words}", None, 9)
    return End(Cause.KILLED, f"it was killed by {_signal_words(number)}", None, number)


def _signal_words(number: int | None) -> str:
    if number is None:
        return "a signal"
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _memory_words(agent: Agent, before: MemoryKills) -> str:
    """Return what says that the program was killed because memory had run out, '' if nothing."""
    if log_names(agent.program_pid, agent.created):
        return f"the kernel's log names its process {agent.program_pid}"
    now = count_in(before.file) if before.file else None
    if now is not None and now > before.number:
        more = now - before.number
        return f"{before.file} counts {more} more than while it ran"
    return ""


def _without_pane(agent: Agent) -> End:
    server = int(agent.server.rsplit("|", 2)[1])
    began = int(agent.server.rsplit("|", 2)[2])
    process = procs.identify(server)
    lives = process is not None and procs.alive(process)
    # Another process can have the number: it began later than the server did.
    lives = lives and process is not None and (procs.begun(process) or 0.0) <= began + 1.0
    if lives:
        return End(Cause.PANE_GONE, f"its pane {agent.pane} is gone")
    return End(Cause.SERVER_GONE, f"the tmux server of its pane {agent.pane} is gone")


def _shell_left(agent: Agent, pane: Pane) -> End | None:
    if agent.program_pid == agent.pane_pid:
        return None  # tmux has not seen its end yet
    return End(Cause.SHELL_LEFT, f"it has ended, and {pane.command} is left in its pane")


# -- what is recorded ------------------------------------------------------------------------------


def record(store: Store, agent: Agent, end: End) -> bool:
    """Write ``end`` as an event, unless that was done; return whether it was not."""
    detail: dict[str, Any] = {
        "cause": str(end.cause),
        "code": end.code,
        "signal": end.signal,
        "words": end.words,
        "pid": agent.program_pid,
        "started": agent.created,
    }
    with store.database.transaction():
        if recorded(store, agent) is not None:
            return False
        store.events.insert(END, agent.name, detail, agent=agent.identity)
    return True


def recorded(store: Store, agent: Agent) -> End | None:
    """Return how the present program of ``agent`` has ended, if that was recorded."""
    event = store.events.last_end(agent.identity)
    return read(event) if event is not None and event.at >= agent.created else None


def read(event: Event) -> End:
    """Return the end that an event recorded."""
    known = event.detail
    code, number = known.get("code"), known.get("signal")
    return End(
        Cause(known["cause"]),
        str(known.get("words", "")),
        code if isinstance(code, int) else None,
        number if isinstance(number, int) else None,
    )
