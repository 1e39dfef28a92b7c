"""Why an agent's program no longer runs, as far as tmux and the machine can tell."""

import enum
import time
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import NotFoundError
from torch_cli.store.agents import Agent
from torch_cli.tmux.panes import list_panes, with_status
from torch_cli.tmux.socket import Socket

EARLY_SECONDS = 1.0
"""Seconds by which a start of the machine that was worked out from its clocks may be too late."""


class FallKind(enum.StrEnum):
    """What became of an agent's program."""

    RUNS = "runs"
    ENDED = "ended"
    """It ended with status 0, as programs do that are asked to."""
    CRASHED = "crashed"
    """It ended with another status, or by a signal."""
    CLOSED = "closed"
    """Its pane is gone, and its tmux server runs."""
    SERVER = "server"
    """Its tmux server is gone."""


class Fall(NamedTuple):
    """What became of an agent's program, and ``why``, in words that follow its name."""

    kind: FallKind
    why: str = ""


def fall_of(agent: Agent) -> Fall:
    """Return what became of the program of ``agent``; raises ``TorchError`` if nobody can tell."""
    try:
        panes = list_panes(Socket(path=agent.socket))
    except NotFoundError as missing:
        if missing.code != "no-server":
            raise  # without tmux nobody knows
        panes = []
    if all(pane.server != agent.server for pane in panes):
        return _without_server(agent)
    place = (agent.server, agent.pane, agent.pane_pid)
    pane = next((one for one in panes if (one.server, one.id, one.pid) == place), None)
    if pane is None:
        return Fall(FallKind.CLOSED, "its window was closed")
    program = procs.Process(agent.program_pid, agent.program_started)
    if not pane.dead and procs.alive(program):
        return Fall(FallKind.RUNS)
    status = with_status(pane).dead_status if pane.dead else 0
    if status == 0:
        return Fall(FallKind.ENDED, "its program had ended by itself")
    how = "was killed by a signal" if status is None else f"ended with status {status}"
    return Fall(FallKind.CRASHED, f"its program {how}")


def _without_server(agent: Agent) -> Fall:
    if before_this_start(agent.created):
        return Fall(FallKind.SERVER, "the machine was restarted")
    return Fall(FallKind.SERVER, "its tmux server was gone")


def before_this_start(moment: float) -> bool:
    """Say whether the machine was started after ``moment`` (epoch seconds); never on macOS."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return False
    return moment < time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) - EARLY_SECONDS


def server_process(agent: Agent) -> int:
    """Return the process number of the tmux server that ``agent`` was started in."""
    return int(agent.server.rsplit("|", 2)[1])
