"""An agent's task in the title of its pane, where people see it."""

import contextlib

from torch_cli.errors import TorchError
from torch_cli.store import Store
from torch_cli.store.tasks import TASK_HELD, Task, TaskState
from torch_cli.tmux import quote
from torch_cli.tmux.panes import pane_at
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

TASK_OPTION = "@torch_task"
"""The pane's option with the same text, for formats, because a program can set its own title."""

TITLE_CHARACTERS = 80
"""The most characters of the title."""


def current(store: Store, identity: str) -> Task | None:
    """Return the task that the agent has begun, else the most urgent of its tasks."""
    own = [task for task in store.tasks.all() if task.agent == identity and task.state in TASK_HELD]
    return min(own, key=lambda task: task.state != TaskState.ACTIVE, default=None)


def show_task(store: Store, identity: str) -> None:
    """Show the agent's present task in its pane, if tmux permits that.

    Does nothing for an agent that is gone. Nothing depends on this title.
    """
    agent = store.agents.known_as(identity) if identity else None
    if agent is None:
        return
    task = current(store, identity)
    words = f"{task.id} {_plain(task.title)}"[:TITLE_CHARACTERS] if task else ""
    title = f"{agent.name} · {words}" if words else agent.name
    setting = [TASK_OPTION, words] if words else ["-u", TASK_OPTION]
    lines = [
        quote.line("select-pane", "-t", agent.pane, "-T", quote.format_literal(title)),
        quote.line("set-option", "-p", "-t", agent.pane, *setting),
    ]
    with contextlib.suppress(TorchError):
        if pane_at(agent.socket, agent.server, agent.pane, agent.pane_pid) is not None:
            # On a command line of tmux, a ";" at the end of a title would begin another command.
            given = b"\n".join([*lines, b""])
            run(Socket(path=agent.socket), "-N", "source-file", "-", stdin=given)


def _plain(text: str) -> str:
    """Return ``text`` in one line, without control characters."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())
