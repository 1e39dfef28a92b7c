"""Which agents an agent may end, rename, or take work from: those that answer to it."""

import os

from torch_cli import procs
from torch_cli.errors import RefusedError
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import Started
from torch_cli.team.actor import actor
from torch_cli.team.membership import chain, team_of


def check_over(store: Store, agent: Agent, verb: str) -> None:
    """Raise ``RefusedError`` if this process works for an agent that has no say over ``agent``.

    In a team an agent has one over itself and all below it. People, and agents that are in no
    team, may do anything. ``verb`` is what was to be done.
    """
    own = actor(store).agent
    if own is None or any(one.identity == own.identity for one in chain(store, agent)):
        return
    if team := team_of(store, own):
        raise RefusedError(
            f"'{own.name}' may not {verb} '{agent.name}', which does not answer to it "
            f"({team}); nothing was done",
            hint="Ask the agent to which it answers, or a person.",
            code="not-yours",
        )


def check_over_process(store: Store, process: Started) -> None:
    """Raise ``RefusedError`` if this process works for an agent that may not end ``process``.

    What runs beside the agents of a team belongs to all of them: only one that answers to nobody
    may, and people.
    """
    own = actor(store).agent
    if own is not None and own.parent and team_of(store, own) == process.team:
        raise RefusedError(
            f"'{own.name}' may not end the process '{process.name}' of {process.team}; nothing "
            "was done",
            hint=f"Ask '{own.parent}', or a person.",
            code="not-yours",
        )


def check_outside(agent: Agent, done: str) -> None:
    """Raise ``RefusedError`` if this process runs in ``agent``, and would end with it half way."""
    here = os.getpid()
    if here in {agent.pane_pid, *(one.pid for one in procs.descendants(agent.pane_pid))}:
        raise RefusedError(
            f"this command runs in '{agent.name}', and would be cut off when that ends; it was not "
            f"{done}",
            hint="Run it from elsewhere, or have tmux run it: tmux run-shell -b 'torch …'",
            code="own-pane",
        )
