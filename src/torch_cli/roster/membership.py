"""Which team an agent belongs to: its file's own, or that of the agent above it."""

from collections.abc import Iterator

from torch_cli.errors import RefusedError
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import Started
from torch_cli.tmux.panes import Pane


def chain(store: Store, agent: Agent) -> Iterator[Agent]:
    """Yield ``agent`` and each one above it, up to one without a parent, or that is gone."""
    seen: set[str] = set()
    one: Agent | None = agent
    while one is not None and one.name not in seen:
        seen.add(one.name)
        yield one
        one = _above(store, one)


def _above(store: Store, agent: Agent) -> Agent | None:
    """Return the agent's parent, stopped or not; another that has its name now is none."""
    found = store.agents.get(agent.parent) if agent.parent else None
    if found is None or agent.parent_agent not in ("", found.identity):
        return None
    return found


def superior(store: Store, agent: Agent) -> Agent | None:
    """Return to whom the agent answers now: for a parent that was stopped, the one above that."""
    return next((one for one in list(chain(store, agent))[1:] if one.stopped is None), None)


def team_of(store: Store, agent: Agent) -> str:
    """Return the path of the file of the team that ``agent`` is in, '' for none.

    What an agent has started, or was put below one, is bound by the rules of that one's team.
    """
    for one in chain(store, agent):
        if member := store.teams.member_of(one.identity):
            return member.team
    return ""


def check_parent(store: Store, name: str, parent: str) -> None:
    """Raise ``RefusedError`` if an agent named ``name`` would be below itself."""
    seen, above = set[str](), parent
    while above and above not in seen:
        if above == name:
            raise RefusedError(
                f"'{parent}' answers to '{name}', so '{name}' cannot answer to '{parent}'; "
                "nothing was done",
                hint="'torch tree' shows each agent below its parent. Choose another name, or "
                "parent.",
                code="circle",
            )
        seen.add(above)
        agent = store.agents.get(above)
        above = agent.parent if agent else ""


def is_listed(member: Started) -> bool:
    """Say whether it was started as its team's file said, and not by an agent of the team."""
    return "environment" in member.spec


def enlist(store: Store, team: str, agent: Agent, pane: Pane, *, branch: str = "") -> None:
    """Note that an agent of the team has started ``agent``, which ends with the team.

    Nothing is noted without a team.
    """
    if not team:
        return
    names = ("role", "parent", "profile", "directory")
    spec = {name: getattr(agent, name) for name in names} | {"worktree": branch}
    store.teams.add(
        Started(
            team=team,
            name=agent.name,
            kind="agent",
            spec=spec,
            agent=agent.identity,
            socket=pane.socket_path,
            server=pane.server,
            pane=pane.id,
            pane_pid=pane.pid,
            directory=agent.directory,
        )
    )
