"""What has changed in a worktree, and what of that may go into a checkpoint."""

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from torch_cli.checkpoint import secret
from torch_cli.checkpoint.settings import MIB, Settings
from torch_cli.git.command import Git
from torch_cli.git.filters import Configuration, filters_of

STATUS = (
    *("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames"),
    *("--ignore-submodules=dirty", "--branch", "--no-ahead-behind"),
)
"""Git's list of changes. It does not look into submodules, because that would run their filters."""


class StatusEntry(NamedTuple):
    """A path that ``git status`` lists.

    ``staged`` and ``changed`` are its letters for the index against HEAD and the files against the
    index: ``.`` for no difference, ``?`` in both for a new file, ``u`` in both for an unmerged one.
    ``head`` is mode and blob in HEAD, '' if it has none there. ``digits`` is how long ids are.
    """

    path: str
    staged: str
    changed: str
    head: str = ""
    digits: int = 40

    @property
    def gone(self) -> str:
        """The line for ``update-index --index-info`` that removes the path.

        ``update-index --remove`` would refuse a path that is behind a link now.
        """
        return f"0 {'0' * self.digits}\t{self.path}"

    @property
    def new(self) -> bool:
        """Whether git does not know the path yet."""
        return self.changed == "?"


class Head(NamedTuple):
    """What is checked out: ``commit`` is '' before the first, ``branch`` if HEAD is detached."""

    commit: str
    branch: str


class LeftOut(NamedTuple):
    """A path that is not in the checkpoint as it is on disk; ``why`` is a word for ``detail``."""

    path: str
    why: str
    detail: str


class Scan(NamedTuple):
    """``take`` are the paths whose present content goes in, ``lines`` entries of the index to set.

    ``nested`` are other worktrees below: submodules, and repositories that were never added.
    """

    take: list[str]
    lines: list[str]
    left_out: list[LeftOut]
    nested: list[str]


def head_of(status: bytes) -> Head:
    """Read what is checked out from what ``STATUS`` prints first."""
    heads = {}
    for line in os.fsdecode(status).split("\0"):
        if not line.startswith("# "):
            break
        _, name, value = line.split(" ", 2)
        heads[name] = value
    commit, branch = heads["branch.oid"], heads["branch.head"]
    return Head("" if commit == "(initial)" else commit, "" if branch == "(detached)" else branch)


def entries(status: bytes) -> Iterator[StatusEntry]:
    """Read what ``STATUS`` prints (git-status(1), "Porcelain Format Version 2")."""
    for line in os.fsdecode(status).split("\0"):
        kind = line[:1]
        if kind == "?":
            yield StatusEntry(line[2:], "?", "?")
        elif kind == "1":
            _, letters, _, mode, _, _, blob, _, path = line.split(" ", 8)
            head = f"{mode} {blob}" if int(mode) else ""
            yield StatusEntry(path, letters[0], letters[1], head, len(blob))
        elif kind == "u":
            _, _, _, _, mode, _, _, _, blob, _, path = line.split(" ", 10)
            # The second stage is what HEAD had at the beginning of the merge.
            yield StatusEntry(path, "u", "u", f"{mode} {blob}" if int(mode) else "", len(blob))


def scan(
    git: Git,
    status: bytes,
    links: Sequence[str],
    settings: Settings,
    configuration: Configuration,
    known: Callable[[], set[str]],
) -> Scan:
    """Decide for each path of ``status``. ``links`` are the submodules of the index.

    ``known`` returns the paths of the last checkpoint, which do not count as new.
    """
    listed = list(entries(status))
    nested = [e.path.rstrip("/") for e in listed if e.new and e.path.endswith("/")]
    files = [entry for entry in listed if not (entry.new and entry.path.endswith("/"))]
    crowd = _too_many(files, settings.max_new, known)
    look = _FileCheck(git, settings, configuration, files)
    left_out = crowd.left_out
    take: list[str] = []
    lines: list[str] = []
    submodules = set(links)
    for entry in files:
        if entry.path in crowd.paths:
            continue
        reason = None if entry.path in submodules else look.objection(entry)
        if reason is not None:
            left_out.append(LeftOut(entry.path, *reason))
            lines += _as_in_head(entry)
        elif entry.changed == "D":
            lines.append(entry.gone)
        elif entry.changed != ".":
            take.append(entry.path)
    here = [link for link in links if os.path.lexists(os.path.join(git.directory, link, ".git"))]
    return Scan(take, lines, left_out, [*here, *nested])


def _as_in_head(entry: StatusEntry) -> list[str]:
    """Return the lines for ``update-index --index-info`` that leave a path as HEAD has it."""
    if entry.new or entry.staged == ".":
        return []
    return [entry.gone, *([f"{entry.head}\t{entry.path}"] if entry.head else [])]


class _Crowd(NamedTuple):
    """New files that are too many, each directory named once."""

    paths: frozenset[str]
    left_out: list[LeftOut]


def _too_many(files: Iterable[StatusEntry], limit: int, known: Callable[[], set[str]]) -> _Crowd:
    """Return which new files to leave out: the fullest directories, until few enough are left."""
    new = [entry.path for entry in files if entry.new]
    if len(new) > limit:
        before = known()
        new = [path for path in new if path not in before]
    groups = Counter(path.partition("/")[0] if "/" in path else "" for path in new)
    left, dropped = len(new), set()
    for group, count in groups.most_common():
        if left <= limit:
            break
        dropped.add(group)
        left -= count
    said = [
        LeftOut(f"{group}/" if group else "./", "too-many-new", f"{groups[group]:,} new files")
        for group in sorted(dropped)
    ]
    paths = (path for path in new if (path.partition("/")[0] if "/" in path else "") in dropped)
    return _Crowd(frozenset(paths), said)


class _FileCheck:
    """Looks at one file after another, and says why it must be left out."""

    def __init__(
        self,
        git: Git,
        settings: Settings,
        configuration: Configuration,
        files: Sequence[StatusEntry],
    ) -> None:
        self._git, self._settings = git, settings
        self._contents = secret.Contents()
        self._untrusted: dict[str, str] = {}
        if configuration.untrusted:
            named = filters_of(git, [entry.path for entry in files])
            self._untrusted = {p: f for p, f in named.items() if f in configuration.untrusted}

    def objection(self, entry: StatusEntry) -> tuple[str, str] | None:
        """Return why to leave the file out, as a word and a sentence; ``None`` if it goes in."""
        path = os.path.join(self._git.directory, entry.path)
        try:
            facts = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None  # the removal of any file may be recorded
        except OSError as error:
            return "unreadable", error.strerror or str(error)
        if _matches(entry.path, self._settings.deny):
            return "denied", "excluded by the settings"
        allowed = _matches(entry.path, self._settings.allow)
        if secret.by_name(entry.path) and not allowed:
            return "secret-name", "its name is that of a secret"
        if entry.path in self._untrusted:
            return "filter", f"the filter '{self._untrusted[entry.path]}' is not trusted"
        if stat.S_ISLNK(facts.st_mode) or stat.S_ISDIR(facts.st_mode):
            return None  # a directory in its place means that the file is gone
        if not stat.S_ISREG(facts.st_mode):
            return "not-a-file", "neither a file nor a link"
        return self._objection_to_content(entry, path, facts.st_size, allowed)

    def _objection_to_content(
        self, entry: StatusEntry, path: str, size: int, allowed: bool
    ) -> tuple[str, str] | None:
        limit = self._settings.max_file
        if size > limit:
            if filters_of(self._git, [entry.path]).get(entry.path) == "lfs":
                return None
            return "size", f"{size / MIB:,.1f} MiB, more than {limit / MIB:,.0f}"
        try:
            with open(path, "rb") as file:
                content = file.read(limit + 1)
        except OSError as error:
            return "unreadable", error.strerror or str(error)
        found = None if allowed else self._contents.find(content)
        if found and entry.head:  # a key that was committed before is not a secret any more
            known = self._git.run("cat-file", "blob", entry.head.partition(" ")[2])
            found = self._contents.find_new(content, known)
        return ("secret-content", f"it seems to contain a {found[0]}") if found else None


def _matches(path: str, globs: Sequence[str]) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatchcase(path if "/" in glob else name, glob) for glob in globs)
