"""A home for Claude Code."""

import json
from dataclasses import dataclass
from pathlib import Path

from torch_cli.profiling.houses import Home

API_KEY = "sk-ant-api03-not-a-real-key-0123456789ab"
"""An invented key. The program remembers the last 20 characters of an approved key."""


@dataclass(frozen=True)
class ClaudeHome(Home):
    """A home directory for Claude Code, and what it keeps there."""

    @property
    def settings(self) -> Path:
        """The user's settings."""
        return self.path / ".claude" / "settings.json"

    @property
    def state(self) -> Path:
        """What the program remembers: what a person agreed to, and what was shown already."""
        return self.path / ".claude.json"

    @property
    def keybindings(self) -> Path:
        """The user's key bindings."""
        return self.path / ".claude" / "keybindings.json"

    def forget(self, name: str) -> None:
        """Delete the field ``name`` from its memory, so that the program asks again."""
        state = json.loads(self.state.read_text())
        del state[name]
        self.state.write_text(json.dumps(state))


def make_home(root: Path, *, trusted: bool = True, mode_asked: bool = True) -> ClaudeHome:
    """Make a home in which the program starts without a question, except those asked for.

    ``trusted``: the program trusts its directory. ``mode_asked``: the program has already asked
    about the auto mode. It asks that a moment after its first box.
    """
    home = ClaudeHome.at(root)
    furnish(home, trusted=trusted, mode_asked=mode_asked)
    return home


def furnish(home: ClaudeHome, *, trusted: bool = True, mode_asked: bool = True) -> None:
    """Write the settings and the memory of a home. The parameters are as in ``make_home``."""
    home.settings.parent.mkdir(exist_ok=True)
    home.settings.write_text(json.dumps({"permissions": {"defaultMode": "default"}}))
    state = {
        "hasCompletedOnboarding": True,
        "customApiKeyResponses": {"approved": [API_KEY[-20:]], "rejected": []},
        "projects": {str(home.work): {"hasTrustDialogAccepted": trusted}},
    }
    if mode_asked:
        state["hasSeenAutoDefaultNudge"] = True
    home.state.write_text(json.dumps(state))


def environment(home: Home, url: str) -> dict[str, str]:
    """Return the variables with which the program talks to the stub and to nothing else."""
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": API_KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_TELEMETRY": "1",
        "HOME": str(home.path),
    }
