"""The real Kilo for the e2e tests: installing it, and a home for it. Its screen is opencode's."""

import os
import platform
import sys
from pathlib import Path

from e2e.opencode import OpenCode
from e2e.program import NotInstalledError, install_from_npm
from torch_cli.profiling.houses import Home
from torch_cli.profiling.houses.kilo import environment

VERSION = os.environ.get("TORCH_E2E_KILO", "7.7.9")
"""The version that is installed and driven."""


class Kilo(OpenCode):
    """Kilo, as the tests drive it."""

    name, title, version = "kilo", "Kilo", VERSION
    why = "△ Reject permission"
    adds = "<environment_details>"
    modes = ("code", "ask", "debug", "orchestrator", "plan")
    long, many = 801, 5

    def install(self) -> Path:
        system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform, "")
        machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
        if not (system and machine):
            raise NotInstalledError(f"Kilo has no package for {sys.platform}")
        package = f"@kilocode/cli-{system}-{machine}"
        return install_from_npm(package, self.version, "kilo", f"{package}/bin/kilo")

    def environment(self, home: Home, url: str) -> dict[str, str]:
        # Without the registry it works too, after npm has given up.
        quiet = {"npm_config_offline": "true", "npm_config_fetch_retries": "0"}
        return environment(home, url) | quiet
