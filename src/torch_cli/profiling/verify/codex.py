"""Codex under proof."""

from pathlib import Path
from typing import Any

from torch_cli.profiling.houses import codex as house
from torch_cli.profiling.stub.responses import ResponsesHandler
from torch_cli.profiling.verify.subject import Stubbed


class Codex(Stubbed):
    """Codex with the stub of the Responses API. The arguments at its start bind its key."""

    handler = ResponsesHandler

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        (self.home.path / ".codex").mkdir()

    @property
    def configuration(self) -> dict[str, Any]:
        """What its settings were."""
        return {"approval_policy": "on-request", "sandbox_mode": "workspace-write"}

    def environment(self) -> dict[str, str]:
        """The stub's address, an invented key, and settings that stop all other traffic."""
        home = house.CodexHome(self.home.path, self.home.work)
        return house.environment(home, self.stub.url) | self.quiet
