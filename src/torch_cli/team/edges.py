"""Who may write to whom in a team."""

from collections.abc import Mapping, Sequence

from torch_cli.errors import RefusedError
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.team.membership import team_of


def forbidden(
    sender: Agent, recipient: Agent, may_message: Mapping[str, Sequence[str]]
) -> Sequence[str] | None:
    """Return to whom ``sender`` may write if ``recipient`` is none of those, else ``None``.

    The rule of its name goes before that of its role; without one it may write to everybody. To
    itself it always may.
    """
    if sender.name == recipient.name:
        return None
    allowed = may_message.get(sender.name, may_message.get(sender.role))
    if allowed is None:
        return None
    meant = {recipient.name, recipient.role, "*"}
    meant |= {"parent"} if sender.parent == recipient.name else set()
    return None if meant & set(allowed) else allowed


def may_write(store: Store, sender: Agent, recipient: Agent) -> bool:
    """Say whether ``check_edge`` lets the message pass."""
    try:
        check_edge(store, sender, recipient)
    except RefusedError:
        return False
    return True


def check_edge(
    store: Store, sender: Agent, recipient: Agent, nothing: str = "nothing was sent"
) -> None:
    """Raise ``RefusedError``, with the permitted way, if the team's rule forbids the message.

    The rule is the one that was in the file when the team was last brought up. It says nothing of
    agents outside of the team. ``nothing`` says what was not done.
    """
    team = team_of(store, sender)
    rules = store.teams.enforced(team)
    if rules is None or team_of(store, recipient) != team:
        return
    allowed = forbidden(sender, recipient, rules)
    if allowed is not None:
        to = ", ".join(f"'{sender.parent}'" if one == "parent" else one for one in allowed)
        raise RefusedError(
            f"'{sender.name}' may not write to '{recipient.name}': may_message in {team}; "
            f"{nothing}",
            hint=f"It may write to: {to or 'nobody'}; and answer what it was asked.",
            code="may-not-message",
            details={"team": team, "may_message": list(allowed)},
        )
