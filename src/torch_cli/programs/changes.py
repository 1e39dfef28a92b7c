"""Changes to a person's files: shown first, written whole or not at all, and remembered.

A file's content from before Torch first changed it is kept in the state directory, byte for byte,
with the hash of what Torch wrote. Symbolic links are followed and stay links.
"""

import base64
import contextlib
import difflib
import hashlib
import json
import os
import stat
from dataclasses import dataclass

from torch_cli import paths
from torch_cli.errors import RefusedError, TorchError
from torch_cli.replacing import replace_file


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of a file: its bytes before Torch (``None``: there was no file).

    ``written`` is the SHA-256 of what Torch wrote, ``made`` the directory that Torch made for it.
    """

    path: str
    original: bytes | None
    written: str
    made: str = ""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file as it is, and as it will be. ``None`` means no file.

    ``original`` is what an undo restores. ``why`` is a sentence about the change, if the contents
    alone do not show it. ``forget`` removes what was remembered of the file.
    """

    path: str
    before: bytes | None
    after: bytes | None
    original: bytes | None = None
    why: str = ""
    forget: bool = False

    @property
    def needed(self) -> bool:
        """Whether the file changes at all."""
        return self.before != self.after

    @property
    def diff(self) -> str:
        """The difference, as ``diff -u`` shows it; '' if there is none."""
        old, new = (
            "/dev/null" if side is None else self.path for side in (self.before, self.after)
        )
        lines: list[str] = []
        for line in difflib.unified_diff(_lines(self.before), _lines(self.after), old, new):
            lines.append(line)
            if not line.endswith("\n"):
                lines.append("\n\\ No newline at end of file\n")
        return "".join(lines)


def read(path: str) -> bytes | None:
    """Return a file's bytes, ``None`` if there is none; raises ``RefusedError`` if unreadable."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RefusedError(
            f"{path} cannot be read ({error.strerror}); nothing was changed", code="unreadable"
        ) from error


def recall(path: str) -> Memory | None:
    """Return what is remembered of the file, ``None`` if Torch did not change it."""
    return _memory(_memory_file(path))


def _memory(file: str) -> Memory | None:
    kept = read(file)
    try:
        fields = json.loads(kept or b"")
        original = fields["original"]
        return Memory(
            fields["path"],
            None if original is None else base64.b64decode(original),
            fields["written"],
            fields["made"],
        )
    except (ValueError, KeyError, TypeError):
        return None


def remembered() -> list[str]:
    """Return the paths of all files that Torch changed and did not undo."""
    try:
        names = sorted(os.listdir(_memory_dir()))
    except OSError:
        return []
    kept = [_memory(os.path.join(_memory_dir(), name)) for name in names]
    return [memory.path for memory in kept if memory is not None]


def is_ours(content: bytes | None, memory: Memory | None) -> bool:
    """Return whether ``content`` is exactly what Torch wrote."""
    return content is not None and memory is not None and _digest(content) == memory.written


def apply(changes: list[FileChange]) -> None:
    """Make all ``changes`` or none. A failure restores the files that were changed before it.

    Raises ``TorchError`` with the reason, also if a file has changed since the change was planned,
    or is read-only.
    """
    for change in changes:
        _check(change)
    done: list[FileChange] = []
    made: set[str] = set()
    for change in changes:
        try:
            made |= _apply(change)
        except OSError as error:
            for earlier in reversed(done):
                _write(earlier.path, earlier.before)
            raise TorchError(
                f"{error.filename or change.path} cannot be written ({error.strerror}); "
                "nothing was changed",
                hint="Check the permissions and the free space of that directory.",
                code="unwritable",
            ) from error
        done.append(change)
    for directory in made:
        with contextlib.suppress(OSError):  # something else is there now
            os.rmdir(directory)


def _check(change: FileChange) -> None:
    if not change.needed:
        return
    if read(change.path) != change.before:
        raise TorchError(
            f"another program has just changed {change.path}; nothing was written",
            hint="Try again.",
            code="changed",
        )
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_IMODE(os.stat(change.path).st_mode) & 0o222:
            raise RefusedError(
                f"{change.path} is read-only; nothing was changed",
                hint=f"If you want Torch to change it: chmod u+w '{change.path}'",
                code="read-only",
            )


def _apply(change: FileChange) -> set[str]:
    """Write one file. It is remembered first, so that a crash cannot leave an unknown change.

    Returns the directories that Torch once made for files and that may be empty now.
    """
    target = os.path.realpath(change.path)
    memory = recall(change.path)
    if change.forget:
        if change.needed:
            _write(target, change.after)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_memory_file(change.path))
        return {memory.made} if memory and memory.made else set()
    if change.needed and change.after is not None:
        made = _make_directory(os.path.dirname(target)) or (memory.made if memory else "")
        _remember(Memory(change.path, change.original, _digest(change.after), made))
        _write(target, change.after)
    return set()


def _make_directory(directory: str) -> str:
    """Make the directory of a file; return the directory if it did not exist."""
    if os.path.isdir(directory):
        return ""
    os.mkdir(directory, 0o700)
    return directory


def _write(path: str, content: bytes | None) -> None:
    """Put ``content`` into the place of the file, ``None`` for no file; a link is followed."""
    target = os.path.realpath(path)
    if content is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)
        return
    replace_file(target, content)


def _remember(memory: Memory) -> None:
    paths.make_private(_memory_dir())
    fields = {
        "path": memory.path,
        "original": None if memory.original is None else base64.b64encode(memory.original).decode(),
        "written": memory.written,
        "made": memory.made,
    }
    _write(_memory_file(memory.path), json.dumps(fields).encode())


def _memory_dir() -> str:
    return os.path.join(paths.state_dir(), "agent-setup")


def _memory_file(path: str) -> str:
    """Return where a file is remembered: the same place for all names of the file."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]
    return os.path.join(_memory_dir(), f"{name}.json")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _lines(content: bytes | None) -> list[str]:
    return (content or b"").decode("utf-8", "replace").splitlines(keepends=True)
