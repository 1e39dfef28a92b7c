"""What every command is told by the options that they all have."""

from typing import NamedTuple

from torch_cli.cli.present import note
from torch_cli.tmux.socket import Socket

LONGEST = 1e8
"""The most seconds that can be asked for, some three years; select() takes no endless time."""


class Common(NamedTuple):
    """What the common options said: the tmux server, the form of the output, how much to say."""

    socket: Socket
    json: bool
    quiet: bool
    verbose: bool

    def tell(self, step: str) -> None:
        """Say on stderr what is being done, if that was asked for."""
        if self.verbose:
            note(f"torch: {step}")
