"""How this Torch was installed, and so how it is removed and what else is added to it."""

import os
import shlex
import sys

_NAME = "torch-cli"
"""The name of the package (``pyproject.toml``)."""


def removal_commands() -> list[str]:
    """Return the commands by which a person removes this Torch."""
    if _by_uv():
        return [f"uv tool uninstall {_NAME}"]
    if _by_pipx():
        return [f"pipx uninstall {_NAME}"]
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    if os.path.realpath(sys.prefix) == os.path.realpath(os.path.join(data, _NAME)):
        names = ("torch", "torch-demo-agent")
        links = [os.path.expanduser(f"~/.local/bin/{name}") for name in names]
        return [_command("rm", "-r", sys.prefix), _command("rm", *links)]
    return [_command(sys.executable, "-m", "pip", "uninstall", _NAME)]


def adding_command(package: str) -> str:
    """Return the command by which a person adds ``package`` to the environment of this Torch."""
    if _by_pipx():
        return f"pipx inject {_NAME} {package}"
    if _by_uv():  # its environments have no pip
        return _command("uv", "pip", "install", "--python", sys.executable, package)
    return _command(sys.executable, "-m", "pip", "install", package)


def _command(*words: str) -> str:
    """Return a command for a shell, short enough to be copied from a narrow terminal."""
    home = os.path.expanduser("~")
    shown = []
    for word in words:
        quoted = shlex.quote(word)
        below_home = quoted == word and word.startswith(f"{home}/") and home.startswith("/")
        shown.append(f"~{word[len(home) :]}" if below_home else quoted)
    return " ".join(shown)


def _by_uv() -> bool:
    parts = sys.prefix.split(os.sep)
    return "uv" in parts and "tools" in parts


def _by_pipx() -> bool:
    return "pipx" in sys.prefix.split(os.sep)
