"""A home for opencode, and for what is made from it."""

import json

from torch_cli.profiling.houses import Home


def environment(home: Home, url: str) -> dict[str, str]:
    """Write what the program needs to talk to the stub, and return its environment."""
    configure(home, url, "opencode")
    return {
        "HOME": str(home.path),
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
    }


def configure(home: Home, url: str, name: str) -> None:
    """Write the settings of the program ``name`` into the home: the stub is its only model's."""
    options = {"baseURL": f"{url}/v1", "apiKey": "dummy"}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "stub", "options": options}
    provider |= {"models": {"stub-model": {"name": "stub-model"}}}
    config = home.path / ".config" / name / f"{name}.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    settings = {
        "provider": {"stub": provider},
        "model": "stub/stub-model",
        "permission": {"bash": "ask", "edit": "ask"},
        "share": "disabled",
    }
    config.write_text(json.dumps(settings))
