"""A login that has ended is one fact for all agents of its account: a person is told once."""

from collections.abc import Collection, Iterable, Sequence

from torch_cli.attention.history import Change
from torch_cli.programs.state import AT_WORK, AgentState, State
from torch_cli.roster.account import AUTHENTICATION, account_of


def is_refused(state: AgentState) -> bool:
    """Return whether the API refused the login of an agent."""
    trouble = state.trouble
    return trouble is not None and (trouble.state, trouble.kind) == (State.ERROR, AUTHENTICATION)


def is_one_login(changes: Sequence[Change]) -> bool:
    """Return whether all of ``changes`` say that the login of one account was refused."""
    if not all(is_refused(one.state) for one in changes):
        return False
    return len({account_of(one.agent) for one in changes}) == 1


class Refused:
    """The accounts of whose refused login a person was told, until it works again."""

    def __init__(self) -> None:
        self._told: dict[str, set[str]] = {}

    def is_known(self, change: Change) -> bool:
        """Take in ``change``; return whether it says only what a person was told already."""
        if not self._told:
            return False
        if is_refused(change.state):
            told = self._told.get(account_of(change.agent))
            if told is not None:
                told.add(change.agent.identity)
            return told is not None
        if change.state.shown is State.IDLE and change.before in AT_WORK:
            self._told.pop(account_of(change.agent), None)  # a turn ended as it should
        return False

    def note(self, changes: Iterable[Change]) -> None:
        """Note that a person was told of ``changes``."""
        for one in changes:
            if is_refused(one.state):
                self._told.setdefault(account_of(one.agent), set()).add(one.agent.identity)

    def keep(self, identities: Collection[str]) -> None:
        """Forget accounts that none of these agents uses any more."""
        left = {account: told.intersection(identities) for account, told in self._told.items()}
        self._told = {account: told for account, told in left.items() if told}
