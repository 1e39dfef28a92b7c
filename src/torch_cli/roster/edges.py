"""Who may write to whom in a team."""

from collections.abc import Mapping, Sequence

from torch_cli.errors import RefusedError
from torch_cli.roster.membership import chain, superior, team_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent


def forbidden(
    store: Store,
    sender: Agent,
    recipient: Agent,
    may_message: Mapping[str, Sequence[str]],
    reply_to: str = "",
) -> Sequence[str] | None:
    """Return the agents that ``sender`` may write to if ``recipient`` is not one of them, else
    ``None``.

    In the team file a rule for the sender's name comes before one for its role. An agent without a
    role has its parent's rule. An agent without a rule may write to everybody. An agent may always
    write to itself, and answer messages that it got.
    """
    allowed = _rule(store, sender, may_message)
    if allowed is None or sender.identity == recipient.identity:
        return None
    meant = {recipient.name, _listed_name(store, recipient), recipient.role, "*"}
    above = superior(store, sender)
    meant |= {"parent"} if above is not None and above.identity == recipient.identity else set()
    if meant & set(allowed) or _is_between(store, reply_to, sender, recipient):
        return None
    return allowed


def _rule(
    store: Store, agent: Agent, may_message: Mapping[str, Sequence[str]]
) -> Sequence[str] | None:
    for one in chain(store, agent):
        own = _listed_name(store, one)
        rule = may_message.get(own, may_message.get(one.role))
        if rule is not None and one.identity != agent.identity:
            return rule if "parent" in rule else [*rule, "parent"]
        if rule is not None or one.role:
            return rule
    return None


def _listed_name(store: Store, agent: Agent) -> str:
    """Return the agent's name in its team's file. The agent may have been renamed since."""
    member = store.teams.member_of(agent.identity)
    return member.name if member else agent.name


def _is_between(store: Store, message: str, one: Agent, other: Agent) -> bool:
    """Return whether one of the two agents sent that message to the other."""
    if not message:
        return False
    try:
        found = store.messages.get(message)
    except KeyError:
        return False
    return {found.author, found.agent} == {one.identity, other.identity}


def may_write(store: Store, sender: Agent, recipient: Agent) -> bool:
    """Return whether ``check_edge`` permits the message."""
    try:
        check_edge(store, sender, recipient)
    except RefusedError:
        return False
    return True


def check_edge(
    store: Store,
    sender: Agent,
    recipient: Agent,
    nothing: str = "nothing was sent",
    reply_to: str = "",
) -> bool:
    """Raise ``RefusedError``, with the permitted way, if the team's rule forbids the message.

    The rule is the one in the file at the last ``torch up``. It does not concern agents outside of
    the team. ``nothing`` says what was not done. Returns whether there was a rule.
    """
    if not store.teams.any_enforced():
        return False
    team = team_of(store, sender)
    rules = store.teams.enforced(team)
    if rules is None or team_of(store, recipient) != team:
        return False
    allowed = forbidden(store, sender, recipient, rules, reply_to)
    if allowed is not None:
        above = superior(store, sender)
        parent = f"'{above.name}'" if above else "nobody, because its parent is gone"
        to = ", ".join(parent if one == "parent" else one for one in dict.fromkeys(allowed))
        raise RefusedError(
            f"'{sender.name}' may not write to '{recipient.name}': may_message in {team}; "
            f"{nothing}",
            hint=f"It may write to {to or 'nobody'}, and answer the messages it got.",
            code="may-not-message",
            details={"team": team, "may_message": list(allowed)},
        )
    return True
