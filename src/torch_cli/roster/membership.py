"""Which team an agent belongs to: the team whose file lists it, else the team of its parent."""

from collections.abc import Iterator

from torch_cli.errors import RefusedError
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import MemberKind, Started
from torch_cli.tmux.panes import Pane


def chain(store: Store, agent: Agent) -> Iterator[Agent]:
    """Yield ``agent`` and each agent above it, up to one that has no parent or whose parent is
    gone.
    """
    seen: set[str] = set()
    one: Agent | None = agent
    while one is not None and one.name not in seen:
        seen.add(one.name)
        yield one
        one = _above(store, one)


def _above(store: Store, agent: Agent) -> Agent | None:
    """Return the agent's parent, stopped or not. A later agent of that name is not the parent."""
    found = store.agents.get(agent.parent) if agent.parent else None
    if found is None or agent.parent_agent not in ("", found.identity):
        return None
    return found


def superior(store: Store, agent: Agent) -> Agent | None:
    """Return the agent that ``agent`` answers to now: above a stopped parent, the next one up."""
    return next((one for one in list(chain(store, agent))[1:] if one.stopped is None), None)


def team_of(store: Store, agent: Agent) -> str:
    """Return the path of the file of the team that ``agent`` is in, '' for none.

    An agent that another one started, or that was put below one, is in the team of that one.
    """
    for one in chain(store, agent):
        if member := store.teams.member_of(one.identity):
            return member.team
    return ""


def check_parent(store: Store, name: str, parent: str) -> None:
    """Raise ``RefusedError`` if ``parent`` would put the agent ``name`` below itself."""
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
    """Return whether the team's file lists the member, and no agent of the team started it."""
    return "environment" in member.spec


def enlist(store: Store, team: str, agent: Agent, pane: Pane, *, branch: str = "") -> None:
    """Record that an agent of the team has started ``agent``, which ends with the team.

    Without a team records nothing.
    """
    if not team:
        return
    names = ("role", "parent", "profile", "directory")
    spec = {name: getattr(agent, name) for name in names} | {"worktree": branch}
    store.teams.add(
        Started(
            team=team,
            name=agent.name,
            kind=MemberKind.AGENT,
            spec=spec,
            agent=agent.identity,
            socket=pane.socket_path,
            server=pane.server,
            pane=pane.id,
            pane_pid=pane.pid,
            directory=agent.directory,
        )
    )
