"""How two trees differ: path by path, and in numbers."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.git.command import Git

DIFFERENCE = ("-r", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--raw", "--numstat")
"""The options for output that ``counts_of`` reads."""


class ChangedPath(NamedTuple):
    """A path that differs between two trees. ``letter`` is ``A``, ``D``, ``M`` or ``T``.

    ``before`` and ``after`` are its modes, all zeros if it is not in that tree.
    """

    before: str
    after: str
    letter: str
    path: str


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


def rows(git: Git, before: str, after: str, paths: Sequence[str] = ()) -> list[ChangedPath]:
    """Return the paths that differ between two trees (git-diff-tree(1), "Raw output format")."""
    options = ("-r", "-z", "--no-renames", "--raw")
    words = os.fsdecode(git.run("diff-tree", *options, before, after, "--", *paths)).split("\0")
    found = []
    for head, path in zip(words[::2], words[1::2], strict=False):
        old, new, _, _, letter = head.removeprefix(":").split(" ")
        found.append(ChangedPath(old, new, letter, path))
    return found


def above(path: str) -> list[str]:
    """Return the directories above ``path``, the topmost first."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def empty_tree(git: Git) -> str:
    """Return the id of the empty tree, which every repository knows."""
    return git.text("hash-object", "-t", "tree", "--stdin")


def counts_of(difference: bytes) -> Counts:
    """Read what git prints with ``DIFFERENCE``: two words for each path, then one for each."""
    words = os.fsdecode(difference).split("\0")
    letters: list[str] = []
    while words[2 * len(letters)].startswith(":"):  # a path may also begin with ":"
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
