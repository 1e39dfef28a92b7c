"""Ending a program that was started in a session of its own, with all that it has started."""

import os
import signal
import subprocess

GRACE = 5.0
"""Seconds between SIGTERM, upon which git removes its lock files, and SIGKILL."""


def end(child: "subprocess.Popen[bytes]") -> None:
    """End ``child`` and its group: SIGTERM, and SIGKILL after ``GRACE`` seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            child.kill()
        try:
            child.communicate(timeout=GRACE)
        except subprocess.TimeoutExpired:  # who left the group may still hold the pipes
            continue
        return
