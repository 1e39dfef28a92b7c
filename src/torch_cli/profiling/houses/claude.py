"""A home for Claude Code."""

import json
from dataclasses import dataclass
from pathlib import Path

from torch_cli.profiling.houses import Home

API_KEY = "sk-ant-api03-not-a-real-key-0123456789ab"
"""No key of anybody's. The program remembers the last 20 characters of an approved one."""


@dataclass(frozen=True)
class ClaudeHome(Home):
    """A home directory for Claude Code, and what it keeps there."""

    @property
    def settings(self) -> Path:
        """The user's settings."""
        return self.path / ".claude" / "settings.json"

    @property
    def state(self) -> Path:
        """What the program remembers: what was agreed to, and what was seen."""
        return self.path / ".claude.json"

    @property
    def keybindings(self) -> Path:
        """The user's key bindings."""
        return self.path / ".claude" / "keybindings.json"

    def forget(self, name: str) -> None:
        """Let the program ask again what the field ``name`` of its memory keeps it from asking."""
        state = json.loads(self.state.read_text())
        del state[name]
        self.state.write_text(json.dumps(state))


def make_home(root: Path, *, trusted: bool = True, mode_asked: bool = True) -> ClaudeHome:
    """Make a home in which the program starts without a question, but for those asked for.

    ``trusted``: its directory is trusted. ``mode_asked``: the question about the auto mode, which
    comes a moment after the first box, has been asked before.
    """
    home = ClaudeHome.at(root)
    furnish(home, trusted=trusted, mode_asked=mode_asked)
    return home


def furnish(home: ClaudeHome, *, trusted: bool = True, mode_asked: bool = True) -> None:
    """Write the settings and the memory of a home; the parameters are ``make_home``'s."""
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
    """Return what the program needs in its environment to talk to the stub and to nobody else."""
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": API_KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_TELEMETRY": "1",
        "HOME": str(home.path),
    }
