"""A home for Kilo."""

from torch_cli.profiling.houses import Home
from torch_cli.profiling.houses.opencode import configure


def environment(home: Home, url: str) -> dict[str, str]:
    """Write what the program needs to talk to the stub, and return its environment."""
    configure(home, url, "kilo")
    return {
        "HOME": str(home.path),
        "KILO_DISABLE_AUTOUPDATE": "1",
        "KILO_DISABLE_MODELS_FETCH": "1",
        "KILO_DISABLE_SESSION_INGEST": "1",
        "KILO_NO_DAEMON": "1",
        "KILO_TELEMETRY_LEVEL": "off",
    }
