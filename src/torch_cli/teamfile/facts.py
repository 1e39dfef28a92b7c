"""What a briefing can say of an agent that is there: its name, its role, its team, who else is."""

import os

from torch_cli.errors import TorchError
from torch_cli.roster.membership import team_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.teamfile import briefing
from torch_cli.teamfile.load import load_team


def facts_of(store: Store, agent: Agent) -> briefing.Facts:
    """Return the facts of an agent that is there, for its briefing."""
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
