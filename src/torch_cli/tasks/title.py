"""What an agent has to do, where people see it: the title of its pane."""

import contextlib

from torch_cli.errors import TorchError
from torch_cli.store import Store
from torch_cli.store.tasks import HELD, Task
from torch_cli.tmux import quote
from torch_cli.tmux.panes import pane_at
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

OPTION = "@torch_task"
"""The pane's option that holds the same, for formats: a program can set its title itself."""

LONGEST = 80
"""Characters of it."""


def current(store: Store, identity: str) -> Task | None:
    """Return what the agent of that identity works on: what it has begun, else the most urgent."""
    own = [task for task in store.tasks.all() if task.agent == identity and task.state in HELD]
    return min(own, key=lambda task: task.state != "active", default=None)


def show_task(store: Store, identity: str) -> None:
    """Show in the agent's pane what it has to do now, as far as tmux lets us.

    Nothing is shown of an agent that is gone, and nothing depends on it.
    """
    agent = store.agents.known_as(identity) if identity else None
    if agent is None:
        return
    task = current(store, identity)
    words = f"{task.id} {_plain(task.title)}"[:LONGEST] if task else ""
    title = f"{agent.name} · {words}" if words else agent.name
    setting = [OPTION, words] if words else ["-u", OPTION]
    lines = [
        quote.line("select-pane", "-t", agent.pane, "-T", quote.format_literal(title)),
        quote.line("set-option", "-p", "-t", agent.pane, *setting),
    ]
    with contextlib.suppress(TorchError):
        if pane_at(agent.socket, agent.server, agent.pane, agent.pane_pid) is not None:
            # On a command line a ";" at the end of a title would begin another command.
            given = b"\n".join([*lines, b""])
            run(Socket(path=agent.socket), "-N", "source-file", "-", stdin=given)


def _plain(text: str) -> str:
    """Return ``text`` in one line, without what could steer a terminal."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())
