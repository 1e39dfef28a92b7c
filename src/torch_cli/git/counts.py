"""How two trees differ, in numbers."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.git.command import Git

DIFFERENCE = ("-r", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--raw", "--numstat")
"""The options of what ``counts_of`` reads."""


class Counts(NamedTuple):
    """How two trees differ: files, lines added and removed, and the files that are gone or new."""

    files: int = 0
    added: int = 0
    removed: int = 0
    vanished: int = 0
    new: int = 0

    def __str__(self) -> str:
        return f"{number(self.files, 'file')}, +{self.added:,} -{self.removed:,}"


def count(git: Git, before: str, after: str, paths: Sequence[str] = ()) -> Counts:
    """Return how two trees differ, in ``paths`` or in all."""
    return counts_of(git.run("diff-tree", *DIFFERENCE, before, after, "--", *paths))


def counts_of(difference: bytes) -> Counts:
    """Read what git prints with ``DIFFERENCE``: two words for each path, then one for each."""
    words = os.fsdecode(difference).split("\0")
    letters: list[str] = []
    while words[2 * len(letters)].startswith(":"):  # a path may look like anything
        letters.append(words[2 * len(letters)].rpartition(" ")[2])
    lines = [word.split("\t", 2) for word in words[2 * len(letters) :] if word]
    return Counts(
        files=len(letters),
        added=sum(int(line[0]) for line in lines if line[0].isdecimal()),
        removed=sum(int(line[1]) for line in lines if line[1].isdecimal()),
        vanished=letters.count("D"),
        new=letters.count("A"),
    )


def number(count: int, noun: str) -> str:
    """Return how many there are, in words: ``1 file``, ``2,000 files``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
