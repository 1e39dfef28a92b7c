"""Which policy an agent has, and who says so: its team's file, a person, or nobody."""

from typing import NamedTuple

from torch_cli.errors import RefusedError, TorchError
from torch_cli.roster.anew import spawn_hint
from torch_cli.roster.authority import check_over
from torch_cli.roster.membership import is_listed
from torch_cli.roster.registry import registered
from torch_cli.roster.rest import policy_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.health import AgentPolicy
from torch_cli.store.teams import Started

BY_FILE = "torch.toml"
BY_PERSON = "set"
BY_NOBODY = "default"


class Governed(NamedTuple):
    """The policy of an agent. ``by`` is who says when it is restarted; ``member`` is the agent in
    its team's file.
    """

    policy: AgentPolicy
    by: str
    member: Started | None = None


def member_in_file(store: Store, agent: Agent) -> Started | None:
    """Return what the agent is in a team's file, ``None`` if no file names it.

    An agent that a member of a team has started is in the team, and in no file.
    """
    row = store.teams.member_of(agent.identity)
    return row if row is not None and is_listed(row) else None


def governed(store: Store, agent: Agent) -> Governed:
    """Return the policy of ``agent``, for a member of a team as the file says now."""
    row = member_in_file(store, agent)
    own = store.health.policy(agent.identity)
    if row is None:
        return Governed(own or AgentPolicy(), BY_PERSON if own else BY_NOBODY)
    from torch_cli.teamfile.load import load_team

    try:
        members = {one.name: one for one in load_team(row.team).members}
    except TorchError:  # 'torch config check' says what is wrong; the daemon does nothing then
        members = {}
    found = members.get(row.name)
    restart = found.restart if found else "never"
    return Governed((own or AgentPolicy())._replace(restart=restart), BY_FILE, row)


def set_policy(
    store: Store, name: str, *, restart: str = "", stalled: str = "", hibernate: str = ""
) -> AgentPolicy:
    """Set when the agent ``name`` is restarted: ``never``, ``on-failure`` or ``always``; what is
    done if it stalls: ``tell``, ``nudge`` or ``restart``; and after which time it is hibernated,
    ``never``, or ``default`` for what the settings say. '' leaves it as it is.

    An agent that was given up is looked after again. Raises ``NotFoundError``, or ``RefusedError``
    if its team's file decides when it is restarted, if it was adopted, or if the caller may not.
    """
    nothing = "nothing was changed"
    rest = policy_of(hibernate)
    agent = registered(store, name, nothing)
    check_over(store, agent, "change the policy of")
    row = member_in_file(store, agent)
    if row is not None:
        _check_not_in_file(row, restart, stalled, hibernate, nothing)
    if agent.origin != "spawned" and (restart not in ("", "never") or stalled == "restart"):
        raise RefusedError(
            f"agent '{name}' was adopted, so Torch does not know how its program was started and "
            f"cannot restart it; {nothing}",
            hint=spawn_hint(agent, "--restart", "on-failure"),
            code="adopted",
        )
    policy = store.health.change_policy(agent.identity, restart, stalled, rest)
    if restart:
        store.restarts.forget("", agent.identity)
    if stalled:
        store.stalls.forget(agent.identity)
    store.events.add("policy", agent.name, policy._asdict(), agent=agent.identity)
    return policy


def _check_not_in_file(
    row: Started, restart: str, stalled: str, hibernate: str, nothing: str
) -> None:
    """Raise ``RefusedError`` if the file of its team says what is to be set for a member."""
    said = {
        "restart": bool(restart),
        "stalled": stalled and row.spec.get("stalled"),
        "hibernate": hibernate and row.spec.get("hibernate"),
    }
    names = [name for name, says in said.items() if says]
    if names:
        raise RefusedError(
            f"'{row.name}' is in the team of {row.team}, and that file says '{names[0]}' of it; "
            f"{nothing}",
            hint=f"Set '{names[0]}' of '{row.name}' there; 'torch up' has it take effect.",
            code="in-file",
        )
