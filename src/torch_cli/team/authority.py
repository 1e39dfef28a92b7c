"""Which agents an agent may end, rename, or take work from: those that answer to it."""

from torch_cli.errors import RefusedError
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.team.actor import actor
from torch_cli.team.membership import chain, team_of


def check_over(store: Store, agent: Agent, verb: str) -> None:
    """Raise ``RefusedError`` if this process works for an agent that has no say over ``agent``.

    In a team an agent has one over itself and all below it. People, and agents that are in no
    team, may do anything. ``verb`` is what was to be done.
    """
    own = actor(store).agent
    if own is None or any(one.identity == own.identity for one in chain(store, agent)):
        return
    if team := team_of(store, own):
        raise RefusedError(
            f"'{own.name}' may not {verb} '{agent.name}', which does not answer to it "
            f"({team}); nothing was done",
            hint="Ask the agent to which it answers, or a person.",
            code="not-yours",
        )
