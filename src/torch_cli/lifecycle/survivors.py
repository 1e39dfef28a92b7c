"""What a program that has ended has left running: its commands, which nobody else knows of now.

Claude Code gives each command a session of its own. Killed by SIGKILL, it cannot end it, and tmux
ends only what has the terminal. Torch did not start it, and somebody may want it (a server in the
background): so Torch says that it runs, and ends nothing.
"""

import os
from typing import NamedTuple

from torch_cli import procs
from torch_cli.paths import is_chosen, state_dir
from torch_cli.store.agents import Agent

MOST_NAMED = 5
"""How many are named in words; a command can have a hundred processes."""

_NOT_ITS = ("torch", "torch_cli", "tmux")
"""Words of processes that go on by design: the scheduler, a tmux server, a hook about to end."""


class Survivor(NamedTuple):
    """A process, and the name of its program without its arguments, which may hold secrets."""

    pid: int
    program: str


def survivors(agent: Agent) -> tuple[Survivor, ...]:
    """Return the processes that earlier programs of ``agent`` have begun, and that still run.

    They are known by the variables that Torch gave to the agent's program, so one that has others
    is not found, nor one of another user. Parents come first.
    """
    home = state_dir() if is_chosen() else ""
    program = procs.Process(agent.program_pid, agent.program_started)
    before, its_own = procs.begun(program), {program, *procs.descendants(program.pid)}
    if before is None:
        return ()
    found = list[Survivor]()
    for process in procs.descendants(0):
        if process in its_own:
            continue
        given = procs.environment(process.pid) or {}
        if (given.get("TORCH_AGENT"), given.get("TORCH_HOME", "")) != (agent.name, home):
            continue
        words = procs.arguments(process.pid) or []
        begun = procs.begun(process)
        known = any(os.path.basename(word) in _NOT_ITS for word in words[:4])
        if words and not known and begun is not None and begun < before and procs.alive(process):
            found.append(Survivor(process.pid, os.path.basename(words[0])))
    return tuple(found)


def in_words(left: tuple[Survivor, ...]) -> str:
    """Name the first few, and how many more there are."""
    named = [f"{one.program} ({one.pid})" for one in left[:MOST_NAMED]]
    more = len(left) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
