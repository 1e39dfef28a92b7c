"""Names that teams reserve for their members: no other agent may take one."""

import contextlib
import os

from torch_cli.errors import RefusedError, TorchError
from torch_cli.roster.membership import is_listed
from torch_cli.roster.project import FILE, project_of
from torch_cli.roster.started import agent_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import MemberKind, Started
from torch_cli.teamfile.load import load_team


def check_rename(store: Store, agent: Agent, new: str) -> None:
    """Raise ``RefusedError`` if ``new`` is, or will be, another member's name in a team."""
    own = store.teams.member_of(agent.identity)
    own = own if own is not None and is_listed(own) else None
    for path in _files(store, agent):
        row, listed = store.teams.members(path).get(new), _listed(path)
        # The agent may have the name in its own team, if the file was changed first.
        meant = own is not None and own.team == path and (own.name == new or own.name not in listed)
        if (row is not None and row.agent != agent.identity) or (new in listed and not meant):
            raise _kept(new, path, "nothing was changed")


def check_start(
    store: Store, name: str, spawner: Agent | None, nothing: str = "nothing was started"
) -> None:
    """Raise ``RefusedError`` if no agent may be started, or adopted, under that name.

    A person may restart a member that has ended, or start one that the file names. An agent may
    start members only with ``torch up --only``.
    """
    for path in _files(store, spawner):
        row = store.teams.members(path).get(name)
        listed = _listed(path) if spawner else set()
        if name in listed or (row is not None and _is_held(store, row)):
            raise _kept(name, path, nothing)


def is_kept(store: Store, name: str, spawner: Agent | None) -> bool:
    """Say whether ``check_start`` would refuse the name."""
    try:
        check_start(store, name, spawner)
    except RefusedError:
        return True
    return False


def _files(store: Store, agent: Agent | None) -> list[str]:
    """Return the files of the teams that are up, and of the project of ``agent``."""
    project = project_of(store, agent) if agent else ""
    return sorted({*store.teams.paths(), *([os.path.join(project, FILE)] if project else [])})


def _listed(path: str) -> set[str]:
    with contextlib.suppress(TorchError):  # no file, or one that cannot be read
        return {member.name for member in load_team(path).members}
    return set()


def _is_held(store: Store, row: Started) -> bool:
    """Return whether the row is that of a process, or of an agent that has another name now."""
    if row.kind != MemberKind.AGENT:
        return True
    agent = agent_of(store, row)
    return agent is not None and agent.name != row.name


def _kept(name: str, path: str, nothing: str) -> RefusedError:
    return RefusedError(
        f"the name '{name}' is reserved for a member of {path}; {nothing}",
        hint="Choose another name, or change the file.",
        code="name-kept",
    )
