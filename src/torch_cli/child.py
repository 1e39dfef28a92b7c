"""Programs in sessions of their own: their variables at the start, and how they are ended."""

import os
import signal
import subprocess

from torch_cli.paths import is_chosen, state_dir

TERM_GRACE_SECONDS = 5.0
"""Seconds between SIGTERM and SIGKILL. On SIGTERM git removes its lock files."""


def end(child: "subprocess.Popen[bytes]") -> None:
    """End ``child`` and its group: SIGTERM, and SIGKILL after ``TERM_GRACE_SECONDS``."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            child.kill()
        try:
            child.communicate(timeout=TERM_GRACE_SECONDS)
        except subprocess.TimeoutExpired:  # a process that left the group may hold the pipes
            continue
        return


def detached_environment() -> dict[str, str]:
    """Return the environment for a Torch in the background: not that of the pane it starts from."""
    dropped = ("TMUX", "TMUX_PANE", "TORCH_AGENT")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    # It runs in another directory.
    return {**kept, "TORCH_HOME": state_dir()} if is_chosen() else kept
