"""The one SQLite file: opening it, updating its schema, and its errors."""

import contextlib
import errno
import os
import select
import sqlite3
import time
from collections.abc import Iterator, Mapping

from torch_cli import paths
from torch_cli.errors import TorchError
from torch_cli.store.schema import MIGRATIONS

BUSY_SECONDS = 10.0
"""Seconds that a writer waits for another; one transaction here takes milliseconds."""

UNFINISHED_COPY_SECONDS = 86_400.0
"""Seconds after which a copy that was begun and has not ended is nobody's any more."""


class StoreError(TorchError):
    """The state file cannot be read or written."""

    code = "store"


@contextlib.contextmanager
def after(done: str) -> Iterator[None]:
    """Have an error of the state file say what was ``done`` before: that is not undone by it."""
    try:
        yield
    except StoreError as error:
        error.message = f"{done}, and then: {error.message}"
        raise


def storable(name: str) -> str:
    """Return the name of a file with bytes that are not UTF-8 made visible, for SQLite."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class Database:
    """An open connection in WAL mode. Every failure comes out as ``StoreError``.

    ``Database(create=False)`` raises ``StoreError`` with code ``no-store`` if there is no file.
    ``moves`` says that threads use it in turn.
    """

    def __init__(self, *, create: bool = True, moves: bool = False) -> None:
        self.path = paths.database()
        if not create and not os.path.exists(self.path):
            raise StoreError(f"no state file at {self.path}", code="no-store")
        with self._explained("opened"):
            _make_private(self.path)
            self._connection = sqlite3.connect(
                self.path,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=not moves,
            )
            self._file = _file_at(self.path)
            self._connection.row_factory = sqlite3.Row
            self._enter_wal()
            self._connection.execute("PRAGMA synchronous = FULL")
            self._migrate()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def query(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a SELECT."""
        with self._explained("read"):
            return self._connection.execute(sql, values).fetchall()

    def written_by_others(self) -> int:
        """Return a number that changes whenever another connection has written; 10 µs."""
        return int(self.query("PRAGMA data_version")[0][0])

    def is_current(self) -> bool:
        """Return whether this is still the file at its path, with the schema of this Torch."""
        try:
            return _file_at(self.path) == self._file and self._version() == len(MIGRATIONS)
        except (OSError, sqlite3.Error):
            return False

    def mark(self) -> tuple[int, int] | None:
        """Return what differs after any write, by whomever; ``None`` in a transaction, which may be
        undone.
        """
        if self._connection.in_transaction:
            return None
        return self.written_by_others(), self._connection.total_changes

    def write(self, sql: str, *values: object, durable: bool = True) -> int:
        """Run one writing statement as a transaction; return the number of rows changed.

        A write that is not ``durable`` survives the end of this process, but perhaps not a power
        cut. That is enough for the steps of a delivery: its pane does not survive a power cut.
        """
        with self._explained("written"):
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            return self._connection.execute(sql, values).rowcount

    def insert(self, table: str, row: Mapping[str, object], *, replace: bool = False) -> None:
        """Write a new row, as part of the caller's transaction.

        With ``replace`` it takes the place of a row with the same key, which is an error otherwise.
        """
        columns, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" for _ in row)
        verb = "INSERT OR REPLACE" if replace else "INSERT"
        self.query(f"{verb} INTO {table} ({columns}) VALUES ({marks})", *row.values())

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Hold the write lock from the start, so that what was read is still true when written.

        ``durable`` is as in ``write``.
        """
        with self._explained("written"):
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            with self._immediate():
                yield

    def _enter_wal(self) -> None:
        """Switch to WAL mode. Only this statement does not wait for others that open the file."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() >= deadline:
                    raise
                select.select([], [], [], 0.01)  # SQLite does not tell when a lock is free
            else:
                return

    def _migrate(self) -> None:
        """Update the schema to the newest version. Copies an older file first."""
        version = self._version()
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{self.path} was written by a newer torch (schema {version}, this one knows "
                f"{len(MIGRATIONS)}); nothing was changed",
                hint="Use the newer torch, or another TORCH_HOME.",
            )
        if version == len(MIGRATIONS):
            return
        with self._immediate():
            # Another process may have done it while we waited for the lock.
            version = self._version()
            if 0 < version < len(MIGRATIONS):
                self._copy_aside(version)
            for number in range(version, len(MIGRATIONS)):
                for statement in _statements(MIGRATIONS[number]):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {number + 1}")

    @contextlib.contextmanager
    def _immediate(self) -> Iterator[None]:
        """Hold the write lock. Commit at the end, or undo everything and raise."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk ends the transaction by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def size(self) -> tuple[int, int]:
        """Return the bytes of the file, and how many of them are free for new rows."""
        page, pages, free = (
            int(self.query(f"PRAGMA {name}")[0][0])
            for name in ("page_size", "page_count", "freelist_count")
        )
        return page * pages, page * free

    def copy(self) -> str:
        """If the file is sound, replace the last copy with a new one; return the copy's path."""
        target = backup(self.path)
        with self._explained("copied"):
            found = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(f"malformed: {found}")
            size, room = os.path.getsize(self.path), os.statvfs(os.path.dirname(self.path))
            if room.f_bavail * room.f_frsize < 2 * size:  # the file itself needs the rest
                raise OSError(errno.ENOSPC, "the disk is nearly full", target)
            # A name of its own: another scheduler may have been stopped in the middle of this, and
            # for a locked file SQLite's copying waits without end, whatever signal comes.
            new = f"{target}.{os.urandom(4).hex()}.new"
            try:
                _copy(self.path, new)
                os.replace(new, target)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(new)
                raise
            _remove_unfinished(target)
        return target

    def _copy_aside(self, version: int) -> None:
        """Copy the bytes of the file, because a connection with the write lock cannot copy it."""
        _copy(self.path, f"{self.path}.schema-{version}")

    @contextlib.contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"the state file {self.path} could not be {done}: {error}",
                hint=_advice(error, self.path),
            ) from error


def _make_private(path: str) -> None:
    """Make the directory and the file so that only their owner can read them."""
    directory = os.path.dirname(path)
    paths.make_private(directory)
    if not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _file_at(path: str) -> tuple[int, int]:
    """Return what tells a file from any other that gets its name."""
    found = os.stat(path)
    return found.st_dev, found.st_ino


def backup(path: str) -> str:
    """Return where the last copy of the state file ``path`` is kept."""
    return f"{path}.backup"


def _copy(path: str, target: str) -> None:
    _make_private(target)
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)


def _remove_unfinished(target: str) -> None:
    """Remove what copies left that were begun a day ago and never ended."""
    folder, name = os.path.split(target)
    for other in os.listdir(folder):
        path = os.path.join(folder, other)
        if other.startswith(f"{name}.") and ".new" in other:
            with contextlib.suppress(OSError):
                if time.time() - os.path.getmtime(path) > UNFINISHED_COPY_SECONDS:
                    os.unlink(path)


def _advice(error: Exception, path: str) -> str:
    said = str(error)
    if "locked" in said:
        return "Another process holds it. Try again; 'torch doctor' shows which process."
    if "full" in said or "I/O" in said:
        return "Free some space on that disk, or set TORCH_HOME to another directory."
    if "not a database" in said or "malformed" in said:
        return _advice_of_damage(path)
    return "Check that the directory is yours and writable, or set TORCH_HOME to another one."


def _advice_of_damage(path: str) -> str:
    """Say how to continue after damage: with the newest copy, if there is one."""
    places = [backup(path), *(f"{path}.schema-{n}" for n in range(len(MIGRATIONS), 0, -1))]
    copies = [(os.path.getmtime(copy), copy) for copy in places if os.path.exists(copy)]
    words = "The file is damaged and was not changed."
    if not copies:
        return f"{words} To begin without it, move it away."
    at, copy = max(copies)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
    # The rest of the write-ahead log belongs to the damaged file.
    return (
        f"{words} There is a copy of {when}. To continue with the copy: move {path} and, if they "
        f"exist, {path}-wal and {path}-shm away, then: cp {copy} {path}"
    )


def _statements(script: str) -> Iterator[str]:
    """Split a migration into statements; ``executescript`` would commit before each."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
