"""aider under proof."""

from pathlib import Path
from typing import Any, ClassVar

from torch_cli.profiling.houses import aider as house
from torch_cli.profiling.stub.completions import CompletionsHandler
from torch_cli.profiling.verify.subject import Stubbed


class Aider(Stubbed):
    """aider with the stub of the Chat Completions API. It has no key but Enter."""

    handler = CompletionsHandler
    decline: ClassVar[str] = "C-c"
    decline_gap: ClassVar[float] = 2.5  # a second one within two seconds ends it

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        house.furnish(self.home)

    @property
    def configuration(self) -> dict[str, Any]:
        """What its settings were."""
        return {"edit-format": "diff", "auto-commits": False, "map-tokens": 0}

    def environment(self) -> dict[str, str]:
        """The stub's address, a key of nobody's, and no other traffic."""
        return house.environment(self.home, self.stub.url) | self.quiet

    def texts(self, mark: int) -> list[str]:
        """Return the messages without what it puts behind them."""
        return [text.split(house.REMINDER)[0] for text in super().texts(mark)]
