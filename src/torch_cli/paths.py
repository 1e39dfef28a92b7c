"""Where Torch keeps its files: in ``HOME`` if it is set, else in ``TORCH_HOME`` if that is set.

Otherwise platformdirs decides. This module works out its answer for Linux and macOS itself, because
importing platformdirs costs more than all else that ``torch hook`` does. A test compares the two.
"""

import os
import sys
from contextvars import ContextVar

HOME: ContextVar[str] = ContextVar("HOME", default="")
"""The directory that a caller of the Python API has chosen for the present call."""

DATABASE = "torch.db"
_MAC = "Library/Application Support"


def state_dir() -> str:
    """Return the directory of the database and its other files. It may not exist yet."""
    home = _torch_home()
    return home or _platform("XDG_STATE_HOME", ".local/state", "user_state_dir")


def config_dir() -> str:
    """Return the directory of the user's own profiles and briefings; it may not exist yet."""
    home = _torch_home()
    if home:
        return os.path.join(home, "config")
    return _platform("XDG_CONFIG_HOME", ".config", "user_config_dir")


def database() -> str:
    """Return the path of the store's file."""
    return os.path.join(state_dir(), DATABASE)


def answers() -> str:
    """Return the directory in which a plugin of a program is asked to answer. It may not exist."""
    return os.path.join(state_dir(), "answers")


def program_logs() -> str:
    """Return the directory of logs that programs write for Torch. It may not exist."""
    return os.path.join(state_dir(), "program-logs")


def is_chosen() -> bool:
    """Return whether the directory was chosen. Programs that Torch starts must then be told."""
    return bool(_torch_home())


def _torch_home() -> str:
    chosen = HOME.get() or os.environ.get("TORCH_HOME", "")
    # pathlib would cost half as much as an empty Python.
    return os.path.abspath(os.path.expanduser(chosen)) if chosen else ""  # noqa: PTH100


def _platform(variable: str, under_home: str, function: str) -> str:
    chosen = os.environ.get(variable, "")
    home = os.environ.get("HOME", "")
    if sys.platform in ("linux", "darwin") and "ANDROID_DATA" not in os.environ:
        if chosen.startswith("/"):
            return os.path.join(chosen, "torch")
        if home.startswith("/"):
            return os.path.join(home, _MAC if sys.platform == "darwin" else under_home, "torch")
    import platformdirs

    return str(getattr(platformdirs, function)("torch", appauthor=False))


_PROBE = b"torch\n" * 2048
"""More than a disk that is full has room for in a block that is begun."""


def unwritable(directory: str) -> str:
    """Return why no file can be written in ``directory``, '' if one can. Permissions say less."""
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(_PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return ""


def make_private(directory: str) -> None:
    """Make a directory, and missing ones above it, for their owner alone.

    Directories below the state directory are made private if they are not. Raises ``OSError``.
    """
    missing, own = [], f"{state_dir()}{os.sep}"
    path = directory
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for one in reversed(missing):
        try:
            os.mkdir(one, 0o700)
        except FileExistsError:  # another process was first, or it is not a directory
            if not os.path.isdir(one):
                raise
    while path.startswith(own):
        mode = os.stat(path).st_mode
        if mode & 0o077:
            os.chmod(path, mode & 0o700)
        path = os.path.dirname(path)
