"""A home for pi."""

import json
from pathlib import Path

from torch_cli.profiling.houses import Home

SETTINGS = {
    "defaultProvider": "stub",
    "defaultModel": "stub-model",
    "defaultProjectTrust": "always",
    "enableInstallTelemetry": False,
}

ASKS_FIRST = """export default function (pi) {
  pi.on("tool_call", async (event, ctx) => {
    if (event.toolName !== "bash") return;
    const title = `Run this command?\\n\\n  ${event.input.command}`;
    const said = await ctx.ui.select(title, ["Yes", "No"]);
    if (said !== "Yes") return { block: true, reason: "refused" };
  });
}
"""
"""An extension that asks before each command, as many people have one; pi itself never asks."""


def make_home(root: Path, *, asking: bool = True) -> Home:
    """Make a home in which the program starts without a question, and asks before commands."""
    home = Home.at(root)
    furnish(home, asking=asking)
    return home


def furnish(home: Home, *, asking: bool = True) -> None:
    """Write the settings of a home. ``asking``: an extension asks before each command."""
    folder = home.path / ".pi" / "agent"
    (folder / "extensions").mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps(SETTINGS))
    if asking:
        (folder / "extensions" / "asking.ts").write_text(ASKS_FIRST)


def environment(home: Home, url: str) -> dict[str, str]:
    """Write where the stub is, and return what the program needs to talk to nobody else."""
    models = [{"id": "stub-model"}]
    provider = {"baseUrl": f"{url}/v1", "api": "openai-completions", "apiKey": "dummy"}
    providers = {"providers": {"stub": provider | {"models": models}}}
    (home.path / ".pi" / "agent" / "models.json").write_text(json.dumps(providers))
    return {
        "HOME": str(home.path),
        "PI_HARDWARE_CURSOR": "1",
        "PI_OFFLINE": "1",
        "PI_TELEMETRY": "0",
    }
