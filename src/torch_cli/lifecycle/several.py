"""Which agents a person means: by name, by team, or all."""

import os
from collections.abc import Sequence

from torch_cli.errors import NotFoundError, RefusedError, TorchError
from torch_cli.roster.actor import actor
from torch_cli.roster.membership import team_of
from torch_cli.store import Store
from torch_cli.teamfile.load import load_team
from torch_cli.tmux.socket import Socket
from torch_cli.watch.listing import agents_on


def chosen(
    store: Store, socket: Socket, names: Sequence[str], *, everyone: bool, team: str, nothing: str
) -> list[str]:
    """Return the names of the agents that were meant, each once.

    ``everyone`` means all agents but the one that runs this process, of the tmux server that was
    named if one was. ``team`` is the name of a team, or the path of its file or directory. Names
    are not checked. Raises ``RefusedError`` unless exactly one way was chosen, ``NotFoundError`` if
    no agent is meant; ``nothing`` says what was not done.
    """
    ways = [bool(names), everyone, bool(team)]
    if sum(ways) != 1:
        raise RefusedError(
            f"name agents, or give --team or --all, and only one of these; {nothing}",
            hint="'torch ps' lists the agents.",
            code="usage",
        )
    if names:
        return list(dict.fromkeys(names))
    own = actor(store).name
    found = [one for one in agents_on(store, socket) if one.name != own]
    if team:
        paths = _paths(store, team, nothing)
        found = [one for one in found if team_of(store, one) in paths]
    if not found:
        which = f"the team '{team}' has no agent" if team else "there is no agent"
        raise NotFoundError(f"{which}; {nothing}", code="no-agent")
    return [one.name for one in found]


def _paths(store: Store, team: str, nothing: str) -> set[str]:
    """Return the files of the team that is meant by ``team``."""
    known = store.teams.paths()
    where = os.path.realpath(team)
    found = {path for path in known if where in (path, os.path.dirname(path))}
    found = found or {path for path in known if _name_of(path) == team}
    if not found:
        names = ", ".join(filter(None, map(_name_of, known)))
        raise NotFoundError(
            f"no team '{team}' is running; {nothing}",
            hint=f"Teams: {names}." if names else "No team was started.",
            code="no-team",
        )
    if len(found) > 1:
        raise RefusedError(
            f"{len(found)} teams are named '{team}'; {nothing}",
            hint=f"Give the file: {', '.join(sorted(found))}",
            code="ambiguous",
        )
    return found


def _name_of(path: str) -> str:
    try:
        return load_team(path).name
    except TorchError:
        return ""
