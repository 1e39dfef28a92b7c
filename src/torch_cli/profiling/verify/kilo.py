"""Kilo under proof."""

from torch_cli.profiling.houses import kilo as house
from torch_cli.profiling.verify.opencode import OFFLINE, OpenCode

REJECTING = "△ Reject permission"
"""What stands above the field for words that Escape opens at its permission dialog."""


class Kilo(OpenCode):
    """Kilo with the stub of the Chat Completions API; its key comes with its environment."""

    def environment(self) -> dict[str, str]:
        """The stub's address, a key of nobody's, and no other traffic."""
        return house.environment(self.home, self.stub.url) | self.quiet | OFFLINE

    def refusal(self, screen: str) -> str:
        """Return Escape, and then Enter for the field that it opens."""
        return "Enter" if REJECTING in screen else self.decline
