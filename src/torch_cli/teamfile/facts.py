"""The facts about an existing agent for its briefing: name, role, team, and the other agents."""

import os

from torch_cli.errors import TorchError
from torch_cli.roster.membership import team_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.teamfile import briefing
from torch_cli.teamfile.load import load_team


def facts_of(store: Store, agent: Agent) -> briefing.Facts:
    """Return the facts about an existing agent, for its briefing."""
    facts = briefing.facts_for(
        agent.name, agent.role, agent.parent, agent.directory, store.agents.all()
    )
    path = team_of(store, agent)
    if not path:
        return facts
    try:
        name = load_team(path).name
    except TorchError:
        name = os.path.basename(os.path.dirname(path))
    return facts._replace(team=name, project_root=os.path.dirname(path))
