"""Limits for agents that start agents: by role, by depth, and in number."""

from torch_cli.errors import RefusedError, TorchError
from torch_cli.roster.membership import chain, team_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.teamfile.described import Limits
from torch_cli.teamfile.load import load_team


def limits_for(store: Store, agent: Agent) -> Limits:
    """Return the limits of the team that ``agent`` belongs to, or the defaults."""
    path = team_of(store, agent)
    if not path:
        return Limits()
    try:
        return load_team(path).limits
    except TorchError as error:
        first = error.message.partition("\n")[0]
        raise RefusedError(
            f"the team file of '{agent.name}' cannot be read, so what it may start is not "
            f"known: {first}; nothing was started",
            hint=error.hint,
            code="bad-team",
        ) from error


def depth_of(store: Store, agent: Agent) -> int:
    """Return how many agents are above ``agent``."""
    line = list(chain(store, agent))
    parent = line[-1].parent
    # An agent whose parent is gone still counts as below it.
    return len(line) - 1 + bool(parent and parent not in {one.name for one in line})


def check_spawn(store: Store, spawner: Agent) -> None:
    """Raise ``RefusedError``, with the rule, if ``spawner`` may not start another agent."""
    rules = limits_for(store, spawner)
    if rules.spawners and spawner.role not in rules.spawners:
        raise _refused(
            f"the role '{spawner.role}' may start no agents: spawners = {list(rules.spawners)}",
            rules,
        )
    here = len(store.agents.all())
    if here >= rules.max_agents:
        raise _refused(f"there are {here} agents: max_agents = {rules.max_agents}", rules)
    depth = depth_of(store, spawner) + 1
    if depth > rules.max_depth:
        raise _refused(
            f"it would be {depth} levels below the agent that a person started: max_depth = "
            f"{rules.max_depth}",
            rules,
        )


def _refused(rule: str, rules: Limits) -> RefusedError:
    return RefusedError(
        f"{rule} ({rules.source}); nothing was started",
        hint="Do it yourself, or ask the person you work for.",
        code="limit",
    )
