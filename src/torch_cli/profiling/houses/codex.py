"""A home for Codex."""

from dataclasses import dataclass
from pathlib import Path

from torch_cli.profiling.houses import Home

CONFIG = """\
model = "stub-model"
model_provider = "stub"
approval_policy = "on-request"
sandbox_mode = "workspace-write"
check_for_update_on_startup = {updates}

[model_providers.stub]
name = "stub"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "STUB_KEY"

[projects."{work}"]
trust_level = "trusted"

[tui]
screen_reader_detection_done = true
"""

NEWER = '{"latest_version":"0.999.0","last_checked_at":"2999-01-01T00:00:00Z"}'
"""What the program remembers of its last check for updates. It does not check again."""


@dataclass(frozen=True)
class CodexHome(Home):
    """A home for Codex. With ``updates`` Codex offers an update when it starts."""

    updates: bool = False


def make_home(root: Path, *, updates: bool = False) -> CodexHome:
    """Make a home. With ``updates`` the program offers an update when it starts."""
    made = CodexHome.at(root)
    (made.path / ".codex").mkdir()
    return CodexHome(made.path, made.work, updates)


def environment(home: CodexHome, url: str) -> dict[str, str]:
    """Write the configuration with which Codex talks to the stub; return its environment."""
    updates = str(home.updates).lower()
    written = CONFIG.format(url=url, work=home.work, updates=updates)
    (home.path / ".codex" / "config.toml").write_text(written)
    if home.updates:
        (home.path / ".codex" / "version.json").write_text(NEWER)
    return {"HOME": str(home.path), "STUB_KEY": "dummy"}
