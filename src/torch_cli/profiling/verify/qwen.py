"""Qwen Code under proof."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch_cli.profiling.houses import qwen as house
from torch_cli.profiling.stub.completions import QwenHandler
from torch_cli.profiling.verify.subject import Stubbed


class QwenCode(Stubbed):
    """Qwen Code with the stub of the Chat Completions API. Its key needs no setting."""

    handler = QwenHandler
    at_start: ClassVar[tuple[str, ...]] = ("trust",)
    commands: ClassVar[Mapping[str, str]] = {"menu": "/model"}

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.ask_at_start("")

    @property
    def configuration(self) -> dict[str, Any]:
        """What its settings were."""
        return {"approvalMode": "default", "telemetry": False, "followup suggestions": False}

    def environment(self) -> dict[str, str]:
        """The stub's address, a key of nobody's, and no other traffic."""
        return house.environment(self.home, self.stub.url) | self.quiet

    def ask_at_start(self, kind: str) -> None:
        """Trust its directory, or let the next start ask about it."""
        home = house.QwenHome(self.home.path, self.home.work)
        house.furnish(home, trusted=kind != "trust")
