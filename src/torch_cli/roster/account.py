"""Which account an agent uses at its API, and whether its login was refused there.

An account is where a program keeps its login, and what its environment says of one. That a login
was refused, and works again, is known from the history of states: a scheduler keeps it.
"""

import hashlib

from torch_cli import procs
from torch_cli.programs.state import AT_WORK, State
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import Event

AUTHENTICATION = "authentication"
"""The kind of an error that says that the login was refused."""

_PLACES = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME")
_ENDS = ("_API_KEY", "_AUTH_TOKEN", "_OAUTH_TOKEN", "_BASE_URL", "_API_BASE", "_PROFILE")


def account_of(agent: Agent) -> str:
    """Return what is the same for all agents of one account, and tells nothing about it.

    An agent whose environment cannot be read has an account of its own.
    """
    environ = procs.environment(agent.program_pid)
    if environ is None:
        return agent.identity
    said = [
        f"{name}={value}"
        for name, value in sorted(environ.items())
        if name in _PLACES or name.endswith(_ENDS)
    ]
    whole = "\0".join([agent.profile, *said])
    return hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def refused_login(store: Store, identity: str) -> str:
    """Return the agent of the same account as ``identity`` whose login was refused, '' if it works.

    It works again once a turn of an agent of that account has ended as it should after that. '' as
    well if no scheduler keeps the history.
    """
    if not identity or store.lease.at_work() is None:
        return ""
    newest = store.events.newest_states()
    if not any(map(_is_refused, newest.values())):
        return ""
    agent = store.agents.known_as(identity)
    if agent is None or agent.stopped is not None:
        return ""
    account = account_of(agent)
    mine = [
        (one, event)
        for one in store.agents.all()
        if (event := newest.get(one.identity)) is not None and event.at >= one.created
        if account_of(one) == account
    ]
    refused = [(event.at, one.name) for one, event in mine if _is_refused(event)]
    worked = max((event.at for _, event in mine if _has_worked(event)), default=0.0)
    at, name = max(refused, default=(0.0, ""))
    return name if at > worked else ""


def _is_refused(event: Event) -> bool:
    error = event.detail.get("error")
    kind = error.get("kind") if isinstance(error, dict) else None
    return event.detail.get("state") == State.ERROR and kind == AUTHENTICATION


def _has_worked(event: Event) -> bool:
    return event.detail.get("state") == State.IDLE and event.detail.get("before") in AT_WORK
