"""Whether a program has drawn what it has read: until then the screen does not tell what is in its
box.

Between both nothing else shows a key: it is no longer in the terminal's queue, and not on the
screen. Linux counts what a process reads, tells whether it wants to run, and keeps with a terminal
when it was read last.
"""

import time

from torch_cli import procs
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane

LONG_AGO_SECONDS = 0.25
"""Seconds after which Torch believes, by the terminal's own record, that nothing read from it is
still to be drawn. Five frames: it may be another process of the program that draws."""

DRAWN_WITHIN_SECONDS = 0.5
"""Seconds after which Torch no longer waits for a program to draw all that it has read: one that
reads from others all the time would never have. opencode at work does (2026-11-29)."""

_DRAWN_POLL_SECONDS = 0.005
"""Seconds between two looks."""

NO_KEYS = (b"notify-rs inoti",)
"""Names of threads that read no keys, and read often. Codex has one that is told of every file
opened in ``/etc``, which is every start of a program on the machine (0.169.0, 2026-11-29)."""


class Drawn:
    """Watches how much is read by the processes that have the terminal of the process ``pid``.

    They begin to draw it ``within`` so many seconds. It knows nothing where Linux does not tell
    (macOS, a process of another user).
    """

    def __init__(self, pid: int, within: float) -> None:
        self._pid, self._within = pid, within
        self._readers: list[int] | None = None
        self._read: list[int] = []
        self._since = 0.0

    def note(self) -> float:
        """Look at what was read until now; return for how many seconds nothing more was."""
        if self._readers is None:
            self._readers = procs.group(procs.foreground(self._pid) or 0)
        now, read = time.monotonic(), [procs.bytes_read(one, NO_KEYS) for one in self._readers]
        if read != self._read:
            self._read, self._since = read, now
        return now - self._since

    def all(self) -> bool:
        """Return whether all that was read has been drawn, as far as that can be known.

        A program that has had time for it and sleeps has drawn: one that is kept from running, on a
        busy machine, does not sleep.
        """
        quiet = self.note()
        if not any(self._read):
            return True
        had_time = quiet >= self._within or (quiet > 0 and self._no_keys_lately())
        return had_time and all(procs.sleeps(one) for one in self._readers or ())

    def _no_keys_lately(self) -> bool:
        """Return whether nobody has read from the terminal for long enough.

        Between two looks (``quiet``) nothing else was read either.
        """
        read = procs.terminal_unread_since(self._pid)
        return read is not None and time.time() - read >= LONG_AGO_SECONDS


def await_drawn(client: ControlClient, pane: Pane, drawn: Drawn | float) -> None:
    """Wait until the program in ``pane`` has drawn what it has read, half a second at most.

    ``drawn`` has watched it before, or is the seconds within which it begins to draw.

    A person's keys may be among that: a key of Torch's would submit their words too, or answer what
    comes next. So the screen is asked once more after this, in the step that types.
    """
    if isinstance(drawn, float | int):
        drawn = Drawn(pane.pid, drawn)
    until = time.monotonic() + DRAWN_WITHIN_SECONDS
    while not drawn.all() and time.monotonic() < until:
        client.wait_output(pane.id, client.output.get(pane.id, 0), _DRAWN_POLL_SECONDS)
