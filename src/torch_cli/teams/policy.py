"""The policies of a member that its team's file sets."""

from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.health import DEFAULT, STALLED
from torch_cli.teamfile.described import Member


def set_policies(store: Store, agent: Agent, member: Member) -> None:
    """Record what the file says of stalls and hibernation; one that it has dropped is the default.

    What it has never said is left as a person has set it.
    """
    row = store.teams.member_of(agent.identity)
    before = row.spec if row is not None else {}
    stalled = member.stalled or (STALLED[0] if before.get("stalled") else "")
    hibernate = member.hibernate or (DEFAULT if before.get("hibernate") else "")
    if stalled or hibernate:
        store.health.change_policy(agent.identity, "", stalled, hibernate)
    if stalled and stalled != before.get("stalled"):
        store.stalls.forget(agent.identity)
