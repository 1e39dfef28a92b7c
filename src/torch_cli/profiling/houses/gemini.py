"""A home for Gemini CLI."""

import json
from dataclasses import dataclass
from pathlib import Path

from torch_cli.profiling.houses import Home

KEY = [{"command": "input.submit", "key": "f5"}]
"""The binding that the profile looks for."""

SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "model": {"name": "gemini-2.5-flash"},
}


@dataclass(frozen=True)
class GeminiHome(Home):
    """A home for Gemini CLI."""

    @property
    def trusted(self) -> Path:
        """Which directories are trusted."""
        return self.path / ".gemini" / "trustedFolders.json"


def make_home(root: Path, *, trusted: bool = True, key: bool = True) -> GeminiHome:
    """Make a home in which the program starts without a question, but for those asked for.

    ``trusted``: its directory is trusted. ``key``: the submit key that dialogs ignore is bound.
    """
    home = GeminiHome.at(root)
    furnish(home, trusted=trusted, key=key)
    return home


def furnish(home: GeminiHome, *, trusted: bool = True, key: bool = True) -> None:
    """Write the settings of a home; the parameters are ``make_home``'s."""
    folder = home.trusted.parent
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(SETTINGS))
    home.trusted.write_text(json.dumps({str(home.work): "TRUST_FOLDER"} if trusted else {}))
    if key:
        (folder / "keybindings.json").write_text(json.dumps(KEY))


def environment(home: Home, url: str) -> dict[str, str]:
    """Return what the program needs in its environment to talk to the stub and to nobody else."""
    return {"HOME": str(home.path), "GEMINI_API_KEY": "dummy", "GOOGLE_GEMINI_BASE_URL": url}
