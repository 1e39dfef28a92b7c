"""pi under proof."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch_cli.profiling.houses import pi as house
from torch_cli.profiling.stub import Behaviour
from torch_cli.profiling.stub.completions import CompletionsHandler
from torch_cli.profiling.verify.subject import ASKS, Stubbed


class Pi(Stubbed):
    """pi with the stub of the Chat Completions API. What asks is an extension: pi itself does not.

    Its key needs no setting.
    """

    handler = CompletionsHandler
    dialogs: ClassVar[tuple[str, ...]] = ("question",)
    raises: ClassVar[Mapping[str, Behaviour]] = {"question": ASKS}
    commands: ClassVar[Mapping[str, str]] = {"menu": "/model"}

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        house.furnish(self.home)

    @property
    def configuration(self) -> dict[str, Any]:
        """What its settings were."""
        return {"showHardwareCursor": True, "extensions": ["one that asks before commands"]}

    def environment(self) -> dict[str, str]:
        """The stub's address, a key of nobody's, and no other traffic."""
        return house.environment(self.home, self.stub.url) | self.quiet
