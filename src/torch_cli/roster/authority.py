"""What an agent may do to other agents and to what they have made: only to agents below it."""

import os

from torch_cli import procs
from torch_cli.errors import RefusedError
from torch_cli.roster.actor import actor
from torch_cli.roster.membership import chain, team_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.checkin import Checkin
from torch_cli.store.messages import Message
from torch_cli.store.teams import Started


def check_over(store: Store, agent: Agent, verb: str) -> None:
    """Raise ``RefusedError`` if the agent that runs this process has no right over ``agent``.

    In a team an agent has this right over itself and all agents below it. People, and agents
    outside of teams, may do anything. ``verb`` is what the agent wanted to do.
    """
    own = actor(store).agent
    if own is None or any(one.identity == own.identity for one in chain(store, agent)):
        return
    if team := team_of(store, own):
        what = f"'{own.name}' may not {verb} '{agent.name}', which does not answer to it ({team})"
        raise _refused(what, "the agent's parent")


def check_over_process(store: Store, process: Started) -> None:
    """Raise ``RefusedError`` if this process works for an agent that may not end ``process``.

    A process of a team belongs to all its agents. So only people, and an agent without a parent,
    may end it.
    """
    own = actor(store).agent
    if own is not None and own.parent and team_of(store, own) == process.team:
        what = f"'{own.name}' may not end the process '{process.name}' of {process.team}"
        raise _refused(what, f"'{own.parent}'")


def check_outside(agent: Agent, done: str) -> None:
    """Raise ``RefusedError`` if this process runs in ``agent`` and would end together with it."""
    here = os.getpid()
    if here in {agent.pane_pid, *(one.pid for one in procs.descendants(agent.pane_pid))}:
        raise RefusedError(
            f"this command runs in '{agent.name}' and would be cut off when that agent ends; it "
            f"was not {done}",
            hint="Run it from elsewhere, or have tmux run it: tmux run-shell -b 'torch …'",
            code="own-pane",
        )


def check_over_checkin(store: Store, checkin: Checkin) -> None:
    """Raise ``RefusedError`` if this process works for an agent that may not change ``checkin``.

    In a team an agent may change a check-in that it made, or that goes to itself or to an agent
    below it.
    """
    own, to = actor(store).agent, store.agents.known_as(checkin.to.agent)
    if own is None or own.identity == checkin.creator.identity:
        return
    if to is not None:
        check_over(store, to, "change the check-ins of")
    elif team_of(store, own):
        raise _refused(
            f"'{own.name}' did not make check-in '{checkin.name}'", "the agent that made it"
        )


def check_author(store: Store, message: Message, done: str) -> None:
    """Raise ``RefusedError`` if the agent that runs this process did not send ``message``.

    This holds only in a team. ``done`` is what the agent wanted to do with the message.
    """
    own = actor(store).agent
    if own is not None and own.identity != message.author and team_of(store, own):
        whose = f"'{message.sender}' has" if message.sender else "a person has"
        what = f"{whose} sent message {message.id}, not '{own.name}'; it was not {done}"
        raise RefusedError(what, code="not-yours")


def _refused(what: str, whom: str) -> RefusedError:
    return RefusedError(
        f"{what}; nothing was done", hint=f"Ask {whom}, or a person.", code="not-yours"
    )
