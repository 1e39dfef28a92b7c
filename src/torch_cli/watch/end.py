"""How the program of an agent has ended: which cause, by what evidence, and what was recorded."""

import enum
import signal
import time
from typing import Any, NamedTuple

from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.roster.asleep import is_falling_asleep
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import END, Event
from torch_cli.store.health import MemoryKills
from torch_cli.tmux.ended import with_end
from torch_cli.tmux.panes import Pane, answers, pane_at
from torch_cli.tmux.running import was_killed
from torch_cli.watch.memory import count_in, log_names

EARLY_SECONDS = 1.0
"""Seconds by which a start of the machine that was worked out from its clocks may be too late."""


STOP_SIGNALS = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
"""Signals that ask a program to end: from a terminal that closes, from a person's Ctrl-C or
Ctrl-\\, from ``kill``. A program that ends so has not crashed. systemd.service(5) calls nearly the
same signals a clean end."""

BY_SIGNAL = 128
"""What shells, and programs that handle a signal, add to its number for their exit status."""


class Cause(enum.StrEnum):
    """Why a program runs no longer."""

    EXITED = "exited"
    KILLED = "killed"
    OUT_OF_MEMORY = "out-of-memory"
    SHELL_LEFT = "shell-left"
    """It has ended, nobody knows how, and the shell that started it has the pane."""
    PANE_GONE = "pane-gone"
    """Its pane was closed, and its tmux server runs."""
    SERVER_GONE = "server-gone"


class End(NamedTuple):
    """How a program has ended. ``code`` is its exit status, ``signal`` what ended it, if known.

    ``words`` say it with the evidence, for people. ``of_shell``: it was a shell, so the status is
    that of its last command. ``not_closed``: it is certain that nobody has closed its pane, because
    the machine was restarted, or its tmux server was killed.
    """

    cause: Cause
    words: str
    code: int | None = None
    signal: int | None = None
    of_shell: bool = False
    not_closed: bool = False

    @property
    def asked(self) -> bool:
        """Whether somebody has asked it to end by a signal, as far as can be told."""
        if self.cause is Cause.EXITED:
            return self.code is not None and self.code - BY_SIGNAL in STOP_SIGNALS
        return self.cause is Cause.KILLED and self.signal in STOP_SIGNALS

    @property
    def crashed(self) -> bool:
        """Whether it failed, and was not ended by somebody."""
        if self.asked:
            return False
        by_force = self.cause in (Cause.KILLED, Cause.OUT_OF_MEMORY)
        return by_force or (self.cause is Cause.EXITED and self.code != 0 and not self.of_shell)

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

    A program whose pane is gone counts as ended, also if its process still runs. Raises
    ``TorchError`` if tmux does not answer.
    """
    pane = pane_at(agent.socket, agent.server, agent.pane, agent.pane_pid)
    if pane is None:
        return _without_pane(agent)
    if procs.alive(procs.Process(agent.program_pid, agent.program_started)):
        return None
    end = end_in(pane)
    if end is None:
        return _shell_left(agent, pane)
    if end.cause is Cause.KILLED and end.signal in (None, signal.SIGKILL):
        words = _memory_words(agent, store.health.kills(agent.identity))
        if words:
            return End(Cause.OUT_OF_MEMORY, f"it was killed for want of memory: {words}", None, 9)
    return end._replace(of_shell=is_shell(agent))


def is_shell(agent: Agent) -> bool:
    """Return whether the program of ``agent`` is a shell: it has commands, and no turns."""
    try:
        return profile_named(agent.profile).process.shells
    except TorchError:  # 'torch profile check' says what is wrong with it
        return False


def end_in(pane: Pane) -> End | None:
    """Return how the process of ``pane`` has ended, ``None`` if tmux has not seen its end."""
    pane = with_end(pane)
    if not pane.dead:
        return None
    if pane.dead_status is not None:
        words = f"it ended with status {pane.dead_status}"
        return End(Cause.EXITED, words, code=pane.dead_status)
    words = f"it was killed by {procs.signal_words(pane.dead_signal)}"
    return End(Cause.KILLED, words, signal=pane.dead_signal)


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
    # Whether the server's process lives says nothing: it closes its socket before it ends.
    return end_without_pane(agent, lives=answers(agent.socket, agent.server))


def end_without_pane(agent: Agent, *, lives: bool) -> End:
    """Return how ``agent`` has ended whose pane is gone. ``lives``: its tmux server answers."""
    if lives:
        return End(Cause.PANE_GONE, f"its pane {agent.pane} is gone")
    if before_this_start(agent.created):
        return End(Cause.SERVER_GONE, "the machine was restarted", not_closed=True)
    if was_killed(agent.server):
        return End(Cause.SERVER_GONE, "its tmux server was killed", not_closed=True)
    return End(Cause.SERVER_GONE, "its tmux server was gone")


def server_process(agent: Agent) -> int:
    """Return the process number of the tmux server that ``agent`` was started in."""
    return int(agent.server.rsplit("|", 2)[1])


def before_this_start(moment: float) -> bool:
    """Return whether the machine was started after ``moment`` (epoch seconds); never on macOS."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return False
    return moment < time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) - EARLY_SECONDS


def _shell_left(agent: Agent, pane: Pane) -> End | None:
    if agent.program_pid == agent.pane_pid:
        return None  # tmux has not seen its end yet
    return End(Cause.SHELL_LEFT, f"it has ended, and {pane.command} is left in its pane")


# -- what is recorded ------------------------------------------------------------------------------

_OLD = {"ended": End(Cause.EXITED, "", 0), "closed": End(Cause.PANE_GONE, "")}
"""What versions before 2026-11-29 recorded as ``fall`` in a change of state, beside the end."""


def record_end(store: Store, agent: Agent) -> End | None:
    """Look how the program of ``agent`` has ended, and return that; record it if nothing was yet.

    Of one program one end is recorded, and returned from then on. ``None`` if it has not ended, if
    that is not clear yet, or if the agent was stopped, hibernated or started again since its row
    was read.
    Raises ``TorchError`` if tmux does not answer.
    """
    end = end_of(store, agent)
    if end is None:
        return None
    with store.database.transaction():
        now = store.agents.known_as(agent.identity)
        if now is None or now.stopped is not None or now.at != agent.at:
            return None
        if now.hibernated is not None or is_falling_asleep(now):
            return None  # Torch has asked it to end
        before = recorded(store, agent)
        if before is not None:
            return before
        _insert(store, agent, end)
    return end


def record_end_of_pane(store: Store, agent: Agent, end: End) -> bool:
    """Record the ``end`` of the pane that was kept for ``agent``, which is hibernated.

    Where its tmux server runs, somebody has closed the pane, and it is not hibernated any more.
    Returns whether that was done: not if it was stopped or started again meanwhile.
    """
    with store.database.transaction():
        now = store.agents.known_as(agent.identity)
        if now is None or now.stopped is not None or now.at != agent.at or now.hibernated is None:
            return False
        if recorded(store, agent) is None:
            _insert(store, agent, end)
        if end.cause is Cause.PANE_GONE:
            store.agents.not_hibernated(agent)
    return True


def _insert(store: Store, agent: Agent, end: End) -> None:
    """Record ``end``, as part of the caller's transaction."""
    detail: dict[str, Any] = {
        "cause": str(end.cause),
        "code": end.code,
        "signal": end.signal,
        "words": end.words,
        "pid": agent.program_pid,
        "started": agent.created,
    }
    detail |= {name: True for name in ("of_shell", "not_closed") if getattr(end, name)}
    store.events.insert(END, agent.name, detail, agent=agent.identity)


def recorded(store: Store, agent: Agent) -> End | None:
    """Return how the present program of ``agent`` has ended, if that was recorded."""
    event = store.events.last_end(agent.identity)
    return read(event) if event is not None and event.at >= agent.created else None


def recorded_before(store: Store, agent: Agent) -> End | None:
    """Return how the present program of ``agent`` had ended before its tmux server was gone.

    ``None`` if that was not recorded.
    """
    last = store.events.last_state(agent.identity)
    old = last.detail.get("fall") if last is not None and last.at >= agent.created else None
    return _OLD.get(old) if old is not None else recorded(store, agent)


def read(event: Event) -> End:
    """Return the end that an event recorded."""
    known = event.detail
    code, number = known.get("code"), known.get("signal")
    return End(
        Cause(known["cause"]),
        str(known.get("words", "")),
        code if isinstance(code, int) else None,
        number if isinstance(number, int) else None,
        of_shell=known.get("of_shell") is True,
        not_closed=known.get("not_closed") is True,
    )
