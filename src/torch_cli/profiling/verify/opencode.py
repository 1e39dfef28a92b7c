"""opencode under proof."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch_cli.profiling.houses import opencode as house
from torch_cli.profiling.stub.completions import CompletionsHandler
from torch_cli.profiling.verify.subject import Stubbed

OFFLINE = {"npm_config_offline": "true", "npm_config_fetch_retries": "0"}
"""It asks npm's registry for its plugins' library before its first request; it works without, but
only after npm has given up."""


class OpenCode(Stubbed):
    """opencode with the stub of the Chat Completions API; its key comes with its environment."""

    handler = CompletionsHandler
    first_is_slow: ClassVar[bool] = True
    commands: ClassVar[Mapping[str, str]] = {"menu": "/models"}

    @property
    def configuration(self) -> dict[str, Any]:
        """What its settings were."""
        return {"permission": {"bash": "ask", "edit": "ask"}, "share": "disabled"}

    def environment(self) -> dict[str, str]:
        """The stub's address, a key of nobody's, and no other traffic."""
        return house.environment(self.home, self.stub.url) | self.quiet | OFFLINE
