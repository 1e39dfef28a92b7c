"""Home directories in which agent programs start without an account and talk only to the stub.

A program that runs in such a home reads and writes nothing of yours.
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
