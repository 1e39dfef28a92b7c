"""Whether Torch's line is in the crontab, without asking the crontab program.

A file beside the state says so, because ``torch status`` cannot start a process each time.
"""

import contextlib
import os

from torch_cli.paths import make_private, state_dir


def is_installed() -> bool:
    """Return whether Torch has put its line into the crontab, and not removed it since."""
    return os.path.exists(_file())


def remember(installed: bool) -> None:
    """Keep whether the line is there now. If that fails, only a sentence is less true."""
    with contextlib.suppress(OSError):
        if installed:
            make_private(state_dir())
            with open(_file(), "w", encoding="ascii"):
                pass
        else:
            os.unlink(_file())


def _file() -> str:
    return os.path.join(state_dir(), "crontab-installed")
