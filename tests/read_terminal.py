"""What a command prints on a terminal of its own."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path


def on_terminal(
    words: Sequence[str],
    environ: Mapping[str, str],
    cwd: Path | None = None,
    size: tuple[int, int] | None = None,
    *,
    errors: bool = False,
) -> bytes:
    """Return what a command prints on a terminal of ``size`` (columns, rows); it must succeed.

    With ``errors`` what it writes to stderr is there too, as a person sees it.
    """
    master, terminal = pty.openpty()
    if size is not None:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    child = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal if errors else subprocess.PIPE,
        env=environ,
        cwd=cwd,
    )
    os.close(terminal)
    got = b""
    while select.select([master], [], [], 60)[0]:
        try:
            got += os.read(master, 65536)
        except OSError:  # the last one that had the terminal open has ended
            break
    os.close(master)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 0, ((said or b"").decode(), got)
    return got.replace(b"\r\n", b"\n")
