"""Homes for agent programs in which they start without an account and talk to the stub alone.

Whoever runs a program only to look at it makes its home with these: nothing of the user's is read
or written.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Home:
    """A home directory for the program, and the directory that it works in."""

    path: Path
    work: Path

    @classmethod
    def at(cls, root: Path) -> Self:
        """Make the two directories in ``root``."""
        home = cls(root / "home", (root / "work").resolve())
        home.path.mkdir(parents=True)
        home.work.mkdir()
        return home
