"""Telling systemd what the daemon does: sd_notify(3), one datagram to systemd's socket."""

import os
import socket


def notify(state: str) -> bool:
    """Send ``state`` (``READY=1``, ``WATCHDOG=1``, ``STOPPING=1``); return whether it was sent."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return False
    # "@" stands for the NUL byte that an abstract socket's name begins with.
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(address)
            sender.sendall(state.encode())
    except OSError:
        return False
    return True


def watchdog_seconds() -> float | None:
    """Return how often systemd wants a sign of life; ``None`` if it does not watch this process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        # Half of it, as sd_watchdog_enabled(3) recommends.
        return int(os.environ["WATCHDOG_USEC"]) / 1_000_000 / 2
    except (KeyError, ValueError):
        return None
