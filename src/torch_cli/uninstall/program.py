"""How the program itself is removed: by the way in which it was installed."""

import os
import shlex
import sys


def removal_command() -> str:
    """Return the command by which a person removes this Torch."""
    parts = sys.prefix.split(os.sep)
    if "uv" in parts and "tools" in parts:
        return "uv tool uninstall torch-cli"
    if "pipx" in parts:
        return "pipx uninstall torch-cli"
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    if os.path.realpath(sys.prefix) == os.path.realpath(os.path.join(data, "torch-cli")):
        names = ("torch", "torch-demo-agent")
        links = [os.path.expanduser(f"~/.local/bin/{name}") for name in names]
        return shlex.join(["rm", "-rf", sys.prefix, *links])
    return shlex.join([sys.executable, "-m", "pip", "uninstall", "torch-cli"])
