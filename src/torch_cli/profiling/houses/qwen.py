"""A home for Qwen Code."""

import json
from dataclasses import dataclass
from pathlib import Path

from torch_cli.profiling.houses import Home

SETTINGS = {
    "security": {"auth": {"selectedType": "openai"}, "folderTrust": {"enabled": True}},
    "general": {"enableAutoUpdate": False},
    "memory": {"enableManagedAutoMemory": False, "enableAutoSkill": False},
    "model": {"name": "stub-model"},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "tools": {"approvalMode": "default", "useRipgrep": False},
    "ui": {"enableFollowupSuggestions": False, "enableUserFeedback": False},
}
"""Without requests that the program makes for itself, and with questions before commands."""


@dataclass(frozen=True)
class QwenHome(Home):
    """A home for Qwen Code."""

    @property
    def trusted(self) -> Path:
        """Which directories are trusted."""
        return self.path / ".qwen" / "trustedFolders.json"


def make_home(root: Path, *, trusted: bool = True) -> QwenHome:
    """Make a home in which the program starts without a question, unless it must ask for trust."""
    home = QwenHome.at(root)
    furnish(home, trusted=trusted)
    return home


def furnish(home: QwenHome, *, trusted: bool = True) -> None:
    """Write the settings of a home. ``trusted``: the program trusts its directory."""
    folder = home.trusted.parent
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(SETTINGS))
    home.trusted.write_text(json.dumps({str(home.work): "TRUST_FOLDER"} if trusted else {}))


def environment(home: Home, url: str) -> dict[str, str]:
    """Return what the program needs in its environment to talk to the stub and to nobody else."""
    return {
        "HOME": str(home.path),
        "OPENAI_API_KEY": "dummy",
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_MODEL": "stub-model",
    }
