"""A ``torch up`` or ``torch retire`` that a scheduler begins, and that can outlive it."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from torch_cli import procs
from torch_cli.child import detached_environment
from torch_cli.errors import HELD, TorchError
from torch_cli.store import Store
from torch_cli.teamfile.described import Team
from torch_cli.teams.act import PAST, TeamAct


class Background:
    """A command for one member of a team, in a process of its own, as a person would run it.

    ``what`` and ``name`` are the act and the member, for the log.
    """

    def __init__(
        self, store: Store, team: Team, what: TeamAct, name: str, words: Sequence[str]
    ) -> None:
        self.what, self.name = what, name
        socket, path = _home(store, team)
        given = {"PATH": path} if path else {}
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._child = subprocess.Popen(
            [sys.executable, "-m", "torch_cli", *words, *(["-S", socket] if socket else [])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            start_new_session=True,
            cwd="/",
            env={**detached_environment(), **given},
        )

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._child.poll() is not None

    def wait(self, seconds: float) -> None:
        """Wait for its end, ``seconds`` at most."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(max(0.0, seconds))

    @property
    def error(self) -> TorchError | None:
        """What went wrong, in its own words; ``None`` if nothing did, or it continues."""
        if not self._child.returncode:
            return None
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        said = [line for line in lines if line.startswith("torch: ")] or lines[-1:]
        words = said[0].removeprefix("torch: ") if said else ""
        words = words or f"it ended with status {self._child.returncode}"
        # A member that is held up may run and ask something first.
        done = "is held up" if self._child.returncode == HELD else f"was not {PAST[self.what]}"
        return TorchError(f"'{self.name}' {done}: {words}", code=self.what)


def _home(store: Store, team: Team) -> tuple[str, str]:
    """Return the socket of the team's tmux server, and the PATH of its agents.

    A scheduler that was started by cron or systemd knows neither. '' if no member is up.
    """
    for known in store.teams.members(team.path).values():
        if known.socket:
            variables = procs.environment(known.pane_pid) or {}
            return known.socket, variables.get("PATH", "")
    return "", ""
