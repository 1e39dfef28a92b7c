"""A ``torch up`` or ``torch retire`` that a scheduler begins, and that can outlive it."""

from collections.abc import Sequence

from torch_cli import procs
from torch_cli.background import Background
from torch_cli.errors import HELD, TorchError
from torch_cli.store import Store
from torch_cli.teamfile.described import Team
from torch_cli.teams.act import PAST, TeamAct


class TeamCommand(Background):
    """A command for one member of a team. ``what`` and ``name`` are the act and the member."""

    def __init__(
        self, store: Store, team: Team, what: TeamAct, name: str, words: Sequence[str]
    ) -> None:
        self.what, self.name = what, name
        socket, path = _home(store, team)
        super().__init__(words, socket=socket, environment={"PATH": path} if path else {})

    @property
    def error(self) -> TorchError | None:
        """What went wrong, in its own words; ``None`` if nothing did, or it continues."""
        if not self.status:
            return None
        # A member that is held up may run and ask something first.
        done = "is held up" if self.status == HELD else f"was not {PAST[self.what]}"
        return TorchError(f"'{self.name}' {done}: {self.failure}", code=self.what)


def _home(store: Store, team: Team) -> tuple[str, str]:
    """Return the socket of the team's tmux server, and the PATH of its agents.

    A scheduler that was started by cron or systemd knows neither. '' if no member is up.
    """
    for known in store.teams.members(team.path).values():
        if known.socket:
            variables = procs.environment(known.pane_pid) or {}
            return known.socket, variables.get("PATH", "")
    return "", ""
